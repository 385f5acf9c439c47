package keyless

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	protocommon "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	prototrust "github.com/sigstore/protobuf-specs/gen/pb-go/trustroot/v1"
	"github.com/sigstore/sigstore-go/pkg/root"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/mcp-integrity/seal-action/seal/strictjson"
)

// Bounds of a trusted root. GitHub's, with six generations of authorities, has
// 16 kB; each authority or log costs a look at every bundle.
const (
	maxTrustedRoot  = 1 << 20
	maxRoots        = 16
	maxAuthorities  = 64
	maxLogs         = 64
	maxCertificates = 8 // in a chain
)

// ParseTrustedRoot reads a trusted_root.json, or several of them behind each
// other, one a line, as `gh attestation trusted-root` prints them. Duplicate
// members, members that are not known, and an instance whose bundles nobody
// could verify are refused; the error names the member.
func ParseTrustedRoot(data []byte) (*Trust, error) {
	t, err := parseTrustedRoot(data)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, r := range t.roots {
		names = append(names, r.name)
	}
	t.source = "given trusted root of " + strings.Join(names, " and ")
	return t, nil
}

func parseTrustedRoot(data []byte) (*Trust, error) {
	if len(data) > maxTrustedRoot {
		return nil, fmt.Errorf("trusted root of %d bytes, want at most %d", len(data), maxTrustedRoot)
	}
	documents, err := split(data)
	if err != nil {
		return nil, err
	}
	t := &Trust{}
	for n, doc := range documents {
		r, err := parseOne(doc)
		if err != nil {
			where := "trusted root"
			if len(documents) > 1 {
				where = fmt.Sprintf("trusted root %d of %d", n+1, len(documents))
			}
			return nil, fmt.Errorf("%s: %w", where, err)
		}
		t.roots = append(t.roots, r)
	}
	return t, nil
}

// split cuts JSON values apart that stand behind each other.
func split(data []byte) ([][]byte, error) {
	var documents [][]byte
	for d := jsontext.NewDecoder(bytes.NewBuffer(data)); ; {
		value, err := d.ReadValue()
		switch {
		case err == io.EOF && len(documents) > 0:
			return documents, nil
		case err == io.EOF:
			return nil, errors.New("trusted root: it is empty")
		case err != nil:
			// Check says what is wrong in our words, but for text behind a value.
			if bad := strictjson.Check(data); bad != nil && len(documents) == 0 {
				err = bad
			}
			return nil, fmt.Errorf("trusted root: %w", err)
		case len(documents) == maxRoots:
			return nil, fmt.Errorf("more than %d trusted roots in one file", maxRoots)
		}
		if err := strictjson.Check(value); err != nil {
			return nil, fmt.Errorf("trusted root: %w", err)
		}
		documents = append(documents, bytes.Clone(value))
	}
}

func parseOne(doc []byte) (*trustedRoot, error) {
	var pb prototrust.TrustedRoot
	if err := protojson.Unmarshal(doc, &pb); err != nil {
		return nil, fmt.Errorf("not of the form: %.300s", err)
	}
	if got := pb.GetMediaType(); got != root.TrustedRootMediaType01 {
		return nil, fmt.Errorf("mediaType: got %.100q, want %q", got, root.TrustedRootMediaType01)
	}
	cas, err := each("certificateAuthorities", pb.GetCertificateAuthorities(), maxAuthorities, func(a *prototrust.CertificateAuthority) (root.CertificateAuthority, error) {
		if err := checkAuthority(a); err != nil {
			return nil, err
		}
		return root.ParseCertificateAuthority(a)
	})
	if err != nil {
		return nil, err
	}
	tsas, err := each("timestampAuthorities", pb.GetTimestampAuthorities(), maxAuthorities, timestampAuthority)
	if err != nil {
		return nil, err
	}
	rekor, err := logs("tlogs", pb.GetTlogs())
	if err != nil {
		return nil, err
	}
	ct, err := logs("ctlogs", pb.GetCtlogs())
	if err != nil {
		return nil, err
	}
	switch {
	case len(cas) == 0:
		return nil, errors.New("certificateAuthorities: none, so nobody could have a certificate")
	case len(tsas) == 0 && len(rekor) == 0:
		return nil, errors.New("neither tlogs nor timestampAuthorities: nobody could vouch for a time")
	}
	material, err := root.NewTrustedRoot(root.TrustedRootMediaType01, cas, ct, tsas, rekor)
	if err != nil {
		return nil, err
	}
	return newRoot(nameOf(&pb), material)
}

// each parses the items of a list under the member's name.
func each[P, T any](member string, items []P, most int, parse func(P) (T, error)) ([]T, error) {
	if len(items) > most {
		return nil, fmt.Errorf("%s: %d of them, want at most %d", member, len(items), most)
	}
	var all []T
	for n, item := range items {
		parsed, err := parse(item)
		if err != nil {
			return nil, fmt.Errorf("%s[%d]: %w", member, n, err)
		}
		all = append(all, parsed)
	}
	return all, nil
}

func checkAuthority(a *prototrust.CertificateAuthority) error {
	if n := len(a.GetCertChain().GetCertificates()); n > maxCertificates {
		return fmt.Errorf("certChain: %d certificates, want at most %d", n, maxCertificates)
	}
	return checkWindow(a.GetValidFor())
}

func timestampAuthority(a *prototrust.CertificateAuthority) (root.TimestampingAuthority, error) {
	if err := checkAuthority(a); err != nil {
		return nil, err
	}
	parsed, err := root.ParseTimestampingAuthority(a)
	if err != nil {
		return nil, err
	}
	if tsa, ok := parsed.(*root.SigstoreTimestampingAuthority); !ok || tsa.Root == nil {
		return nil, errors.New("certChain: no root certificate at its end")
	}
	return parsed, nil
}

// logs parses one by one, so that an error has its place and no log replaces
// another under the same id.
func logs(member string, list []*prototrust.TransparencyLogInstance) (map[string]*root.TransparencyLog, error) {
	all := map[string]*root.TransparencyLog{}
	_, err := each(member, list, maxLogs, func(l *prototrust.TransparencyLogInstance) (struct{}, error) {
		var none struct{}
		if err := checkWindow(l.GetPublicKey().GetValidFor()); err != nil {
			return none, fmt.Errorf("publicKey.%w", err)
		}
		one, err := root.ParseTransparencyLogs([]*prototrust.TransparencyLogInstance{l})
		if err != nil {
			return none, err
		}
		for id, log := range one {
			if _, twice := all[id]; twice || id == "" {
				return none, fmt.Errorf("logId.keyId: %.100q is empty or stands twice", hex.EncodeToString(l.GetLogId().GetKeyId()))
			}
			all[id] = log
		}
		return none, nil
	})
	return all, err
}

func checkWindow(w *protocommon.TimeRange) error {
	for _, at := range []*timestamppb.Timestamp{w.GetStart(), w.GetEnd()} {
		if at != nil && !at.IsValid() {
			return errors.New("validFor: not a date")
		}
	}
	if w.GetStart() != nil && w.GetEnd() != nil && w.GetEnd().AsTime().Before(w.GetStart().AsTime()) {
		return errors.New("validFor: it ends before it starts")
	}
	return nil
}

// nameOf is how people know the instance: its authority's organisation.
func nameOf(pb *prototrust.TrustedRoot) string {
	newest := pb.GetCertificateAuthorities()[len(pb.GetCertificateAuthorities())-1]
	if o := newest.GetSubject().GetOrganization(); o != "" {
		return fmt.Sprintf("%.100q", o)
	}
	return fmt.Sprintf("%.100q", newest.GetUri())
}
