package conformance

import (
	"errors"
	"fmt"
	"slices"

	"github.com/google/go-cmp/cmp"

	"github.com/mcp-integrity/seal-action/internal/cli"
	"github.com/mcp-integrity/seal-action/seal"
	"github.com/mcp-integrity/seal-action/verify"
)

// opened is what must come out of an envelope vector.
type opened struct {
	Payload   []byte `json:"payload_base64"`
	Publisher struct {
		KeyID string  `json:"keyid"`
		Bound bool    `json:"bound"`
		Time  *string `json:"timestamp"`
	} `json:"publisher"`
}

// openStrictly opens an envelope the way a verifier does: a signature by a key
// that is known and does not hold is an error wherever it stands.
func openStrictly(d *desk, v vector) (*seal.Opened, error) {
	public, err := publisherKeys(v.JWKS)
	if err != nil {
		return nil, err
	}
	e, err := seal.ParseEnvelope(v.bytes())
	if err != nil {
		return nil, err
	}
	o, err := e.Open(d.Context(), public, seal.OpenOptions{Now: d.now})
	if err != nil {
		return nil, err
	}
	for _, r := range o.Rejections {
		if r.Err.Code != seal.CodeSignatureKeyNotFound {
			return nil, r.Err
		}
	}
	return o, nil
}

// isMalformed says that a vector's bytes cannot be read, whoever signed them.
func isMalformed(v vector) bool {
	return v.valid() || len(v.Error) == 1 && v.Error[0] != seal.CodeSignatureInvalid.Name() &&
		v.Error[0] != seal.CodeSignatureExpired.Name() && v.Error[0] != seal.CodeSignatureKeyNotFound.Name()
}

var envelopeEntries = []entry{
	{"ParseEnvelope and Open", nil, func(d *desk, v vector) error {
		o, err := openStrictly(d, v)
		if wrong := v.judgeCode(err); wrong != nil || err != nil {
			return wrong
		}
		var want, got opened
		if err := v.outputs(&want); err != nil {
			return err
		}
		i := slices.IndexFunc(o.Attestations, func(a seal.Attestation) bool { return a.Role == seal.RolePublisher })
		first := o.Attestations[i]
		got.Payload, got.Publisher.KeyID, got.Publisher.Bound = o.Payload, first.KeyID, first.Bound
		if first.Time != nil {
			text, err := first.Time.MarshalText()
			if err != nil {
				return err
			}
			at := string(text)
			got.Publisher.Time = &at
		}
		if diff := cmp.Diff(want, got); diff != "" {
			return fmt.Errorf("opened (-want +got):\n%s", diff)
		}
		return nil
	}},
	{"Marshal, read again", valid, func(d *desk, v vector) error {
		e, err := seal.ParseEnvelope(v.bytes())
		if err != nil {
			return v.judge(err)
		}
		data, err := e.Marshal()
		if err != nil {
			return v.judge(err)
		}
		v.InputBase64, v.InputParts = data, nil
		_, err = openStrictly(d, v)
		return v.judge(err)
	}},
	{"Verifier", nil, func(d *desk, v vector) error {
		public, err := publisherKeys(v.JWKS)
		if err != nil {
			return v.judge(err)
		}
		return v.wantVerified(d.verifier(public).Verify(d.Context(), v.bytes()))
	}},
	{"verify --jwks FILE", nil, func(d *desk, v vector) error {
		return d.command("verify", d.file("envelope.json", v.bytes()), "--jwks", d.file("jwks.json", v.JWKS), "--format", "json").wantNames(v)
	}},
	{"verify URL --jwks URL", nil, func(d *desk, v vector) error {
		site := d.documents(map[string][]byte{"/mcp-integrity.json": v.bytes(), "/.well-known/mcp-integrity-keys.json": v.JWKS})
		return d.command("verify", site+"/mcp-integrity.json", "--jwks", site+"/.well-known/mcp-integrity-keys.json", "--format", "json").wantNames(v)
	}},
	{"inspect", isMalformed, func(d *desk, v vector) error {
		return v.judge(d.command("inspect", d.file("envelope.json", v.bytes())).refusal(cli.ExitUndecided))
	}},
	{"inspect --extract payload", valid, func(d *desk, v vector) error {
		run := d.command("inspect", d.file("envelope.json", v.bytes()), "--extract", "payload")
		if err := run.refusal(cli.ExitUndecided); err != nil {
			return v.judge(err)
		}
		var want opened
		if err := v.outputs(&want); err != nil {
			return err
		}
		return v.judge(wantBytes("payload", []byte(run.stdout), want.Payload))
	}},
}

// wantVerified wants a vector's names of errors, and of its publisher the
// key, and an advisory where nothing binds what it says.
func (v vector) wantVerified(r *verify.Result) error {
	if err := v.judgeNames(errorNames(r)); err != nil || !v.valid() {
		return err
	}
	if v.Kind != "envelope" {
		return nil
	}
	var want opened
	if err := v.outputs(&want); err != nil {
		return err
	}
	unbound := slices.Contains(advisoryNames(r), seal.CodeAttestationUnbound.Name())
	if r.Publisher.KeyID != want.Publisher.KeyID || unbound == want.Publisher.Bound {
		return fmt.Errorf("publisher %q with advisories %q, want %+v", r.Publisher.KeyID, advisoryNames(r), want.Publisher)
	}
	return nil
}

// wantNames is wantVerified of what a command printed, and its exit code.
func (r commandRun) wantNames(v vector) error {
	result, err := r.result()
	if err != nil {
		return err
	}
	code := cli.ExitHolds
	if !v.valid() {
		code = cli.ExitFails
	}
	return errors.Join(v.wantVerified(result), r.exits(code))
}
