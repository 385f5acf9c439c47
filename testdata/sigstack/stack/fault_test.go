package stack_test

import (
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// TestWrongTokens: Fulcio itself refuses each token that is wrong, and takes the
// next one, which is not.
func TestWrongTokens(t *testing.T) {
	t.Parallel()
	s := start(t)
	sc := signingConfig(t, filepath.Join(s.Dir, "signing_config.v0.2.json"))
	env := lines(call(t, s, "GET", "/github/env", 200))
	for _, fault := range []string{"expired", "early", "audience", "issuer", "forged", "empty"} {
		t.Run(fault, func(t *testing.T) {
			call(t, s, "POST", "/fault?service=oidc&times=1&token="+fault, 200)
			token, err := gitHubToken(t, env)
			if err != nil {
				t.Fatal(err)
			}
			if (token == "") != (fault == "empty") {
				t.Fatalf("token %q", token)
			}
			if _, err := signWith(t, sc, token); err == nil {
				t.Error("Fulcio issued a certificate for it")
			}
			gitLab := lines(call(t, s, "GET", "/gitlab/env?token="+fault, 200))["SIGSTORE_ID_TOKEN"]
			if _, err := signWith(t, sc, gitLab); err == nil {
				t.Error("Fulcio issued a certificate for GitLab's")
			}
		})
	}
	token, err := gitHubToken(t, env)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := signWith(t, sc, token); err != nil {
		t.Errorf("after the faults: %v", err)
	}
}

// TestFaultsOfServers: each real server fails as told, before or after the
// request took effect, and the counters tell which.
func TestFaultsOfServers(t *testing.T) {
	t.Parallel()
	s := start(t)
	sc := signingConfig(t, filepath.Join(s.Dir, "signing_config.v0.2.json"))
	counter := map[string]string{"fulcio": "certificates", "rekor": "entries", "tsa": "timestamps"}
	for service, name := range counter {
		for when, effects := range map[string]string{"before": "0", "after": "1"} {
			t.Run(service+" "+when, func(t *testing.T) {
				token := lines(call(t, s, "GET", "/gitlab/env", 200))["SIGSTORE_ID_TOKEN"]
				call(t, s, "POST", "/clean", 200)
				query := url.Values{"service": {service}, "mode": {"status"}, "status": {"400"}, "when": {when}, "times": {"1"}}
				call(t, s, "POST", "/fault?"+query.Encode(), 200)
				if _, err := signWith(t, sc, token); err == nil {
					t.Fatal("signed in spite of the fault")
				}
				got := lines(call(t, s, "GET", "/audit", 200))
				if got[name] != effects || got[service+".requests"] != "1" {
					t.Errorf("%s=%s of %s requests, want %s of 1", name, got[name], got[service+".requests"], effects)
				}
				if _, err := signWith(t, sc, token); err != nil {
					t.Errorf("after the fault: %v", err)
				}
			})
		}
	}
}

// TestUploads: what was sent can be read, once.
func TestUploads(t *testing.T) {
	t.Parallel()
	s := start(t)
	token := lines(call(t, s, "GET", "/gitlab/env?project_path=secret/name", 200))["SIGSTORE_ID_TOKEN"]
	if _, err := signWith(t, signingConfig(t, filepath.Join(s.Dir, "signing_config.v0.2.json")), token); err != nil {
		t.Fatal(err)
	}
	if got := call(t, s, "GET", "/uploads?service=rekor", 200); !strings.Contains(got, "hashedRekordRequest") {
		t.Errorf("uploads %.200q, want the log's request", got)
	}
	if got := call(t, s, "GET", "/uploads?service=rekor", 200); got != "" {
		t.Errorf("the second time: %.200q", got)
	}
}

// TestManyAtOnce: one stack serves a test that signs side by side.
func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	s := start(t)
	sc := signingConfig(t, filepath.Join(s.Dir, "signing_config.v0.2.json"))
	token := lines(call(t, s, "GET", "/gitlab/env", 200))["SIGSTORE_ID_TOKEN"]
	var all sync.WaitGroup
	for range 5 {
		all.Go(func() {
			if _, err := signWith(t, sc, token); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if got := lines(call(t, s, "GET", "/audit", 200)); got["entries"] != "5" {
		t.Errorf("entries=%s, want 5", got["entries"])
	}
}
