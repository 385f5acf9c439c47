package keyless

import "github.com/mcp-integrity/seal-action/seal"

// Claim is what a bundle says of itself, unverified: for people who look into a
// file, and for nothing else.
type Claim struct {
	Certificate seal.Certificate
	// Statement is the payload; nil where an artifact's own bytes were signed.
	Statement []byte
}

// ClaimOf reads a bundle, and verifies nothing. The error is an [*Error].
func ClaimOf(bundle []byte) (Claim, error) {
	b, err := parseBundle(bundle)
	if err != nil {
		return Claim{}, err
	}
	c, err := describe(b.leaf)
	if err != nil {
		return Claim{}, &Error{Stage: StageCertificate, Err: err}
	}
	return Claim{Certificate: c, Statement: b.payload}, nil
}
