package cli

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/mcp-integrity/seal-action/verify"
)

// TestFollowRefuses: a stranger's URL leads to public hosts over https only.
func TestFollowRefuses(t *testing.T) {
	t.Setenv("HTTPS_PROXY", "")
	t.Setenv("https_proxy", "")
	i := verifyOptions(t)
	for _, uri := range []string{
		"http://acme.example/p.json", "file:///etc/passwd", "oci://acme.example/x@sha256:00", "https://user:pw@acme.example/p", "https:///p", "://",
		"https://127.0.0.1:1/p.json", "https://localhost:1/p.json", "https://[::1]:1/p.json", "https://169.254.169.254/latest/meta-data",
	} {
		_, err := i.follow(context.Background(), uri)
		if !errors.Is(err, verify.ErrUnavailable) {
			t.Errorf("follow(%s) = %v, want ErrUnavailable", uri, err)
		}
		if err != nil && strings.Contains(err.Error(), "pw@") {
			t.Errorf("follow(%s) shows the password: %v", uri, err)
		}
	}
}

func TestBundlesIn(t *testing.T) {
	const one = `{"mediaType":"x"}`
	for name, tt := range map[string]struct {
		data string
		want int
		err  bool
	}{
		"one":                                {one, 1, false},
		"pretty":                             {"{\n \"mediaType\": \"x\"\n}\n", 1, false},
		"lines":                              {one + "\n" + one + "\n\n", 2, false},
		"an attestation store":               {`{"attestations":[{"bundle":` + one + `},{"bundle":` + one + `,"repository_id":1}]}`, 2, false},
		"an empty store":                     {`{"attestations":[]}`, 0, false},
		"a store that has them behind a URL": {`{"attestations":[{"bundle":null,"bundle_url":"https://x"}]}`, 0, true},
		"too many":                           {strings.Repeat(one+"\n", maxAttestations+1), 0, true},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := bundlesIn([]byte(tt.data))
			if len(got) != tt.want || (err != nil) != tt.err {
				t.Errorf("got %d bundles, %v; want %d, error %t", len(got), err, tt.want, tt.err)
			}
		})
	}
}

// TestBundlesInIsBounded: a list is counted before anything is made of it.
func TestBundlesInIsBounded(t *testing.T) {
	for name, data := range map[string]string{
		"a store": `{"x":[1],"attestations":[` + strings.Repeat("{},", 1<<20) + `{}]}`,
		"lines":   strings.Repeat("1\n", 1<<20),
	} {
		least := testing.AllocsPerRun(1, func() {
			if _, err := bundlesIn([]byte(data)); !errors.Is(err, errTooMany) {
				t.Errorf("%s: got %v, want errTooMany", name, err)
			}
		})
		if least > 1000 {
			t.Errorf("%s: %.0f allocations for what is refused", name, least)
		}
	}
}

func FuzzBundlesIn(f *testing.F) {
	f.Add([]byte(`{"attestations":[{"bundle":{}}]}`))
	f.Add([]byte("{}\n{}\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		bundles, err := bundlesIn(data)
		if err != nil {
			return
		}
		total := 0
		for _, b := range bundles {
			total += len(b)
		}
		if len(bundles) > maxAttestations || total > len(data) {
			t.Errorf("%d bundles of %d bytes from %d bytes", len(bundles), total, len(data))
		}
	})
}
