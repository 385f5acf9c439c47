package keyless

import (
	"bytes"
	"crypto/x509"
	"slices"

	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	protocommon "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	"github.com/sigstore/sigstore-go/pkg/bundle"

	"github.com/mcp-integrity/seal-action/seal"
	"github.com/mcp-integrity/seal-action/seal/strictjson"
)

// Bounds of a bundle. Ours have 8 kB.
const (
	// maxBundle is what GitHub takes for an attestation, which may hold an SBOM.
	maxBundle = 16 << 20
	// maxEntries and maxTimestamps are more than any client writes, one or two;
	// each costs a signature or a chain to verify.
	maxEntries    = 8
	maxTimestamps = 8
	// maxHashes of an inclusion proof: a log of 2^63 entries needs no more.
	maxHashes = 63
	// maxCertificate is ten times Fulcio's.
	maxCertificate = 32 << 10
	// maxTimestamp is ten times a response with its whole chain.
	maxTimestamp = 64 << 10
)

// mediaTypes are those of bundles that exist: v0.3 has two.
var mediaTypes = []string{
	"application/vnd.dev.sigstore.bundle+json;version=0.1",
	"application/vnd.dev.sigstore.bundle+json;version=0.2",
	"application/vnd.dev.sigstore.bundle+json;version=0.3",
	"application/vnd.dev.sigstore.bundle.v0.3+json",
}

// parsedBundle is a bundle of the form that we verify. Nothing in it is
// verified yet.
type parsedBundle struct {
	entity *bundle.Bundle
	leaf   *x509.Certificate
	key    seal.PublicKey
	// payload is an envelope's statement, message an artifact's signature: one
	// of them is set.
	payload []byte
	message *protocommon.MessageSignature
	// timeless are the ids of the logs whose entries carry no signed time.
	timeless [][]byte
}

func parseBundle(data []byte) (*parsedBundle, error) {
	if len(data) > maxBundle {
		return nil, failf(StageBundle, "%d bytes, want at most %d", len(data), maxBundle)
	}
	if err := strictjson.Check(data); err != nil {
		return nil, &Error{Stage: StageBundle, Err: err}
	}
	b := &parsedBundle{entity: &bundle.Bundle{}}
	if err := b.entity.UnmarshalJSON(data); err != nil {
		return nil, &Error{Stage: StageBundle, Err: err}
	}
	if got := b.entity.GetMediaType(); !slices.Contains(mediaTypes, got) {
		return nil, failf(StageBundle, "mediaType: got %.100q, want one of %q", got, mediaTypes)
	}
	for _, part := range []func() *Error{b.readContent, b.readCertificate, b.readVouchers} {
		if err := part(); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// readContent takes what is signed.
func (b *parsedBundle) readContent() *Error {
	if b.message = b.entity.GetMessageSignature(); b.message != nil {
		// ES256 is over SHA-256, so another label is a lie.
		if got := b.message.GetMessageDigest().GetAlgorithm(); got != protocommon.HashAlgorithm_SHA2_256 {
			return failf(StagePayload, "messageDigest.algorithm: got %v, want %v", got, protocommon.HashAlgorithm_SHA2_256)
		}
		return nil
	}
	envelope := b.entity.GetDsseEnvelope()
	if got := envelope.GetPayloadType(); got != seal.StatementPayloadType {
		return failf(StagePayload, "payloadType: got %.100q, want %q", got, seal.StatementPayloadType)
	}
	if n := len(envelope.GetSignatures()); n != 1 {
		return failf(StageBundle, "dsseEnvelope: %d signatures, want 1", n)
	}
	if b.payload = envelope.GetPayload(); len(b.payload) == 0 {
		return failf(StagePayload, "the envelope is empty")
	}
	return nil
}

// readCertificate takes the certificate and its key. Of a chain, as v0.1 and
// v0.2 have, the first is the signer's; the others would be a stranger's word,
// as the trusted root has its own.
func (b *parsedBundle) readCertificate() *Error {
	material := b.entity.GetVerificationMaterial()
	var raw []byte
	switch content := material.GetContent().(type) {
	case *protobundle.VerificationMaterial_Certificate:
		raw = content.Certificate.GetRawBytes()
	case *protobundle.VerificationMaterial_X509CertificateChain:
		chain := content.X509CertificateChain.GetCertificates()
		if n := len(chain); n == 0 || n > maxCertificates {
			return failf(StageBundle, "x509CertificateChain: %d certificates, want 1 to %d", n, maxCertificates)
		}
		raw = chain[0].GetRawBytes()
	default:
		return failf(StageKey, "it is signed by a bare key, want a certificate")
	}
	if len(raw) > maxCertificate {
		return failf(StageBundle, "certificate of %d bytes, want at most %d", len(raw), maxCertificate)
	}
	var err error
	if b.leaf, err = x509.ParseCertificate(raw); err != nil {
		return failf(StageBundle, "certificate: %w", err)
	}
	if b.key, err = publicKey(b.leaf.PublicKey); err != nil {
		return &Error{Stage: StageKey, Err: err}
	}
	return nil
}

// readVouchers bounds what logs and timestamp authorities say.
func (b *parsedBundle) readVouchers() *Error {
	material := b.entity.GetVerificationMaterial()
	if n := len(material.GetTlogEntries()); n > maxEntries {
		return failf(StageBundle, "tlogEntries: %d of them, want at most %d", n, maxEntries)
	}
	for n, e := range material.GetTlogEntries() {
		if got := len(e.GetInclusionProof().GetHashes()); got > maxHashes {
			return failf(StageBundle, "tlogEntries[%d].inclusionProof: %d hashes, want at most %d", n, got, maxHashes)
		}
		if len(e.GetInclusionPromise().GetSignedEntryTimestamp()) == 0 {
			b.timeless = append(b.timeless, e.GetLogId().GetKeyId())
		}
	}
	stamps := material.GetTimestampVerificationData().GetRfc3161Timestamps()
	if n := len(stamps); n > maxTimestamps {
		return failf(StageBundle, "rfc3161Timestamps: %d of them, want at most %d", n, maxTimestamps)
	}
	for n, s := range stamps {
		raw := s.GetSignedTimestamp()
		if got := len(raw); got > maxTimestamp {
			return failf(StageBundle, "rfc3161Timestamps[%d]: %d bytes, want at most %d", n, got, maxTimestamp)
		}
		for _, earlier := range stamps[:n] {
			if bytes.Equal(raw, earlier.GetSignedTimestamp()) {
				return failf(StageBundle, "rfc3161Timestamps[%d]: it stands there twice", n)
			}
		}
	}
	return nil
}
