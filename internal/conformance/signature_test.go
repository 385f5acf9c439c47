package conformance

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/mcp-integrity/seal-action/internal/cli"
	"github.com/mcp-integrity/seal-action/internal/keys"
	"github.com/mcp-integrity/seal-action/seal"
)

// sigBytes decodes a signature vector's sig without the code under test.
func sigBytes(v vector) ([]byte, error) {
	text := strings.TrimRight(strings.NewReplacer("+", "-", "/", "_").Replace(v.Sig), "=")
	return base64.RawURLEncoding.DecodeString(text)
}

func base64url(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// kidOf is the kid of a signature vector's JWK.
func kidOf(v vector) (string, error) {
	var jwk struct {
		Kid string `json:"kid"`
	}
	err := json.Unmarshal(v.JWK, &jwk)
	return jwk.Kid, err
}

// setOf is a JWKS document of one JWK.
func setOf(jwk jsontext.Value) []byte { return fmt.Appendf(nil, `{"keys":[%s]}`, jwk) }

// publisherKeys are the keys of a JWKS document as a publisher's.
func publisherKeys(jwks []byte) (seal.Keys, error) {
	k := seal.Keys{Roles: []seal.Role{seal.RolePublisher}}
	set, err := keys.ParseSet(jwks)
	if err != nil {
		return k, err
	}
	for _, key := range set.Keys {
		k.Public = append(k.Public, key.Seal())
	}
	return k, nil
}

// signedPayload is the payload in a message that is the PAE of a manifest;
// nil in any other.
func signedPayload(v vector) []byte {
	for i, c := range v.Message {
		if c == '{' && bytes.Equal(seal.PAE(seal.PayloadType, v.Message[i:]), v.Message) {
			return v.Message[i:]
		}
	}
	return nil
}

func signsPayload(v vector) bool { return signedPayload(v) != nil }

// signatureEnvelope is an envelope with the vector's sig as it is spelled.
func signatureEnvelope(v vector) ([]byte, error) {
	kid, err := kidOf(v)
	if err != nil {
		return nil, err
	}
	return fmt.Appendf(nil, `{"payloadType":%q,"payload":%q,"signatures":[{"keyid":%q,"sig":%q}]}`,
		seal.PayloadType, base64url(signedPayload(v)), kid, v.Sig), nil
}

// namesInEnvelope are those that a refusal carries where key and sig come in
// files: a key that cannot be used is none, and an empty sig is no envelope's.
func namesInEnvelope(v vector) names {
	switch _, err := keys.ParsePublic(v.JWK); {
	case v.Sig == "":
		return names{seal.CodeManifestParse.Name()}
	case err != nil:
		return names{seal.CodeSignatureKeyNotFound.Name()}
	}
	return names{seal.CodeSignatureInvalid.Name()}
}

var signatureEntries = []entry{
	{"ParsePublic and Verify", nil, func(_ *desk, v vector) error {
		sig, err := sigBytes(v)
		if err != nil {
			return err
		}
		key, err := keys.ParsePublic(v.JWK)
		if err == nil {
			err = key.Seal().Verify(v.Message, sig)
		}
		return v.judge(err)
	}},
	{"ParseSet and Authenticate", nil, func(d *desk, v vector) error {
		sig, err := sigBytes(v)
		if err != nil {
			return err
		}
		kid, err := kidOf(v)
		if err != nil {
			return err
		}
		public, err := publisherKeys(setOf(v.JWK))
		if err == nil {
			_, err = public.Authenticate(d.Context(), seal.Signature{KeyID: kid, Sig: sig}, v.Message)
		}
		return v.judgeCode(err)
	}},
	{"ParseEnvelope and Open", signsPayload, func(d *desk, v vector) error {
		_, err := openSignature(d, v)
		v.Error = namesInEnvelope(v)
		if seal.CodeOf(err, 0) == 0 {
			v.Error = nil // the document of keys is refused
		}
		return v.judgeCode(err)
	}},
	{"verify --jwks", signsPayload, func(d *desk, v vector) error {
		data, err := signatureEnvelope(v)
		if err != nil {
			return err
		}
		run := d.command("verify", d.file("envelope.json", data), "--jwks", d.file("jwks.json", setOf(v.JWK)), "--format", "json")
		if _, err := keys.ParseSet(setOf(v.JWK)); err != nil {
			return errors.Join(v.judge(err), run.exits(cli.ExitUsage))
		}
		v.Error = namesInEnvelope(v)
		return run.wantNames(v)
	}},
	{"verify --key", signsPayload, func(d *desk, v vector) error {
		data, err := signatureEnvelope(v)
		if err != nil {
			return err
		}
		run := d.command("verify", d.file("envelope.json", data), "--key", d.file("key.json", v.JWK), "--format", "json")
		if _, err := keys.ParsePublic(v.JWK); err != nil {
			return errors.Join(v.judge(err), run.exits(cli.ExitUsage))
		}
		v.Error = namesInEnvelope(v)
		return run.wantNames(v)
	}},
}

func openSignature(d *desk, v vector) (*seal.Opened, error) {
	data, err := signatureEnvelope(v)
	if err != nil {
		return nil, err
	}
	public, err := publisherKeys(setOf(v.JWK))
	if err != nil {
		return nil, err
	}
	e, err := seal.ParseEnvelope(data)
	if err != nil {
		return nil, err
	}
	return e.Open(d.Context(), public, seal.OpenOptions{Now: d.now})
}
