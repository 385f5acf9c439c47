package verify

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/mcp-integrity/seal-action/lineage"
	"github.com/mcp-integrity/seal-action/seal"
	"github.com/mcp-integrity/seal-action/seal/fingerprint"
)

// release is one release of the chain, or beside it, whose envelope was opened.
type release struct {
	digest   digest.Digest // of its payload, SHA-256
	manifest *seal.Manifest
	link     lineage.Link
	// signers are the publisher's attestations that hold, those that are expected
	// where the caller expects anybody; none where their keys are not known any
	// more.
	signers []seal.Attestation
	// reroot is the signed reason why a chain begins here, where there is no link.
	reroot string
	// tools are those of its interface snapshot; nil where it is not at hand.
	tools []fingerprint.Tool
	// doubt is why no signature was verified (decision 17).
	doubt error
}

// releaseOf is a release as its envelope was opened. An error says that its
// tools name no single predecessor.
func (r *run) releaseOf(o *seal.Opened, payload digest.Digest) (*release, error) {
	rel := &release{digest: payload, manifest: o.Manifest}
	for _, a := range o.Attestations {
		if a.Role != seal.RolePublisher || r.expected && a.Unexpected != nil {
			continue
		}
		rel.signers = append(rel.signers, a)
		if a.Bound && a.Statement.Reroot != "" && rel.reroot == "" {
			rel.reroot = a.Statement.Reroot
		}
	}
	var err error
	rel.link, err = lineage.LinkOf(o.Manifest)
	return rel, err
}

// refusal is why a release was not opened, or does not belong into the chain.
type refusal struct {
	code seal.Code
	err  error
}

func (e *refusal) Error() string { return e.err.Error() }

func (e *refusal) Unwrap() error { return e.err }

// openRelease opens the envelope of an ancestor, or of a release beside the
// chain. Its attestations may have expired since: its successors stand on it.
func (r *run) openRelease(ctx context.Context, e *seal.Envelope, payload digest.Digest) (*release, error) {
	keys := r.Keys
	if r.Ancestors != nil {
		keys = r.Ancestors
	}
	opened, err := e.Open(ctx, keys, seal.OpenOptions{Now: time.Time{}, AllowUnboundUnsafe: r.AllowUnboundUnsafe})
	if err != nil {
		return nil, err
	}
	rel, err := r.releaseOf(opened, payload)
	if err != nil {
		return nil, &refusal{seal.CodeChainBroken, err}
	}
	if len(rel.signers) == 0 {
		return nil, &refusal{seal.CodeChainPublisherChanged, unexpected(opened)}
	}
	return rel, nil
}

// unexpected is why nobody who signed was expected to.
func unexpected(o *seal.Opened) error {
	for _, a := range o.Attestations {
		if a.Role == seal.RolePublisher && a.Unexpected != nil {
			return fmt.Errorf("it is signed by %s: %w", signedBy(a), cause(a.Unexpected))
		}
	}
	return errors.New("no publisher attested it")
}

// openAncestor opens a release whose payload its successor names, and so vouches
// for: a key that cannot be found any more is no error (decision 17).
func (r *run) openAncestor(ctx context.Context, e *seal.Envelope, payload digest.Digest) (*release, error) {
	rel, err := r.openRelease(ctx, e, payload)
	if err == nil {
		return rel, nil
	}
	switch seal.CodeOf(err, seal.CodeChainBroken) {
	case seal.CodeSignatureKeyNotFound:
		m, bad := seal.ParseManifest(e.Payload)
		if bad != nil {
			return nil, bad
		}
		link, bad := lineage.LinkOf(m)
		if bad != nil {
			return nil, &refusal{seal.CodeChainBroken, bad}
		}
		return &release{digest: payload, manifest: m, link: link, doubt: cause(err)}, nil
	case seal.CodeIdentityMismatch:
		return nil, &refusal{seal.CodeChainPublisherChanged, cause(err)}
	}
	return nil, err
}

// codeOf is the code by which an ancestor that does not open is reported.
func codeOf(err error) seal.Code {
	var r *refusal
	if errors.As(err, &r) {
		return r.code
	}
	return seal.CodeOf(err, seal.CodeChainBroken)
}

// origin is whose release it is, and by whose trust: the key, or what of the
// certificate stays from release to release. What was verified under one trust is
// so not taken for another's. It is "" where nobody is known to have signed.
func (r *release) origin() string {
	if len(r.signers) == 0 {
		return ""
	}
	if c := r.signers[0].Certificate; c != nil {
		parts := []string{"certificate", c.Issuer, c.SourceRepositoryURI, c.SourceRepositoryID, c.SourceOwnerID}
		if c.SourceRepositoryURI == "" {
			parts = append(parts, c.SAN)
		}
		return quoted(parts)
	}
	return quoted([]string{"key", r.signers[0].Thumbprint, r.signers[0].KeyID})
}

// quoted joins parts so that no two lists give one text.
func quoted(parts []string) string {
	for i, p := range parts {
		parts[i] = fmt.Sprintf("%q", p)
	}
	return strings.Join(parts, " ")
}

// certificate is that of the first signer who has one.
func (r *release) certificate() *seal.Certificate {
	for _, a := range r.signers {
		if a.Certificate != nil {
			return a.Certificate
		}
	}
	return nil
}
