package publish

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"github.com/opencontainers/go-digest"

	"github.com/mcp-integrity/seal-action/lineage"
	"github.com/mcp-integrity/seal-action/seal"
	"github.com/mcp-integrity/seal-action/verify"
)

// turn is how a release that is being published stands to the newest one that is
// at a place.
type turn int

const (
	// takesOver: nothing stands there, or what it follows.
	takesOver turn = iota
	// sameRelease: its payload stands there.
	sameRelease
	// outdated: what stands there follows it.
	outdated
)

// finder returns the envelope of a release at a place, by its payload's digest;
// the error wraps [verify.ErrNoRelease] where there is none.
type finder func(payload digest.Digest) ([]byte, error)

// turnOf says whether next may become the newest release at a place where
// standing is the newest, nil where there is none: where standing is an ancestor
// of next by their links, or older than next and next says that it starts the
// chain anew. All else is an error that wraps [ErrConflict] and names both; what
// stands there is believed nothing that would let it be replaced by another
// server's release, or by an older one.
func turnOf(standing []byte, next Sealed, find finder) (turn, error) {
	if standing == nil {
		return takesOver, nil
	}
	m, payload, err := manifestOf(standing)
	if err != nil {
		return 0, fmt.Errorf("%w: it is no sealed manifest: %w", ErrConflict, err)
	}
	if payload == next.Payload {
		return sameRelease, nil
	}
	if a, b := m.Server, next.Manifest.Server; a.Publisher.Namespace != b.Publisher.Namespace || a.Name != b.Name {
		return 0, fmt.Errorf("%w: a release of %.100q by %.100q, and this is one of %.100q by %.100q", ErrConflict, a.Name, a.Publisher.Namespace, b.Name, b.Publisher.Namespace)
	}
	switch follows, err := descends(next.Manifest, standing, find); {
	case err != nil:
		return 0, err
	case follows, rerootOf(next.Envelope) != "" && !next.Manifest.IssuedAt.Before(m.IssuedAt.Time):
		return takesOver, nil
	}
	switch precedes, err := descends(m, next.Envelope, find); {
	case err != nil:
		return 0, err
	case precedes:
		return outdated, nil
	}
	return 0, fmt.Errorf("%w: release %.100q (payload %s, of %s), which release %.100q (of %s) does not follow: %s", ErrConflict,
		lineage.VersionOf(m), payload, m.IssuedAt.Format(timeLayout), lineage.VersionOf(next.Manifest), next.Manifest.IssuedAt.Format(timeLayout), linkInWords(next.Manifest))
}

// timeLayout is how times are shown to people.
const timeLayout = "2006-01-02 15:04:05Z07:00"

func linkInWords(m *seal.Manifest) string {
	if link := linkOf(m); link != "" {
		return "it names " + link.String() + " as its predecessor"
	}
	return "it names no predecessor"
}

// descends says whether the links of m lead to ancestor, as far as find has what
// lies between.
func descends(m *seal.Manifest, ancestor []byte, find finder) (bool, error) {
	for range maxIndexEntries {
		link := linkOf(m)
		if link == "" {
			return false, nil
		}
		if hasPayload(ancestor, link) {
			return true, nil
		}
		envelope, err := find(link)
		if errors.Is(err, verify.ErrNoRelease) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		if !hasPayload(envelope, link) {
			return false, nil
		}
		if m, _, err = manifestOf(envelope); err != nil {
			return false, nil // its successor was signed over bytes that are no manifest
		}
	}
	return false, nil
}

// rerootOf is the reason why the publisher starts the chain anew, "" where it
// does not. The envelope is our own, which our verifier accepted.
func rerootOf(envelope []byte) string {
	e, err := seal.ParseEnvelope(envelope)
	if err != nil {
		return ""
	}
	for _, sig := range e.Signatures {
		if s, err := statementOf(sig, e.Payload); err == nil && s.Role == seal.RolePublisher && s.Reroot != "" {
			return s.Reroot
		}
	}
	return ""
}

// statementOf is what a signature's statement says, unverified.
func statementOf(sig seal.Signature, payload []byte) (seal.Statement, error) {
	signed, err := seal.StatementOf(sig)
	if err != nil || signed == nil {
		return seal.Statement{}, errors.Join(err, errors.New("there is no statement"))
	}
	text, err := seal.StatementPayload(signed)
	if err != nil {
		return seal.Statement{}, err
	}
	return seal.ParseStatement(text, payload)
}

// choice says which of two envelopes around one payload is to stand.
type choice int

const (
	// keepSame: the one that stands there has every attestation of the other.
	keepSame choice = iota
	// replace: the one that comes has every attestation by others.
	replace
	// keepOthers: the one that stands there has an attestation by a registry,
	// scanner or auditor that the one that comes would lose.
	keepOthers
)

// chooseEnvelope compares the envelopes around one payload. A publisher's
// signature may be replaced by its newer one, as when a job runs again with
// another short-lived key; that of somebody else is not ours to drop.
func chooseEnvelope(standing, next []byte) choice {
	if bytes.Equal(standing, next) {
		return keepSame
	}
	a, errA := seal.ParseEnvelope(standing)
	b, errB := seal.ParseEnvelope(next)
	if errA != nil || errB != nil {
		return replace
	}
	has := func(e *seal.Envelope, s seal.Signature) bool {
		return slices.ContainsFunc(e.Signatures, func(o seal.Signature) bool {
			return s.KeyID == o.KeyID && s.Role == o.Role && s.Type == o.Type && bytes.Equal(s.Sig, o.Sig) && bytes.Equal(s.Details, o.Details)
		})
	}
	if !slices.ContainsFunc(b.Signatures, func(s seal.Signature) bool { return !has(a, s) }) {
		return keepSame
	}
	lost := func(s seal.Signature) bool { return s.Role != "" && s.Role != seal.RolePublisher && !has(b, s) }
	if slices.ContainsFunc(a.Signatures, lost) {
		return keepOthers
	}
	return replace
}
