package publish

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"regexp"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/opencontainers/go-digest"

	"github.com/mcp-integrity/seal-action/provenance"
	"github.com/mcp-integrity/seal-action/seal"
	"github.com/mcp-integrity/seal-action/seal/strictjson"
	"github.com/mcp-integrity/seal-action/verify"
)

const needAttestations = "attestations: write"

const (
	// maxGitHubAttestations is how many statements of one artifact are looked
	// through for ours: a thousand reruns of one build.
	maxGitHubAttestations = 1000
	// maxStatementSubjects is what GitHub takes in one statement.
	maxStatementSubjects = 1024
)

// githubHintAttestations says who has the store (docs.github.com, Using artifact
// attestations to establish provenance for builds).
const githubHintAttestations = "GitHub keeps attestations of public repositories, and of private ones of GitHub Enterprise Cloud alone: make the repository public, or leave github-attestations out and publish to github-release"

// githubAttestations is the attestation store of a repository: the build
// provenance by the artifact's digest, where `gh attestation verify` looks for it,
// and the publisher's statement by the digest of the manifest's payload. It keeps
// statements, and no manifests: as a source it has nothing.
//
// The store takes Sigstore bundles with a certificate, and checks them itself when
// they come. What a key signed has none.
type githubAttestations struct{ *github }

func openGitHubAttestations(rest string, env Env) (Place, error) {
	g, t, err := newGitHub("github-attestations", rest, env)
	if err != nil {
		return nil, err
	}
	if t.named {
		return nil, fmt.Errorf("target %.200q: want no @TAG: attestations are found by digest", g.place)
	}
	return &githubAttestations{g}, nil
}

// String implements [Place].
func (p *githubAttestations) String() string { return p.place }

// Check implements [Place].
func (p *githubAttestations) Check(ctx context.Context) error {
	if _, err := p.preflight(ctx, needAttestations); err != nil {
		return err
	}
	// Without its bundle a request is refused whoever asks (422), but whom the
	// store is closed to is told so first.
	_, err := p.ask(ctx, p.create("check the permission to write"), struct{}{}, nil)
	var refused *Error
	switch githubStatus(err) {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound:
		return err
	case http.StatusUnprocessableEntity:
		if errors.As(err, &refused) && refused.Hint == githubHintAttestations {
			return err
		}
	}
	return nil
}

func (p *githubAttestations) create(op string) githubCall {
	return githubCall{op: op, need: needAttestations, method: http.MethodPost, url: "/attestations"}
}

// AttestationURI implements [Place]. Only of an artifact with a SHA-256 does the
// store keep provenance.
func (p *githubAttestations) AttestationURI(c Coming) (string, error) {
	if !c.Provenance || c.Artifact == nil || c.Artifact.Digest.Validate() != nil || c.Artifact.Digest.Algorithm() != digest.SHA256 {
		return "", nil
	}
	return provenance.AttestationURI(provenance.Target{
		Kind: provenance.GitHubAttestations, Server: p.server.String(), Repository: p.repo, Digest: c.Artifact.Digest,
	})
}

// githubBundle is a Sigstore bundle, as far as it decides where it lies.
type githubBundle struct {
	raw []byte
	// what it is, for people.
	what string
	// subject is the digest by which it is found; payload is what is signed.
	subject digest.Digest
	payload []byte
}

// Publish implements [Place].
func (p *githubAttestations) Publish(ctx context.Context, s Sealed) (Receipt, error) {
	bundles, err := p.bundles(s)
	if err != nil {
		return Receipt{}, err
	}
	stored := 0
	for _, b := range bundles {
		there, err := p.has(ctx, b)
		if err != nil {
			return Receipt{}, err
		}
		if there {
			continue
		}
		if err := p.store(ctx, b); err != nil {
			return Receipt{}, err
		}
		stored++
	}
	out := Receipt{Place: p.place, State: Published, URL: p.listURL(bundles[0].subject)}
	switch {
	case stored == 0:
		out.State = AlreadyThere
	case stored < len(bundles):
		out.State = Completed
	}
	if s.Provenance == nil {
		out.Notes = append(out.Notes, "there is no build provenance: `gh attestation verify` finds the manifest's statement alone")
	}
	return out, nil
}

func (p *githubAttestations) listURL(subject digest.Digest) string {
	return p.api.String() + "/repos/" + p.repo + "/attestations/" + string(subject)
}

// bundles are the provenance's, and those of the publisher's statements.
func (p *githubAttestations) bundles(s Sealed) ([]githubBundle, error) {
	c := githubCall{op: "read what was signed"}
	e, err := seal.ParseEnvelope(s.Envelope)
	if err != nil {
		return nil, p.fail(c, 0, "", "%w", err)
	}
	var out []githubBundle
	if s.Provenance != nil {
		b, err := readGitHubBundle("build provenance", s.Provenance)
		if err != nil {
			return nil, &Error{Place: p.place, Op: c.op, Err: fmt.Errorf("build provenance: %w", err), Hint: "the store takes what was signed with a certificate: seal with --keyless"}
		}
		out = append(out, b)
	}
	for _, sig := range e.Signatures {
		statement, err := seal.StatementOf(sig)
		if err != nil || sig.Role != seal.RolePublisher || !seal.IsBundle(statement) {
			continue
		}
		b, err := readGitHubBundle("publisher's statement", statement)
		if err != nil {
			return nil, p.fail(c, 0, "", "publisher's statement: %w", err)
		}
		out = append(out, b)
	}
	if len(out) == 0 {
		return nil, &Error{
			Place: p.place, Op: c.op, Err: errors.New("the release was signed by a key, and the store takes what was signed with a certificate"),
			Hint: "seal with --keyless (and permissions: id-token: write), or leave github-attestations out",
		}
	}
	return out, nil
}

// readGitHubBundle reads a bundle that our own verifier accepted.
func readGitHubBundle(what string, raw []byte) (githubBundle, error) {
	b := githubBundle{raw: raw, what: what}
	var wire struct {
		Material struct {
			Certificate jsontext.Value `json:"certificate"`
			Chain       jsontext.Value `json:"x509CertificateChain"`
		} `json:"verificationMaterial"`
	}
	if !seal.IsBundle(raw) {
		return b, errors.New("it is no Sigstore bundle")
	}
	if err := strictjson.UnmarshalOpen(raw, &wire); err != nil {
		return b, err
	}
	if wire.Material.Certificate == nil && wire.Material.Chain == nil {
		return b, errors.New("it has no certificate: a key signed it")
	}
	var err error
	if b.payload, err = seal.StatementPayload(raw); err != nil {
		return b, err
	}
	b.subject, err = subjectOf(b.payload)
	return b, err
}

// subjectOf is the digest of the first subject of a statement.
func subjectOf(statement []byte) (digest.Digest, error) {
	var st struct {
		Subject []struct {
			Digest map[string]string `json:"digest"`
		} `json:"subject"`
	}
	if err := strictjson.UnmarshalOpen(statement, &st); err != nil {
		return "", err
	}
	if n := len(st.Subject); n == 0 || n > maxStatementSubjects {
		return "", fmt.Errorf("subject: got %d, want 1 to %d", n, maxStatementSubjects)
	}
	d := digest.NewDigestFromEncoded(digest.SHA256, st.Subject[0].Digest["sha256"])
	if err := d.Validate(); err != nil {
		return "", fmt.Errorf("subject[0].digest.sha256: got %.100q, want 64 hex digits", d.Encoded())
	}
	return d, nil
}

// store posts one bundle. GitHub takes it twice, and shows it twice then: so a
// try that failed is looked for first.
func (p *githubAttestations) store(ctx context.Context, b githubBundle) error {
	c := p.create("store the " + b.what)
	in := struct {
		Bundle jsontext.Value `json:"bundle"`
	}{b.raw}
	return p.settle(ctx, func() error {
		var stored struct {
			ID int64 `json:"id"`
		}
		_, err := p.ask(ctx, c, in, &stored)
		return err
	}, func() (bool, error) { return p.has(ctx, b) })
}

// githubNext finds the cursor of the next page in a Link header.
var githubNext = regexp.MustCompile(`[?&]after=([A-Za-z0-9%=_+/-]{1,300})(?:&[^>]*)?>; rel="next"`)

// has looks for a bundle with this payload. Another signature of the same
// statement says nothing new.
func (p *githubAttestations) has(ctx context.Context, b githubBundle) (bool, error) {
	const perPage = 100
	c := githubCall{op: "look for the " + b.what, need: needAttestations, method: http.MethodGet}
	after := ""
	for range maxGitHubAttestations / perPage {
		var page struct {
			Attestations []struct {
				Bundle jsontext.Value `json:"bundle"`
			} `json:"attestations"`
		}
		c.url = "/attestations/" + string(b.subject) + "?per_page=" + strconv.Itoa(perPage) + after
		header, err := p.ask(ctx, c, nil, &page)
		// That there is none yet is a 404 here, though the repository is there.
		if githubStatus(err) == http.StatusNotFound {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		for _, a := range page.Attestations {
			if payload, err := seal.StatementPayload(a.Bundle); err == nil && string(payload) == string(b.payload) {
				return true, nil
			}
		}
		next := githubNext.FindStringSubmatch(header.Get("Link"))
		if next == nil {
			return false, nil
		}
		cursor, err := url.QueryUnescape(next[1])
		if err != nil {
			return false, nil
		}
		after = "&after=" + url.QueryEscape(cursor)
	}
	return false, nil
}

// Latest implements [Place]: the store has no manifests. The error wraps
// [errors.ErrUnsupported], too: that there is none here says nothing of whether
// there is a release.
func (p *githubAttestations) Latest(context.Context) (Release, error) {
	return Release{}, &Error{
		Place: p.place, Op: "find a sealed release",
		Err:  fmt.Errorf("%w: the attestation store keeps statements, no manifests (%w)", verify.ErrNoRelease, errors.ErrUnsupported),
		Hint: "name a place that keeps manifests, such as github-release, dir:PATH or oci://REFERENCE",
	}
}

// Find implements [Place].
func (p *githubAttestations) Find(ctx context.Context, _ digest.Digest) (Release, error) {
	return p.Latest(ctx)
}

// List implements [Place].
func (p *githubAttestations) List(context.Context) iter.Seq2[digest.Digest, error] {
	return func(func(digest.Digest, error) bool) {}
}
