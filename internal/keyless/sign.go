package keyless

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"sync"

	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	protocommon "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	protorekor "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	"github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/sign"
	"golang.org/x/sync/errgroup"

	"github.com/mcp-integrity/seal-action/seal"
)

const (
	bundleType = "application/vnd.dev.sigstore.bundle.v0.3+json"
	// maxConflicts is how often a statement is signed anew because the log has
	// that very entry: with ECDSA's random numbers once is already odd.
	maxConflicts = 3
)

// SignStatements signs in-toto statements under the session's key, side by
// side, and returns a Sigstore bundle v0.3 as JSON for each, in their order.
// Trust has verified every one.
//
// What is done stays done: after an error, a second call with the same
// statements asks only for what is missing, while the certificate lives. After
// [ErrExpired] nothing of this session can be used. Other errors are an
// [*Outage], a [*Refused], ctx's, or what Trust has against a bundle.
func (s *Session) SignStatements(ctx context.Context, statements ...[]byte) ([][]byte, error) {
	left := s.left()
	if left <= 0 {
		return nil, fmt.Errorf("keyless: %w", ErrExpired)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, left, ErrExpired)
	defer cancel()
	bundles := make([][]byte, len(statements))
	// Without a context of its own: an outage that stops one statement leaves
	// the others to come to their end, which is then kept.
	var group errgroup.Group
	for n, statement := range statements {
		group.Go(func() (err error) {
			bundles[n], err = s.signStatement(ctx, statement)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, fmt.Errorf("keyless: sign: %w", err)
	}
	return bundles, nil
}

// draft is a statement on its way to a bundle. Pieces that are there are kept.
type draft struct {
	mu       sync.Mutex // held by whoever completes it
	finished []byte     // the bundle, verified

	content   sign.DSSEData
	signature []byte
	stamps    [][]byte                           // one for each of Services.TSAs
	entries   []*protorekor.TransparencyLogEntry // one for each of Services.Logs
}

func (s *Session) draft(statement []byte) *draft {
	s.mu.Lock()
	defer s.mu.Unlock()
	id := sha256.Sum256(statement)
	d, ok := s.drafts[id]
	if !ok {
		d = &draft{content: sign.DSSEData{Data: slices.Clone(statement), PayloadType: seal.StatementPayloadType}}
		s.drafts[id] = d
	}
	return d
}

func (s *Session) signStatement(ctx context.Context, statement []byte) ([]byte, error) {
	d := s.draft(statement)
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.finished != nil {
		return d.finished, nil
	}
	for n := 1; ; n++ {
		err := s.complete(ctx, d)
		if err == nil {
			break
		}
		var exists *conflict
		if !errors.As(err, &exists) {
			return nil, err
		}
		if d.signature = nil; n == maxConflicts {
			return nil, &Outage{Service: exists.log, Attempts: n, Err: errors.New("it has an equivalent entry whatever is sent")}
		}
	}
	data, err := s.assemble(d)
	if err == nil {
		err = s.check(data, statement)
	}
	if err != nil {
		// A piece is bad, and nobody knows which: none is kept.
		d.signature = nil
		return nil, fmt.Errorf("our own check refuses what %s made: %w", s.services, err)
	}
	d.finished = data
	return data, nil
}

// complete gets the pieces that d lacks, all at the same time. After a
// *conflict d has to be signed anew.
func (s *Session) complete(ctx context.Context, d *draft) error {
	if d.signature == nil {
		sig, _, err := s.keypair.SignData(ctx, d.content.PreAuthEncoding())
		if err != nil {
			return err
		}
		d.signature = sig
		d.stamps = make([][]byte, len(s.services.TSAs))
		d.entries = make([]*protorekor.TransparencyLogEntry, len(s.services.Logs))
	}
	// One that fails ends the others: without all pieces there is no bundle, and
	// the pieces that came are kept.
	group, ctx := errgroup.WithContext(ctx)
	for n, tsa := range s.services.TSAs {
		if d.stamps[n] == nil {
			group.Go(func() (err error) {
				d.stamps[n], err = s.stamp(ctx, tsa, d.signature)
				return err
			})
		}
	}
	for n, log := range s.services.Logs {
		if d.entries[n] == nil {
			group.Go(func() (err error) {
				d.entries[n], err = s.enter(ctx, log, s.bundle(d))
				return err
			})
		}
	}
	return group.Wait()
}

// bundle is d without what proves its time.
func (s *Session) bundle(d *draft) *protobundle.Bundle {
	b := &protobundle.Bundle{
		MediaType: bundleType,
		VerificationMaterial: &protobundle.VerificationMaterial{Content: &protobundle.VerificationMaterial_Certificate{
			Certificate: &protocommon.X509Certificate{RawBytes: s.leaf.Raw},
		}},
	}
	d.content.Bundle(b, d.signature, nil, s.keypair.GetHashAlgorithm())
	return b
}

func (s *Session) assemble(d *draft) ([]byte, error) {
	b := s.bundle(d)
	b.VerificationMaterial.TlogEntries = d.entries
	if len(d.stamps) > 0 {
		stamps := &protobundle.TimestampVerificationData{}
		for _, stamp := range d.stamps {
			stamps.Rfc3161Timestamps = append(stamps.Rfc3161Timestamps, &protocommon.RFC3161SignedTimestamp{SignedTimestamp: stamp})
		}
		b.VerificationMaterial.TimestampVerificationData = stamps
	}
	checked, err := bundle.NewBundle(b)
	if err != nil {
		return nil, err
	}
	return checked.MarshalJSON()
}

// check verifies a bundle as everybody else will.
func (s *Session) check(data, statement []byte) error {
	v, err := s.trust.Verify(data)
	if err != nil {
		return err
	}
	if !bytes.Equal(v.Statement, statement) || v.Key.KeyID != s.public.KeyID {
		return errors.New("it proves another statement or another key")
	}
	return nil
}
