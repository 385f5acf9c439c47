package conformance

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/opencontainers/go-digest"

	"github.com/mcp-integrity/seal-action/internal/cli"
	"github.com/mcp-integrity/seal-action/internal/sealtest"
	"github.com/mcp-integrity/seal-action/seal"
	"github.com/mcp-integrity/seal-action/seal/fingerprint"
	"github.com/mcp-integrity/seal-action/seal/strictjson"
)

// wantBytes compares bytes that came out.
func wantBytes(what string, got, want []byte) error {
	if !bytes.Equal(got, want) {
		return fmt.Errorf("%s: got %.300q, want %.300q", what, got, want)
	}
	return nil
}

// canonical is what must come out of a canonicalization vector.
func (v vector) canonical() ([]byte, error) {
	var out struct {
		Canonical []byte `json:"canonical_base64"`
	}
	err := v.outputs(&out)
	return out.Canonical, err
}

// canonicalizing is an entry that gives canonical bytes.
func canonicalizing(do func(*desk, []byte) ([]byte, error)) func(*desk, vector) error {
	return func(d *desk, v vector) error {
		got, err := do(d, v.bytes())
		if wrong := v.judge(err); wrong != nil || err != nil {
			return wrong
		}
		want, err := v.canonical()
		if err != nil {
			return err
		}
		return wantBytes("canonical form", got, want)
	}
}

var canonicalizationEntries = []entry{
	{"Canonical", nil, canonicalizing(func(_ *desk, text []byte) ([]byte, error) {
		return strictjson.Canonical(text)
	})},
	{"Canonical, twice", nil, canonicalizing(func(_ *desk, text []byte) ([]byte, error) {
		once, err := strictjson.Canonical(text)
		if err != nil {
			return nil, err
		}
		return strictjson.Canonical(once)
	})},
	{"Marshal", nil, canonicalizing(func(_ *desk, text []byte) ([]byte, error) {
		return strictjson.Marshal(jsontext.Value(text))
	})},
	{"MarshalStatement, as findings", nil, canonicalizing(func(_ *desk, text []byte) ([]byte, error) {
		s := sealtest.Statement()
		s.Findings = text
		data, err := seal.MarshalStatement(s, []byte("{}"))
		if err != nil {
			return nil, err
		}
		_, found, _ := bytes.Cut(data, []byte(`"findings":`))
		found, _, _ = bytes.Cut(found, []byte(`,"interface_snapshot":`))
		return found, nil
	})},
	{"Of, as each schema of a tool", isObject, func(_ *desk, v vector) error {
		text := v.bytes()
		raw := fmt.Appendf(nil, `{"name":"t","inputSchema":%s,"annotations":%s,"outputSchema":%s}`, text, text, text)
		t, err := fingerprint.ParseTool(raw)
		if wrong := v.judge(err); wrong != nil || err != nil {
			return wrong
		}
		canonical, err := v.canonical()
		if err != nil {
			return err
		}
		for _, alg := range fingerprint.Algorithms {
			got, err := fingerprint.Of(t, alg)
			if err != nil {
				return err
			}
			want := alg.FromBytes(canonical)
			for _, c := range []fingerprint.Component{fingerprint.InputSchema, fingerprint.Annotations, fingerprint.OutputSchema} {
				if got.Part(c) != want {
					return fmt.Errorf("%s: got %s, want %s", c, got.Part(c), want)
				}
			}
		}
		return nil
	}},
	{"ParseManifest, in a payload", nil, func(d *desk, v vector) error {
		want, err := v.canonical()
		if err != nil {
			return err
		}
		if _, err := seal.ParseManifest(d.payloadWith(want)); err != nil {
			return fmt.Errorf("the canonical form: %w", err)
		}
		if _, err := seal.ParseManifest(d.payloadWith(v.bytes())); (err == nil) != bytes.Equal(v.bytes(), want) {
			return fmt.Errorf("the text as it stands: %v", err)
		}
		return nil
	}},
}

func isObject(v vector) bool {
	return bytes.HasPrefix(bytes.TrimLeft(v.bytes(), " \t\r\n"), []byte("{"))
}

var canonicalEntries = []entry{
	{"Canonical", nil, func(_ *desk, v vector) error {
		got, err := strictjson.Canonical(v.bytes())
		if err == nil {
			err = wantBytes("canonical form", got, v.bytes())
		}
		return v.judge(err)
	}},
	{"ParseManifest, in a payload", nil, func(d *desk, v vector) error {
		_, err := seal.ParseManifest(d.payloadWith(v.bytes()))
		return v.judgeCode(err)
	}},
	{"Open, in a payload that is validly signed", nil, func(d *desk, v vector) error {
		_, err := d.seal(d.payloadWith(v.bytes())).Open(d.Context(), d.signerKeys(), seal.OpenOptions{Now: d.now})
		return v.judgeCode(err)
	}},
	{"Verifier", nil, func(d *desk, v vector) error {
		data := sealtest.Marshal(d, d.seal(d.payloadWith(v.bytes())))
		v.Error = names{seal.CodeManifestParse.Name()}
		return v.judgeNames(errorNames(d.verifier(d.signerKeys()).Verify(d.Context(), data)))
	}},
	{"inspect", nil, func(d *desk, v vector) error {
		data := sealtest.Marshal(d, d.seal(d.payloadWith(v.bytes())))
		return v.judge(d.command("inspect", d.file("envelope.json", data)).refusal(cli.ExitUndecided))
	}},
}

// decoding is an entry that decodes base64.
func decoding(decode func(*desk, jsontext.Value) ([]byte, error)) func(*desk, vector) error {
	return func(d *desk, v vector) error {
		got, err := decode(d, v.Input)
		if wrong := v.judgeCode(err); wrong != nil || err != nil {
			return wrong
		}
		var out struct {
			Bytes []byte `json:"bytes_base64"`
		}
		if err := v.outputs(&out); err != nil {
			return err
		}
		return wantBytes("bytes", got, out.Bytes)
	}
}

// envelopeOf is an envelope whose base64 texts are given, as JSON strings.
func envelopeOf(payload, sig jsontext.Value) []byte {
	return fmt.Appendf(nil, `{"payloadType":%q,"payload":%s,"signatures":[{"keyid":"k","sig":%s}]}`, seal.PayloadType, payload, sig)
}

var base64Entries = []entry{
	{"ParseEnvelope, as payload", nil, decoding(func(_ *desk, text jsontext.Value) ([]byte, error) {
		e, err := seal.ParseEnvelope(envelopeOf(text, jsontext.Value(`"AA"`)))
		if err != nil {
			return nil, err
		}
		return e.Payload, nil
	})},
	{"ParseEnvelope, as sig", nil, decoding(func(_ *desk, text jsontext.Value) ([]byte, error) {
		e, err := seal.ParseEnvelope(envelopeOf(jsontext.Value(`"AA"`), text))
		if err != nil {
			return nil, err
		}
		// A sig that is no base64 is a signature that cannot hold (MIS §27.2):
		// the envelope is read, and the signature is none.
		if e.Signatures[0].Sig == nil {
			return nil, errors.New("no bytes")
		}
		return e.Signatures[0].Sig, nil
	})},
	{"StatementPayload", nil, decoding(func(_ *desk, text jsontext.Value) ([]byte, error) {
		return seal.StatementPayload(fmt.Appendf(nil, `{"payloadType":%q,"payload":%s,"signatures":[]}`, seal.StatementPayloadType, text))
	})},
	{"inspect --extract payload", nil, decoding(func(d *desk, text jsontext.Value) ([]byte, error) {
		run := d.command("inspect", d.file("envelope.json", envelopeOf(text, jsontext.Value(`"AA"`))), "--extract", "payload")
		return []byte(run.stdout), run.refusal(cli.ExitUndecided)
	})},
	{"inspect --extract signature", nil, decoding(func(d *desk, text jsontext.Value) ([]byte, error) {
		run := d.command("inspect", d.file("envelope.json", envelopeOf(jsontext.Value(`"AA"`), text)), "--extract", "signature")
		return []byte(run.stdout), run.refusal(cli.ExitFails)
	})},
	// Another DSSE library reads only what the standard library does: what we
	// accept is base64 to it, once the alphabet and the padding are put right.
	{"encoding/base64, of what we write", valid, func(_ *desk, v vector) error {
		var out struct {
			Bytes []byte `json:"bytes_base64"`
		}
		if err := v.outputs(&out); err != nil {
			return err
		}
		e := seal.NewEnvelope(out.Bytes)
		e.Signatures = []seal.Signature{{KeyID: "k", Sig: out.Bytes}}
		data, err := e.Marshal()
		if err != nil {
			return err
		}
		if want := base64.RawURLEncoding.EncodeToString(out.Bytes); bytes.Count(data, []byte(`"`+want+`"`)) != 2 {
			return fmt.Errorf("payload and sig are written as %s, want %q", data, want)
		}
		return nil
	}},
}

func valid(v vector) bool { return v.valid() }

// paeOf is what must come out of a pae vector.
func paeOf(v vector) ([]byte, error) {
	var out struct {
		PAE []byte `json:"pae_base64"`
	}
	err := v.outputs(&out)
	return out.PAE, err
}

var paeEntries = []entry{
	{"PAE", nil, func(_ *desk, v vector) error {
		want, err := paeOf(v)
		if err != nil {
			return err
		}
		return v.judge(wantBytes("PAE", seal.PAE(v.PayloadType, v.Payload), want))
	}},
	{"Attest, a signature of it", func(v vector) bool { return v.PayloadType == seal.PayloadType }, func(d *desk, v vector) error {
		want, err := paeOf(v)
		if err != nil {
			return err
		}
		key, err := signer()
		if err != nil {
			return err
		}
		return v.judge(key.Public().Seal().Verify(want, d.seal(v.Payload).Signatures[0].Sig))
	}},
}

// digestsOf is the interface object that must come out of a vector, and, of a
// composite vector, that with what went in.
func digestsOf(v vector) (fingerprint.Digests, error) {
	var out fingerprint.Digests
	if v.Kind == "composite" {
		if err := strictjson.Unmarshal(v.Input, &out); err != nil {
			return out, err
		}
	}
	err := v.outputs(&out)
	if err == nil && out.Composite.Algorithm() != digest.Algorithm(v.Algorithm) {
		err = fmt.Errorf("composite_digest %s, want algorithm %q", out.Composite, v.Algorithm)
	}
	return out, err
}
