package stack

import (
	"crypto"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"time"

	protocommon "github.com/sigstore/protobuf-specs/gen/pb-go/trustroot/v1"
	"github.com/sigstore/rekor-tiles/v2/pkg/note"
	"github.com/sigstore/sigstore-go/pkg/root"
)

// Names of the files of trust in the stack's directory. The first two are also
// the names of the TUF targets, which clients look for.
const (
	trustedRootFile   = "trusted_root.json"
	signingConfigFile = "signing_config.v0.2.json"
	// Variants: what a verifier must refuse, or a signer do without.
	noLogRootFile   = "trusted_root.no-log.json"        // all but the log
	otherRootFile   = "trusted_root.other.json"         // of another Sigstore
	noLogConfigFile = "signing_config.no-log.v0.2.json" // certificate and timestamp only, as GitHub's own instance
	retiredRootFile = "trusted_root.retired.json"       // all whose validity ended before the stack began
)

// origin is the host of the log's URL. Rekor v2 signs its checkpoints under
// it, and verifiers take it from the trusted root's base URL.
const origin = "127.0.0.1"

// services are the URLs that clients know.
type services struct{ fulcio, rekor, tsa, ct string }

// period is a window of validity; a zero end is open.
type period struct{ start, end time.Time }

// trustedRoot says whom to believe about p's certificates, entries and stamps.
func trustedRoot(p *pki, at services, valid period, log bool) (*root.TrustedRoot, error) {
	fulcio, tsa := certificates(p.fulcio), certificates(p.tsa)
	authority := &root.FulcioCertificateAuthority{
		Root: fulcio[1], Intermediates: fulcio[:1], URI: at.fulcio,
		ValidityPeriodStart: valid.start, ValidityPeriodEnd: valid.end,
	}
	stamps := &root.SigstoreTimestampingAuthority{
		Root: tsa[2], Intermediates: tsa[1:2], Leaf: tsa[0], URI: at.tsa,
		ValidityPeriodStart: valid.start, ValidityPeriodEnd: valid.end,
	}
	// A Rekor v2 log's ID covers its origin, not only its key.
	_, rekorID, err := note.KeyHash(origin, p.rekor.Public())
	if err != nil {
		return nil, err
	}
	ctID, err := logID(p.ct.Public())
	if err != nil {
		return nil, err
	}
	logs := map[string]*root.TransparencyLog{}
	if log {
		logs = transparency(at.rekor, rekorID, p.rekor.Public(), valid)
	}
	return root.NewTrustedRoot(root.TrustedRootMediaType01, []root.CertificateAuthority{authority},
		transparency(at.ct, ctID, p.ct.Public(), valid), []root.TimestampingAuthority{stamps}, logs)
}

// transparency is the set of one log, as a trusted root wants it.
func transparency(url string, id []byte, key crypto.PublicKey, valid period) map[string]*root.TransparencyLog {
	return map[string]*root.TransparencyLog{hex.EncodeToString(id): {
		BaseURL: url, ID: id, PublicKey: key, HashFunc: crypto.SHA256, SignatureHashFunc: crypto.SHA256,
		ValidityPeriodStart: valid.start, ValidityPeriodEnd: valid.end,
	}}
}

// signingConfig says where to sign.
func signingConfig(at services, start time.Time, log bool) (*root.SigningConfig, error) {
	one := func(url string, version uint32) []root.Service {
		return []root.Service{{URL: url, MajorAPIVersion: version, ValidityPeriodStart: start, Operator: "sigstack"}}
	}
	anyOne := root.ServiceConfiguration{Selector: protocommon.ServiceSelector_ANY}
	logs := one(at.rekor, 2)
	if !log {
		logs = nil
	}
	return root.NewSigningConfig(root.SigningConfigMediaType02, one(at.fulcio, 1), one(GitHubIssuer, 1),
		logs, anyOne, one(at.tsa, 1), anyOne)
}

// writeTrust writes every file of trust into dir.
func writeTrust(dir string, p *pki, at services, now time.Time) error {
	other, err := newPKI(now)
	if err != nil {
		return err
	}
	start := now.Add(-age)
	open := period{start: start}
	past := period{start: start, end: now.Add(-age / 2)}
	roots := map[string]func() (*root.TrustedRoot, error){
		trustedRootFile: func() (*root.TrustedRoot, error) { return trustedRoot(p, at, open, true) },
		noLogRootFile:   func() (*root.TrustedRoot, error) { return trustedRoot(p, at, open, false) },
		otherRootFile:   func() (*root.TrustedRoot, error) { return trustedRoot(other, at, open, true) },
		retiredRootFile: func() (*root.TrustedRoot, error) { return trustedRoot(p, at, past, true) },
	}
	for file, build := range roots {
		if err := writeBuilt(dir, file, build); err != nil {
			return err
		}
	}
	for file, log := range map[string]bool{signingConfigFile: true, noLogConfigFile: false} {
		err := writeBuilt(dir, file, func() (*root.SigningConfig, error) { return signingConfig(at, start, log) })
		if err != nil {
			return err
		}
	}
	return nil
}

func writeBuilt[T json.Marshaler](dir, file string, build func() (T, error)) error {
	v, err := build()
	if err != nil {
		return err
	}
	b, err := v.MarshalJSON()
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, file), b, 0o644)
}
