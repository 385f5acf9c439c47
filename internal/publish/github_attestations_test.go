package publish

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"

	"github.com/mcp-integrity/seal-action/seal"
	"github.com/mcp-integrity/seal-action/verify"
)

func TestGitHubAttestations(t *testing.T) {
	f := newFakeGitHub(t)
	s := githubKeyless(t, "github")
	p := f.open("github-attestations", f.env())
	if err := p.Check(t.Context()); err != nil || len(f.attestations) != 0 {
		t.Fatalf("Check: %v, and %d attestations", err, len(f.attestations))
	}
	receipt, err := p.Publish(t.Context(), s)
	if err != nil {
		t.Fatalf("%v (hint: %s)", err, githubHintOf(err))
	}
	if receipt.State != Published || len(f.attestations) != 2 || receipt.Notes != nil {
		t.Errorf("got %+v, and %d attestations, want 2", receipt, len(f.attestations))
	}
	build, err := readGitHubBundle("", f.attestations[0])
	if err != nil || receipt.URL != f.srv.URL+"/repos/acme/file-tools/attestations/"+string(build.subject) {
		t.Errorf("got provenance at %s of %s, %v", receipt.URL, build.subject, err)
	}
	// The publisher's statement is found by the manifest's payload.
	if st, err := readGitHubBundle("", f.attestations[1]); err != nil || st.subject != s.Payload {
		t.Errorf("got a statement about %s, %v, want %s", st.subject, err, s.Payload)
	}
	if receipt, err := p.Publish(t.Context(), s); err != nil || receipt.State != AlreadyThere || len(f.attestations) != 2 {
		t.Errorf("again: got %+v, %v, and %d attestations", receipt, err, len(f.attestations))
	}
	f.attestations = f.attestations[1:]
	if receipt, err := p.Publish(t.Context(), s); err != nil || receipt.State != Completed || len(f.attestations) != 2 {
		t.Errorf("completed: got %+v, %v, and %d attestations", receipt, err, len(f.attestations))
	}
}

// Ours is found among others of the same artifact, page by page.
func TestGitHubAttestationsAmongOthers(t *testing.T) {
	f := newFakeGitHub(t)
	s := githubKeyless(t, "github")
	for _, name := range []string{"schedule", "self-hosted", "fork", "github"} {
		o := githubKeyless(t, name)
		f.attestations = append(f.attestations, o.Provenance)
	}
	before := len(f.attestations)
	receipt, err := f.open("github-attestations", f.env()).Publish(t.Context(), s)
	if err != nil || receipt.State != Completed || len(f.attestations) != before+1 {
		t.Errorf("got %+v, %v, and %d new attestations, want the statement's", receipt, err, len(f.attestations)-before)
	}
	pages := 0
	for _, a := range f.asked {
		if b, err := readGitHubBundle("", s.Provenance); err == nil && a == "GET /repos/acme/file-tools/attestations/"+string(b.subject) {
			pages++
		}
	}
	if pages < 2 {
		t.Errorf("looked at %d pages, want more", pages)
	}
}

func TestGitHubAttestationsRefuses(t *testing.T) {
	signed := githubKeyless(t, "github")
	keyed := githubSealed(t, 1)
	with := func(provenance string) Sealed { s := signed; s.Provenance = []byte(provenance); return s }
	const private = "Feature not available for user-owned private repositories. To enable this feature, please make this repository public."
	for _, tt := range []struct {
		name      string
		sealed    Sealed
		before    func(*fakeGitHub)
		err, hint string
	}{
		{"what a key signed", Sealed{Release: Release{Envelope: keyed.Envelope}}, nil, "signed by a key", "seal with --keyless"},
		{"provenance that a key signed", keyed, nil, "no Sigstore bundle", "seal with --keyless"},
		{"a bundle with a key", with(`{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","verificationMaterial":{"publicKey":{"hint":"k"}}}`), nil, "no certificate", "seal with --keyless"},
		{"a bundle with nothing signed", with(`{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","verificationMaterial":{"certificate":{}}}`), nil, "build provenance", ""},
		{"no envelope", Sealed{Release: Release{Envelope: []byte("{}")}}, nil, "read what was signed", ""},
		{"a token that may read", signed, func(f *fakeGitHub) { f.readOnly = true }, "HTTP 403", "permissions: attestations: write"},
		{"a private repository", signed, func(f *fakeGitHub) { f.closed = private }, "HTTP 403", "make the repository public"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := newFakeGitHub(t)
			if tt.before != nil {
				tt.before(f)
				if err := f.open("github-attestations", f.env()).Check(t.Context()); err == nil || !strings.Contains(githubHintOf(err), tt.hint) {
					t.Errorf("Check: got %v with hint %q, want %q", err, githubHintOf(err), tt.hint)
				}
			}
			_, err := f.open("github-attestations", f.env()).Publish(t.Context(), tt.sealed)
			if err == nil || !strings.Contains(err.Error(), tt.err) || !strings.Contains(githubHintOf(err), tt.hint) {
				t.Errorf("got %v with hint %q, want %q with %q", err, githubHintOf(err), tt.err, tt.hint)
			}
			if len(f.attestations) != 0 {
				t.Errorf("%d attestations were stored", len(f.attestations))
			}
		})
	}
}

// The statement that is stored is the publisher's: others publish their own.
func TestGitHubAttestationsOfOthers(t *testing.T) {
	s := githubKeyless(t, "github")
	e, err := seal.ParseEnvelope(s.Envelope)
	if err != nil {
		t.Fatal(err)
	}
	for i := range e.Signatures {
		e.Signatures[i].Role = seal.RoleScanner
	}
	if s.Envelope, err = e.Marshal(); err != nil {
		t.Fatal(err)
	}
	f := newFakeGitHub(t)
	if _, err := f.open("github-attestations", f.env()).Publish(t.Context(), s); err != nil || len(f.attestations) != 1 {
		t.Errorf("got %v, and %d attestations, want the provenance alone", err, len(f.attestations))
	}
}

func TestGitHubAttestationsAsSource(t *testing.T) {
	f := newFakeGitHub(t)
	p := f.open("github-attestations", f.env())
	_, latest := p.Latest(t.Context())
	_, find := p.Find(t.Context(), digest.FromString("x"))
	for _, err := range []error{latest, find} {
		if !errors.Is(err, verify.ErrNoRelease) || !errors.Is(err, errors.ErrUnsupported) || githubHintOf(err) == "" {
			t.Errorf("got %v", err)
		}
	}
	for d, err := range p.List(t.Context()) {
		t.Errorf("List yields %s, %v", d, err)
	}
	if len(f.asked) != 0 {
		t.Errorf("asked %q", f.asked)
	}
}

func TestGitHubAttestationURI(t *testing.T) {
	p, err := Open("github-attestations:acme/file-tools", Env{Getenv: func(string) string { return "" }})
	if err != nil {
		t.Fatal(err)
	}
	d := digest.FromString("the artifact")
	for _, tt := range []struct {
		coming Coming
		want   string
	}{
		{Coming{Provenance: true, Artifact: &seal.Artifact{Digest: d}}, "https://api.github.com/repos/acme/file-tools/attestations/" + string(d)},
		{Coming{Provenance: true, Artifact: &seal.Artifact{Digest: digest.SHA512.FromString("x")}}, ""},
		{Coming{Provenance: true}, ""},
		{Coming{Artifact: &seal.Artifact{Digest: d}}, ""},
	} {
		if got, err := p.AttestationURI(tt.coming); got != tt.want || err != nil {
			t.Errorf("%+v: got %q, %v, want %q", tt.coming, got, err, tt.want)
		}
	}
}

func TestGitHubCursor(t *testing.T) {
	for link, want := range map[string][]string{
		`<https://api.github.com/x?per_page=1&after=Y3Vyc29yOjI%3D>; rel="next"`:                                       {"Y3Vyc29yOjI%3D"},
		`<https://api.github.com/x?after=abc&per_page=1>; rel="next", <https://api.github.com/x?before=x>; rel="prev"`: {"abc"},
		`<https://api.github.com/x?before=abc>; rel="prev"`:                                                            nil,
		`<https://api.github.com/x?after=abc>; rel="prev"`:                                                             nil,
		``: nil,
		`<https://api.github.com/x?after=` + strings.Repeat("a", 400) + `>; rel="next"`: nil,
	} {
		var got []string
		if m := githubNext.FindStringSubmatch(link); m != nil {
			got = m[1:]
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%.100s (-want +got):\n%s", link, diff)
		}
	}
}

func FuzzGitHubBundle(f *testing.F) {
	s := githubKeyless(f, "github")
	f.Add(s.Provenance)
	f.Add([]byte("{}"))
	f.Add([]byte(`{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","verificationMaterial":{"certificate":{}},"dsseEnvelope":{"payload":"e30="}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		b, err := readGitHubBundle("", data)
		if err == nil && (b.subject.Validate() != nil || b.subject.Algorithm() != digest.SHA256) {
			t.Errorf("got subject %q", b.subject)
		}
	})
}
