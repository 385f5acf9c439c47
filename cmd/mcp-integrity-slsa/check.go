package main

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	serrors "github.com/slsa-framework/slsa-verifier/v2/errors"
	"github.com/slsa-framework/slsa-verifier/v2/options"
	"github.com/slsa-framework/slsa-verifier/v2/verifiers"
	"github.com/slsa-framework/slsa-verifier/v2/verifiers/utils"
)

// verify is the checker that slsa-verifier is.
func verify(ctx context.Context, r request) (finding, error) {
	// The library reads with encoding/json, which takes the last of two members
	// of a name, in any case: other readers of the same file may take the first.
	if !jsontext.Value(r.Provenance).IsValid() {
		return finding{}, errMalformed
	}
	if r.Kind == kindVSA {
		return verifyVSA(ctx, r)
	}
	// The library keeps this root for the run. Fetching it first tells "TUF does
	// not answer" from "the provenance is wrong", which its errors do not.
	if _, err := utils.GetSigstoreTrustedRoot(); err != nil {
		return finding{}, fmt.Errorf("%w: %w", errTrustedRoot, err)
	}
	switch r.Kind {
	case kindNpm:
		return verifyNpm(ctx, r)
	case kindGitHub:
		return found(verifiers.VerifyGithubAttestation(ctx, r.Provenance, r.provenanceOpts(), r.builderOpts()))
	}
	return found(verifiers.VerifyArtifact(ctx, r.Provenance, r.hexDigest(), r.provenanceOpts(), r.builderOpts()))
}

func found(statement []byte, builder *utils.TrustedBuilderID, err error) (finding, error) {
	if err != nil {
		return finding{}, err
	}
	if builder == nil {
		return finding{}, fmt.Errorf("%w: no builder", serrors.ErrorInternal)
	}
	return finding{statement: statement, builderID: builder.String()}, nil
}

// provenanceOpts makes every option that the request has; a nil one is not
// compared.
func (r request) provenanceOpts() *options.ProvenanceOpts {
	o := &options.ProvenanceOpts{
		ExpectedDigest:       r.hexDigest(),
		ExpectedSourceURI:    r.SourceURI,
		ExpectedBranch:       optional(r.Branch),
		ExpectedTag:          optional(r.Tag),
		ExpectedVersionedTag: optional(r.VersionedTag),
	}
	if p := r.Package; p != nil {
		o.ExpectedPackageName, o.ExpectedPackageVersion = &p.Name, &p.Version
	}
	return o
}

func (r request) builderOpts() *options.BuilderOpts {
	return &options.BuilderOpts{ExpectedID: optional(r.BuilderID)}
}

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// verifyVSA compares all that a VSA is compared by.
func verifyVSA(ctx context.Context, r request) (finding, error) {
	key, hash, err := publicKey(r.VSA.PublicKey)
	if err != nil {
		return finding{}, fmt.Errorf("%w: %w", serrors.ErrorInvalidPublicKey, err)
	}
	statement, err := verifiers.VerifyVSA(ctx, r.Provenance, &options.VSAOpts{
		ExpectedDigests:        &[]string{r.Digest},
		ExpectedVerifierID:     &r.VSA.VerifierID,
		ExpectedResourceURI:    &r.VSA.ResourceURI,
		ExpectedVerifiedLevels: &r.VSA.VerifiedLevels,
	}, &options.VerificationOpts{PublicKey: key, PublicKeyID: &r.VSA.KeyID, PublicKeyHashAlgo: hash})
	return finding{statement: statement}, err
}

// publicKey reads one PEM block with a SubjectPublicKeyInfo, and says which
// hash goes with it; for Ed25519, which hashes by itself, it is not looked at.
func publicKey(text string) (crypto.PublicKey, crypto.Hash, error) {
	block, rest := pem.Decode([]byte(text))
	if block == nil || block.Type != "PUBLIC KEY" || strings.TrimSpace(string(rest)) != "" {
		return nil, 0, errors.New("want one PEM block PUBLIC KEY and nothing else")
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil, 0, err
	}
	switch k := key.(type) {
	case ed25519.PublicKey:
		return k, crypto.SHA512, nil
	case *ecdsa.PublicKey:
		switch k.Curve.Params().BitSize {
		case 256:
			return k, crypto.SHA256, nil
		case 384:
			return k, crypto.SHA384, nil
		case 521:
			return k, crypto.SHA512, nil
		}
	}
	return nil, 0, fmt.Errorf("key of type %T: want Ed25519 or ECDSA on P-256, P-384 or P-521", key)
}
