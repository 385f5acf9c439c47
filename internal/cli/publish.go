package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"

	"github.com/mcp-integrity/seal-action/internal/keys"
	"github.com/mcp-integrity/seal-action/internal/publish"
	"github.com/mcp-integrity/seal-action/lineage"
	"github.com/mcp-integrity/seal-action/seal"
	"github.com/mcp-integrity/seal-action/seal/fingerprint"
	"github.com/mcp-integrity/seal-action/verify"
)

// placeReport is how one place stands, for reports.
type placeReport struct {
	publish.Receipt
	// Error says why the release does not stand there; "" where it does.
	Error string `json:"error,omitzero"`
	Hint  string `json:"hint,omitzero"`
}

// publishTo puts a release into every place, one after the other, and says of
// each how it stands. A place that fails does not keep the others from theirs,
// and undoes none; the error is the worst of all.
func (i *invocation) publishTo(ctx context.Context, places []publish.Place, s publish.Sealed) ([]placeReport, error) {
	// A place that only points to the manifest comes when it can be fetched.
	pointers := func(p publish.Place) int {
		if strings.HasPrefix(p.String(), "mcp-registry") {
			return 1
		}
		return 0
	}
	places = slices.Clone(places)
	slices.SortStableFunc(places, func(a, b publish.Place) int { return pointers(a) - pointers(b) })
	s.URL = i.str("manifest-url")
	var reports []placeReport
	var worst *exitError
	for _, p := range places {
		receipt, err := p.Publish(ctx, s)
		receipt.Place = p.String()
		report := placeReport{Receipt: receipt}
		if err != nil {
			exit := placeError(err)
			report.State, report.Error, report.Hint = "", err.Error(), exit.hint
			if worst == nil || exit.code < worst.code {
				worst = exit
			}
		}
		if s.URL == "" && err == nil && fetchable(receipt.URL) {
			s.URL = receipt.URL
		}
		reports = append(reports, report)
	}
	if worst == nil {
		return reports, nil
	}
	failed := slices.DeleteFunc(slices.Clone(reports), func(r placeReport) bool { return r.Error == "" })
	return reports, (&exitError{code: worst.code, err: fmt.Errorf("%d of %d targets failed; what stands stays, and it is safe to run this again", len(failed), len(reports))}).
		withHint("%s", worst.hint)
}

// published are the lines about places, for eyes.
func (p *page) published(reports []placeReport) {
	for _, r := range reports {
		if r.Error != "" {
			p.line("FAILED     %s: %s", r.Place, r.Error)
			if r.Hint != "" {
				p.line("           hint: %s", r.Hint)
			}
			continue
		}
		line := string(r.State) + " at " + r.Place
		if r.URL != "" && r.URL != r.Place {
			line += ": " + r.URL
		}
		p.line("published  %s", line)
		for _, n := range r.Notes {
			p.line("           %s", n)
		}
	}
}

// publishReport is what publish says in JSON.
type publishReport struct {
	SchemaVersion string       `json:"schema_version"`
	Outcome       seal.Outcome `json:"outcome"`
	Manifest      string       `json:"manifest"`
	PayloadDigest string       `json:"payload_digest"`
	ServerName    string       `json:"server_name"`
	ServerVersion string       `json:"server_version"`
	// Published is how every target stands.
	Published []placeReport `json:"published"`
}

// runPublish publishes a release that was sealed before.
func runPublish(ctx context.Context, inv *invocation) error {
	path := inv.args[0]
	if len(inv.list("to")) == 0 {
		return usagef("no target is given").withHint("--to github-release, --to oci://REFERENCE, --to dir:PATH; see mcp-integrity publish --help")
	}
	env := inv.placeEnv(path)
	if _, err := openPlaces("to", inv.list("to"), env); err != nil {
		return err
	}
	sealed, err := inv.readSealed(ctx, path)
	if err != nil {
		return err
	}
	env.Version, env.ServerID = lineage.VersionOf(sealed.Manifest), serverID("", sealed.Manifest)
	places, err := openPlaces("to", inv.list("to"), env)
	if err != nil {
		return err
	}
	for _, p := range places {
		if err := p.Check(ctx); err != nil {
			return placeError(err)
		}
	}
	reports, failed := inv.publishTo(ctx, places, sealed)
	rep := publishReport{
		SchemaVersion: verify.SchemaVersion, Outcome: seal.Pass, Manifest: path, PayloadDigest: string(sealed.Payload),
		ServerName: sealed.Manifest.Server.Name, ServerVersion: sealed.Manifest.Server.Version, Published: reports,
	}
	if failed != nil {
		rep.Outcome = outcomeOf(failed)
	}
	data, err := renderPublish(inv.str("format"), rep)
	if err == nil {
		err = inv.print(inv.str("output-file"), data)
	}
	return errors.Join(failed, err)
}

func renderPublish(format string, rep publishReport) ([]byte, error) {
	if format == "json" {
		return renderJSON(rep)
	}
	p := &page{}
	p.line("release    %s %s, %s", rep.ServerName, orDash(rep.ServerVersion), rep.PayloadDigest)
	p.published(rep.Published)
	return p.Bytes(), nil
}

// outcomeOf is the verdict that goes with an exit code.
func outcomeOf(err error) seal.Outcome {
	var exit *exitError
	if errors.As(err, &exit) && exit.code == ExitFails {
		return seal.Fail
	}
	return seal.Undecided
}

// readSealed reads a release from its files, and has our own verifier accept it:
// what is published is what a consumer would take (rule 3 of the house).
func (i *invocation) readSealed(ctx context.Context, path string) (publish.Sealed, error) {
	var s publish.Sealed
	var err error
	if s.Envelope, err = readFile(path, seal.MaxEnvelopeSize); err != nil {
		return s, err
	}
	if err := notManifest(s.Envelope, path); err != nil {
		return s, err
	}
	v, err := i.publisherVerifier(ctx)
	if err != nil {
		return s, err
	}
	if beside := sibling(path, interfaceSuffix); isRegular(beside) {
		if s.Snapshot, err = readFile(beside, fingerprint.MaxSnapshotSize); err != nil {
			return s, err
		}
		snap, err := fingerprint.ParseSnapshot(s.Snapshot)
		if err != nil {
			return s, failsf("%s: %w", beside, err)
		}
		v.Server = seen{view{snapshot: snap}}
	}
	source := &builds{inv: i, sigstore: v.sigstore, beside: sibling(path, provenanceSuffix), offline: true}
	if isRegular(source.beside) {
		v.Provenance = source
	}
	if err := v.prepare(ctx, s.Envelope); err != nil {
		return s, err
	}
	result := v.Verify(ctx, s.Envelope)
	if len(result.Errors) > 0 {
		e := result.Errors[0]
		err := failsf("%s is not published: our own verifier refuses it: %s: %s", path, e.Name, e.Message)
		if e.Code == seal.CodeSignatureKeyNotFound {
			err = err.withHint("--key FILE|local or --jwks FILE|URL names the publisher's key")
		}
		return s, err
	}
	s.Provenance = source.data
	return s, i.describeSealed(&s, result, v.ring.public)
}

// publisherVerifier verifies as a consumer to whom any publisher is right whose
// key is given, or whose certificate holds.
func (i *invocation) publisherVerifier(ctx context.Context) (*verifier, error) {
	ring, err := i.publisherKeys(ctx)
	if err != nil {
		return nil, err
	}
	v := &verifier{ring: ring}
	if v.sigstore, err = sigstoreOf(i); err != nil {
		return nil, err
	}
	v.Verifier = verify.Verifier{
		Keys: authenticator{
			sigstore: v.sigstore, keys: ring.seal(), documents: ring.documents,
		},
		IdentityExpected: true, Policy: seal.DefaultPolicy, Now: i.Now,
	}
	return v, nil
}

// describeSealed fills in what places need to know of a release that was
// verified.
func (i *invocation) describeSealed(s *publish.Sealed, r *verify.Result, public []keys.PublicKey) error {
	e, err := seal.ParseEnvelope(s.Envelope)
	if err != nil {
		return failsf("%w", err)
	}
	if s.Manifest, err = seal.ParseManifest(e.Payload); err != nil {
		return failsf("%w", err)
	}
	s.Payload, s.Signer = e.PayloadDigest(digest.SHA256), r.Publisher.KeyID
	if c := r.Publisher.Certificate; c != nil {
		s.Signer = c.SAN
	}
	if len(public) > 0 {
		s.Keys, err = keyDocument(public, e)
	}
	return err
}

// keyDocument is the JWKS document of the keys that signed, of those at hand.
func keyDocument(public []keys.PublicKey, e *seal.Envelope) ([]byte, error) {
	var signed []keys.PublicKey
	for _, k := range public {
		if slices.ContainsFunc(e.Signatures, func(s seal.Signature) bool { return s.KeyID == k.KeyID }) {
			signed = append(signed, k)
		}
	}
	if len(signed) == 0 {
		return nil, nil
	}
	set, err := keys.NewSet(signed...)
	if err != nil {
		return nil, failsf("%w", err)
	}
	data, err := set.Marshal()
	if err != nil {
		return nil, failsf("%w", err)
	}
	return append(bytes.TrimRight(data, "\n"), '\n'), nil
}
