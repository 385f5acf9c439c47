package keyless

import (
	"bytes"
	"crypto/x509"
	"slices"
	"strings"

	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/verify"
)

// Trust is a set of trusted roots against which bundles are verified. It does
// not change, and may be used by several goroutines.
type Trust struct {
	roots  []*trustedRoot
	source string
}

// trustedRoot is one Sigstore instance, and what it requires of its bundles.
type trustedRoot struct {
	// name is for people.
	name     string
	material root.TrustedMaterial
	verifier *verify.Verifier
	// authorities are the certificates that may issue a leaf.
	authorities []*x509.Certificate
	needs       needs
}

// needs are the vouchers beyond a time that an instance gives to all of its
// bundles, so that one without them is not its own.
type needs struct{ log, sct bool }

func (n needs) and(m needs) needs { return needs{log: n.log || m.log, sct: n.sct || m.sct} }

// newRoot decides by what an instance has what its bundles need.
func newRoot(name string, material *root.TrustedRoot) (*trustedRoot, error) {
	r := &trustedRoot{name: name, material: material}
	r.needs = needs{log: len(material.RekorLogs()) > 0, sct: len(material.CTLogs()) > 0}
	for _, ca := range material.FulcioCertificateAuthorities() {
		if f, ok := ca.(*root.FulcioCertificateAuthority); ok {
			r.authorities = append(append(r.authorities, f.Intermediates...), f.Root)
		}
	}
	var err error
	r.verifier, err = r.needs.verifier(material)
	return r, err
}

// verifier of bundles that meet n. Their time is a timestamp authority's, or,
// of a root with logs, that of an entry's signed promise.
func (n needs) verifier(material root.TrustedMaterial) (*verify.Verifier, error) {
	options := []verify.VerifierOption{verify.WithoutStatementPredicate()}
	if n.log {
		options = append(options, verify.WithTransparencyLog(1), verify.WithObserverTimestamps(1))
	} else {
		options = append(options, verify.WithSignedTimestamps(1))
	}
	if n.sct {
		options = append(options, verify.WithSignedCertificateTimestamps(1))
	}
	return verify.NewVerifier(material, options...)
}

// Source says for people where the trust comes from.
func (t *Trust) Source() string { return t.source }

// Join returns trust in all the roots of all: a bundle passes if it passes
// under one of them.
func Join(all ...*Trust) *Trust {
	joined := &Trust{}
	var sources []string
	for _, t := range all {
		joined.roots = append(joined.roots, t.roots...)
		if !slices.Contains(sources, t.source) {
			sources = append(sources, t.source)
		}
	}
	joined.source = strings.Join(sources, "; ")
	return joined
}

// issuers are the roots that name the authority which issued leaf. A name is
// anybody's to write, but the chain that is verified later needs the same name:
// no root that could accept the leaf is missing here. So what all of them need
// is all that the leaf's own instance needs, or more.
func (t *Trust) issuers(leaf *x509.Certificate) ([]*trustedRoot, *Error) {
	var named []*trustedRoot
	for _, r := range t.roots {
		if r.issues(leaf, byName) {
			named = append(named, r)
		}
	}
	// Two instances may bear one name; then the signature tells them apart.
	if len(named) > 1 {
		named = slices.DeleteFunc(named, func(r *trustedRoot) bool { return !r.issues(leaf, bySignature) })
	}
	if len(named) == 0 {
		return nil, t.unknown(leaf)
	}
	return named, nil
}

func (t *Trust) unknown(leaf *x509.Certificate) *Error {
	return failf(StageAuthority, "the certificate was issued by %.200q, which is not in the %s", leaf.Issuer.String(), t.source)
}

func byName(leaf, ca *x509.Certificate) bool { return bytes.Equal(leaf.RawIssuer, ca.RawSubject) }

func bySignature(leaf, ca *x509.Certificate) bool {
	return byName(leaf, ca) && leaf.CheckSignatureFrom(ca) == nil
}

func (r *trustedRoot) issues(leaf *x509.Certificate, by func(leaf, ca *x509.Certificate) bool) bool {
	return slices.ContainsFunc(r.authorities, func(ca *x509.Certificate) bool { return by(leaf, ca) })
}

// lacks says what a bundle needs and no bundle can have under r.
func (r *trustedRoot) lacks(n needs) *Error {
	switch {
	case n.log && !r.needs.log:
		return failf(StageLog, "another trusted root of this authority requires a log entry, and %s has no log", r.name)
	case n.sct && !r.needs.sct:
		return failf(StageSCT, "another trusted root of this authority requires a certificate timestamp, and %s has no log for it", r.name)
	}
	return nil
}
