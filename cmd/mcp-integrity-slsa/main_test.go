package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/slsa-framework/slsa-verifier/v2/options"
)

// TestMain makes this program of the test binary where a test starts it as one.
func TestMain(m *testing.M) {
	if os.Getenv("MCP_INTEGRITY_SLSA_TEST_RUN") != "" {
		main()
	}
	os.Exit(m.Run())
}

// npmQuestion is a request that has every member that a request of provenance
// can have.
const npmQuestion = `{"schema_version":"1","kind":"npm","digest":"sha512:` +
	`aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",` +
	`"provenance":"e30=","source_uri":"git+https://github.com/acme/tools","builder_id":"https://github.com/acme/builder/.github/workflows/build.yml",` +
	`"branch":"main","tag":"v1.2.3","versioned_tag":"v1","package":{"name":"@acme/tools","version":"1.2.3"}}`

const vsaQuestion = `{"schema_version":"1","kind":"vsa","digest":"sha256:` +
	`bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb","provenance":"e30=",` +
	`"vsa":{"verifier_id":"https://acme.example","resource_uri":"pkg:npm/tools@1","verified_levels":["SLSA_BUILD_LEVEL_2"],"public_key":"k","key_id":"1"}}`

func TestParseRequest(t *testing.T) {
	for _, q := range []string{npmQuestion, vsaQuestion} {
		if _, err := parseRequest([]byte(q)); err != nil {
			t.Errorf("%s: %v", q, err)
		}
	}
	long := strings.Repeat("x", maxText+1)
	for _, tt := range []struct{ name, question, from, to, want string }{
		{"empty", npmQuestion, npmQuestion, "", "EOF"},
		{"no object", npmQuestion, npmQuestion, "[]", "array"},
		{"behind it", npmQuestion, `"1.2.3"}}`, `"1.2.3"}}{}`, "after top-level value"},
		{"unknown member", npmQuestion, `"branch"`, `"brunch"`, "unknown object member"},
		{"another case", npmQuestion, `"kind"`, `"Kind"`, "unknown object member"},
		{"member twice", npmQuestion, `"kind"`, `"kind":"npm","kind"`, "duplicate"},
		{"another version", npmQuestion, `version":"1"`, `version":"2"`, "schema_version"},
		{"no version", npmQuestion, `"schema_version":"1",`, "", "schema_version"},
		{"unknown kind", npmQuestion, `"npm"`, `"image"`, "kind"},
		{"no provenance", npmQuestion, `e30=`, "", "provenance"},
		{"base64 with a line end", npmQuestion, `e30=`, `e3\n0=`, "provenance"},
		{"digest of another kind", npmQuestion, "sha512:", "sha256:", "digest"},
		{"digest too short", npmQuestion, "sha512:aa", "sha512:", "digest"},
		{"digest in capitals", npmQuestion, "sha512:aa", "sha512:AA", "digest"},
		{"digest of sha512 for an artifact", npmQuestion, `"npm"`, `"artifact"`, "digest"},
		{"no source", npmQuestion, `git+https://github.com/acme/tools`, "", "source_uri"},
		{"source elsewhere", npmQuestion, `git+https://github.com`, "git+https://gitlab.com", "source_uri"},
		{"source with a ref", npmQuestion, `acme/tools"`, `acme/tools@refs/heads/x"`, "source_uri"},
		{"source of one segment", npmQuestion, `acme/tools"`, `acme"`, "source_uri"},
		{"no builder", npmQuestion, `"builder_id":"https://github.com/acme/builder/.github/workflows/build.yml",`, "", "builder_id"},
		{"builder of Cloud Build", npmQuestion, `https://github.com/acme/builder`, "https://cloudbuild.googleapis.com/GoogleHostedWorker", "builder_id"},
		{"refs of npm's command line", npmQuestion, `https://github.com/acme/builder/.github/workflows/build.yml`, hosted, "slsa-github-generator alone"},
		{"control character", npmQuestion, `"main"`, `"ma\u0007in"`, "branch"},
		{"direction override", npmQuestion, `"main"`, `"ma\u202ein"`, "branch"},
		{"long text", npmQuestion, `"main"`, `"` + long + `"`, "branch"},
		{"no package version", npmQuestion, `,"version":"1.2.3"`, "", "package"},
		{"no package", npmQuestion, `,"package":{"name":"@acme/tools","version":"1.2.3"}`, "", "package"},
		{"package and vsa", npmQuestion, `"package"`, `"vsa":{},"package"`, "vsa"},
		{"vsa with a source", vsaQuestion, `"vsa":{`, `"source_uri":"git+https://github.com/acme/tools","vsa":{`, "source_uri"},
		{"vsa without levels", vsaQuestion, `["SLSA_BUILD_LEVEL_2"]`, `[]`, "verified_levels"},
		{"vsa with an empty level", vsaQuestion, `["SLSA_BUILD_LEVEL_2"]`, `[""]`, "verified_levels"},
		{"vsa with many levels", vsaQuestion, `["SLSA_BUILD_LEVEL_2"]`, `["` + strings.Repeat(`a","`, maxLevels) + `"]`, "verified_levels"},
		{"vsa without a verifier", vsaQuestion, `https://acme.example`, "", "verifier_id"},
		{"vsa without a resource", vsaQuestion, `pkg:npm/tools@1`, "", "resource_uri"},
		{"vsa without a key", vsaQuestion, `"public_key":"k"`, `"public_key":""`, "public_key"},
		{"vsa with a large key", vsaQuestion, `"public_key":"k"`, `"public_key":"` + strings.Repeat("k", maxKey+1) + `"`, "public_key"},
		{"vsa null", vsaQuestion, vsaQuestion[strings.Index(vsaQuestion, `{"verifier_id"`):], "null}", "vsa"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			changed := strings.Replace(tt.question, tt.from, tt.to, 1)
			if changed == tt.question {
				t.Fatalf("the request has no %q", tt.from)
			}
			r, err := parseRequest([]byte(changed))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%+v, %v, want an error with %q", r, err, tt.want)
			}
		})
	}
	attestation := moduleBazel(t)
	attestation.Tag = "v1.3.1"
	if err := attestation.checkKind(); err == nil || !strings.Contains(err.Error(), "slsa-github-generator alone") {
		t.Errorf("a GitHub attestation's tag: %v", err)
	}
	if _, err := parseRequest(make([]byte, maxRequest+1)); err == nil || !strings.Contains(err.Error(), "more than") {
		t.Errorf("a large request: %v", err)
	}
}

// FuzzParseRequest: what is parsed leaves nothing open that slsa-verifier would
// then not compare.
func FuzzParseRequest(f *testing.F) {
	f.Add([]byte(npmQuestion))
	f.Add([]byte(vsaQuestion))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := parseRequest(data)
		if err != nil {
			return
		}
		if len(r.Provenance) == 0 || len(r.hexDigest()) < 64 {
			t.Fatalf("%s: %+v", data, r)
		}
		if r.Kind == kindVSA {
			if v := r.VSA; v.VerifierID == "" || v.ResourceURI == "" || len(v.VerifiedLevels) == 0 {
				t.Fatalf("%s: %+v", data, v)
			}
			return
		}
		if o := r.provenanceOpts(); o.ExpectedSourceURI == "" || o.ExpectedDigest == "" || (r.Kind != kindArtifact && r.BuilderID == "") {
			t.Fatalf("%s: %+v", data, o)
		}
	})
}

func answers(f finding, err error) checker {
	return func(context.Context, request) (finding, error) { return f, err }
}

func TestRun(t *testing.T) {
	passes := answers(finding{statement: []byte("{}"), builderID: "b"}, nil)
	for _, tt := range []struct {
		name  string
		args  []string
		in    string
		check checker
		code  int
		want  answer
	}{
		{"pass", nil, npmQuestion, passes, exitVerdict, answer{Verdict: verdictPass, BuilderID: "b", Statement: []byte("{}")}},
		{"fail", nil, npmQuestion, answers(finding{}, errMalformed), exitVerdict,
			answer{Verdict: verdictFail, Reason: reasonMalformed, Message: errMalformed.Error()}},
		{"undecided", nil, npmQuestion, answers(finding{}, errTrustedRoot), exitUndecided,
			answer{Verdict: verdictUndecided, Reason: reasonTrustedRoot, Message: errTrustedRoot.Error()}},
		{"pass of nothing", nil, npmQuestion, answers(finding{builderID: "b"}, nil), exitUndecided,
			answer{Verdict: verdictUndecided, Reason: reasonUnclassified, Message: errNoStatement.Error()}},
		{"panic", nil, npmQuestion, func(context.Context, request) (finding, error) { panic("nil\x1b[31m pointer") }, exitUndecided,
			answer{Verdict: verdictUndecided, Reason: reasonPanic, Message: "slsa-verifier panicked: nil [31m pointer"}},
		{"long message", nil, npmQuestion, answers(finding{}, errors.New(strings.Repeat("é", maxMessage))), exitUndecided,
			answer{Verdict: verdictUndecided, Reason: reasonUnclassified, Message: strings.Repeat("é", maxMessage/2) + " …"}},
		{"no request", nil, "", passes, exitUsage, answer{}},
		{"no such request", nil, "{}", passes, exitUsage, answer{}},
		{"an argument", []string{"--help"}, npmQuestion, passes, exitUsage, answer{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var out, talk bytes.Buffer
			code := run(t.Context(), tt.args, strings.NewReader(tt.in), &out, &talk, tt.check)
			if code != tt.code {
				t.Errorf("exit code %d, want %d", code, tt.code)
			}
			if code == exitUsage {
				if out.Len() > 0 || talk.Len() == 0 {
					t.Errorf("wrote %q, said %q, want words alone", &out, &talk)
				}
				return
			}
			sum := sha256.Sum256([]byte(tt.in))
			tt.want.SchemaVersion, tt.want.Kind, tt.want.Digest = "1", kindNpm, "sha512:"+strings.Repeat("a", 128)
			tt.want.Request = "sha256:" + hex.EncodeToString(sum[:])
			want, err := json.Marshal(members(tt.want))
			if err != nil {
				t.Fatal(err)
			}
			var got map[string]any
			if err := json.Unmarshal(out.Bytes(), &got); err != nil {
				t.Fatal(err)
			}
			if again, _ := json.Marshal(got); !bytes.Equal(again, want) {
				t.Errorf("answer\n%s, want\n%s", again, want)
			}
		})
	}
}

// members are those that the answer must have.
func members(a answer) map[string]any {
	m := map[string]any{
		"schema_version": a.SchemaVersion, "verdict": a.Verdict, "kind": a.Kind, "digest": a.Digest, "request": a.Request,
		"builder_id": a.BuilderID, "reason": a.Reason, "message": a.Message,
	}
	maps.DeleteFunc(m, func(_ string, v any) bool { return v == "" })
	if a.Statement != nil {
		m["statement"] = a.Statement
	}
	return m
}

// A library that does not come back is left behind.
func TestDecideIsBounded(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	release := make(chan struct{})
	defer close(release)
	a := decide(ctx, request{}, func(context.Context, request) (finding, error) {
		cancel()
		<-release
		return finding{statement: []byte("late")}, nil
	})
	if a.Verdict != verdictUndecided || a.Reason != reasonTimeout {
		t.Errorf("%+v, want undecided: timeout", a)
	}
}

type brokenPipe struct{}

func (brokenPipe) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

func TestRunWithoutListener(t *testing.T) {
	check := answers(finding{statement: []byte("{}")}, nil)
	if code := run(t.Context(), nil, strings.NewReader(npmQuestion), brokenPipe{}, io.Discard, check); code != exitUndecided {
		t.Errorf("exit code %d, want %d: nobody heard the verdict", code, exitUndecided)
	}
}

func TestPrepare(t *testing.T) {
	old := os.Stdout
	defer func() { os.Stdout = old }()
	t.Setenv("SLSA_VERIFIER_TESTING", "1")
	if out := prepare(); out != old || os.Stdout != os.Stderr || options.TestingEnabled() {
		t.Errorf("the library prints into the answer, or trusts branches: %t", options.TestingEnabled())
	}
}

func TestFoundWantsABuilder(t *testing.T) {
	if f, err := found([]byte("{}"), nil, nil); err == nil {
		t.Errorf("%+v passes", f)
	}
}

func TestNpmPairIsBounded(t *testing.T) {
	many := `{"attestations":[{}` + strings.Repeat(",{}", maxAttestations) + `]}`
	if _, _, err := npmPair([]byte(many)); !errors.Is(err, errNpmAttestations) || !strings.Contains(err.Error(), "at most") {
		t.Errorf("%v", err)
	}
}

func TestForgetSwitches(t *testing.T) {
	var gone []string
	forgetSwitches([]string{"SLSA_VERIFIER_TESTING=1", "PATH=/bin", "sigstore_no_cache=1", "TUF_ROOT=/x", "HOME=/root", "=C:=x", "COSIGN_X"},
		func(name string) error { gone = append(gone, name); return nil })
	if want := []string{"SLSA_VERIFIER_TESTING", "sigstore_no_cache", "TUF_ROOT", "COSIGN_X"}; !slices.Equal(gone, want) {
		t.Errorf("forgot %q, want %q", gone, want)
	}
}

// TestProcess runs the program as a process without a network: what needs TUF is
// undecided, and soon; a VSA is decided.
func TestProcess(t *testing.T) {
	npm := request{
		SchemaVersion: "1", Kind: kindNpm, Digest: "sha512:" + strings.Repeat("a", 128), Provenance: []byte("{}"),
		SourceURI: "git+https://github.com/acme/tools", BuilderID: "https://github.com/actions/runner/github-hosted",
		Package: &npmPackage{Name: "a", Version: "1"},
	}
	artifact, attestation := npm, npm
	artifact.Kind, artifact.Digest, artifact.Package = kindArtifact, "sha256:"+strings.Repeat("a", 64), nil
	attestation.Kind, attestation.Digest, attestation.Package = kindGitHub, artifact.Digest, nil
	for _, tt := range []struct {
		r               request
		code            int
		verdict, reason string
	}{
		{npm, exitUndecided, verdictUndecided, reasonTrustedRoot},
		{artifact, exitUndecided, verdictUndecided, reasonTrustedRoot},
		{attestation, exitUndecided, verdictUndecided, reasonTrustedRoot},
		{vsaRequest(t, "es256"), exitVerdict, verdictPass, ""},
	} {
		t.Run(tt.r.Kind, func(t *testing.T) {
			in, err := json.Marshal(tt.r)
			if err != nil {
				t.Fatal(err)
			}
			// A proxy that nobody listens at stands for a network that is not there,
			// also where there is one.
			const nobody = "http://127.0.0.1:1"
			cmd := exec.CommandContext(t.Context(), os.Args[0])
			cmd.Env = []string{"MCP_INTEGRITY_SLSA_TEST_RUN=1", "HOME=" + t.TempDir(), "HTTPS_PROXY=" + nobody, "HTTP_PROXY=" + nobody}
			cmd.Stdin = bytes.NewReader(in)
			began := time.Now()
			out, err := cmd.Output()
			var exit *exec.ExitError
			if err != nil && !errors.As(err, &exit) {
				t.Fatal(err)
			}
			if took := time.Since(began); took > 30*time.Second {
				t.Errorf("took %s", took)
			}
			var a answer
			if err := json.Unmarshal(out, &a); err != nil {
				t.Fatalf("%s: %v", out, err)
			}
			if code := cmd.ProcessState.ExitCode(); code != tt.code || a.Verdict != tt.verdict || a.Reason != tt.reason {
				t.Errorf("exit code %d, %s %s (%s), want %d, %s %s", code, a.Verdict, a.Reason, a.Message, tt.code, tt.verdict, tt.reason)
			}
		})
	}
}
