package keyless

import (
	"context"
	"crypto"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/digitorus/timestamp"
	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	protorekor "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	rekorv2 "github.com/sigstore/rekor-tiles/v2/pkg/generated/protobuf"
	rekorv1 "github.com/sigstore/rekor/pkg/generated/client/entries"
	"github.com/sigstore/rekor/pkg/generated/models"
	"github.com/sigstore/sigstore-go/pkg/sign"
	"github.com/sigstore/sigstore-go/pkg/tlog"
	"google.golang.org/protobuf/encoding/protojson"
)

// stamp gets an RFC 3161 timestamp of signature.
func (s *Session) stamp(ctx context.Context, tsa Service, signature []byte) ([]byte, error) {
	return try(ctx, s.caller, tsa, func(x *exchange) ([]byte, error) {
		client := sign.NewTimestampAuthority(&sign.TimestampAuthorityOptions{URL: tsa.URL, Timeout: -1, Transport: x})
		response, err := client.GetTimestamp(x.ctx, signature)
		if err != nil {
			return nil, err
		}
		return response, checkStamp(response, signature)
	})
}

// checkStamp checks that a timestamp is of signature. Whose it is, and what
// time it tells, is Trust's to check.
func checkStamp(response, signature []byte) error {
	stamp, err := timestamp.ParseResponse(response)
	if err != nil {
		return err
	}
	if sum := sha256.Sum256(signature); stamp.HashAlgorithm != crypto.SHA256 || string(stamp.HashedMessage) != string(sum[:]) {
		return wrong("its timestamp is of other bytes than were sent")
	}
	return nil
}

// enter puts what b holds into a log, and returns the entry with its proof.
func (s *Session) enter(ctx context.Context, log Service, b *protobundle.Bundle) (*protorekor.TransparencyLogEntry, error) {
	return try(ctx, s.caller, log, func(x *exchange) (*protorekor.TransparencyLogEntry, error) {
		b.VerificationMaterial.TlogEntries = nil
		client := sign.NewRekor(&sign.RekorOptions{
			BaseURL: log.URL, Version: log.Version, Timeout: -1,
			Client: logV1{x, log.URL}, ClientV2: logV2{x, log.URL},
		})
		if err := client.GetTransparencyLogEntry(x.ctx, s.leafPEM, b); err != nil {
			return nil, err
		}
		entry := b.VerificationMaterial.TlogEntries[0]
		return entry, checkEntry(entry)
	})
}

// checkEntry checks that an entry has all that a bundle's needs, so that one
// that is cut short is found while it can be asked for again.
func checkEntry(entry *protorekor.TransparencyLogEntry) error {
	if entry.GetInclusionProof() == nil {
		return errors.New("the entry has no inclusion proof")
	}
	_, err := tlog.ParseTransparencyLogEntry(entry)
	return err
}

// logV2 is Rekor's API v2 through an exchange. Upstream's own client takes no
// transport.
type logV2 struct {
	x   *exchange
	url string
}

var _ sign.RekorV2Client = logV2{}

// Add puts a hashedrekord into the log. Members that the answer has beyond ours
// are dropped: what is kept is verified.
func (l logV2) Add(_ context.Context, entry any) (*protorekor.TransparencyLogEntry, error) {
	record, ok := entry.(*rekorv2.HashedRekordRequestV002)
	if !ok {
		return nil, fmt.Errorf("entry of type %T", entry)
	}
	body, err := protojson.Marshal(&rekorv2.CreateEntryRequest{
		Spec: &rekorv2.CreateEntryRequest_HashedRekordRequestV002{HashedRekordRequestV002: record},
	})
	if err != nil {
		return nil, err
	}
	answer, err := l.x.postJSON(l.url+"/api/v2/log/entries", body)
	if err != nil {
		return nil, err
	}
	var out protorekor.TransparencyLogEntry
	if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(answer, &out); err != nil {
		return nil, err
	}
	return &out, nil
}

// logV1 is Rekor's API v1 through an exchange. Upstream's own client retries by
// rules of its own and takes no transport.
type logV1 struct {
	x   *exchange
	url string
}

var _ sign.RekorClient = logV1{}

// CreateLogEntry puts a proposed entry into the log.
func (l logV1) CreateLogEntry(params *rekorv1.CreateLogEntryParams, _ ...rekorv1.ClientOption) (*rekorv1.CreateLogEntryCreated, error) {
	body, err := json.Marshal(params.ProposedEntry)
	if err != nil {
		return nil, err
	}
	answer, err := l.x.postJSON(l.url+"/api/v1/log/entries", body)
	if err != nil {
		return nil, err
	}
	var all models.LogEntry
	if err := json.Unmarshal(answer, &all); err != nil {
		return nil, err
	}
	if len(all) != 1 {
		return nil, fmt.Errorf("the answer has %d entries, want 1", len(all))
	}
	created := &rekorv1.CreateLogEntryCreated{Payload: all}
	for uuid, entry := range all {
		if !whole(entry) {
			return nil, errors.New("the entry lacks members")
		}
		created.ETag = uuid
	}
	return created, nil
}

// whole says whether an entry has all members that the conversion to a bundle's
// entry follows pointers to.
func whole(e models.LogEntryAnon) bool {
	if e.LogID == nil || e.LogIndex == nil || e.IntegratedTime == nil || e.Verification == nil {
		return false
	}
	p := e.Verification.InclusionProof
	return p != nil && p.RootHash != nil && p.LogIndex != nil && p.TreeSize != nil && p.Checkpoint != nil
}

// GetLogEntryByUUID is what upstream calls when an entry exists already. It is
// never reached: to sign anew is simpler than to trust another's entry.
func (l logV1) GetLogEntryByUUID(*rekorv1.GetLogEntryByUUIDParams, ...rekorv1.ClientOption) (*rekorv1.GetLogEntryByUUIDOK, error) {
	return nil, errors.New("an existing entry was asked for")
}
