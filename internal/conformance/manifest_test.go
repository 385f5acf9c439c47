package conformance

import (
	"bytes"
	"fmt"
	"slices"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/mcp-integrity/seal-action/internal/cli"
	"github.com/mcp-integrity/seal-action/internal/sealtest"
	"github.com/mcp-integrity/seal-action/seal"
	"github.com/mcp-integrity/seal-action/seal/strictjson"
)

// beyondSchema are the vectors of refused manifests in which no JSON Schema
// can see what is wrong: digests that do not follow from one another, and two
// tools of one name.
var beyondSchema = []string{
	"refused-composite-other-part.json",
	"refused-composite-part-removed.json",
	"refused-composite-wrong.json",
	"refused-digest-algorithms-mixed-sha512.json",
	"refused-digest-algorithms-mixed.json",
	"refused-tool-twice.json",
}

// publishedSchema is the JSON Schema as others would compile it.
var publishedSchema = sync.OnceValues(func() (*jsonschema.Schema, error) {
	const name = "sealed-manifest.json"
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(seal.Schemas()[name]))
	if err != nil {
		return nil, err
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource(name, doc); err != nil {
		return nil, err
	}
	return c.Compile(name)
})

// sealed is a schema vector's manifest, canonical and validly signed.
func (d *desk) sealed(v vector) (*seal.Envelope, error) {
	payload, err := strictjson.Canonical(v.Input)
	if err != nil {
		return nil, err
	}
	return d.seal(payload), nil
}

var schemaEntries = []entry{
	{"ParseManifest", nil, func(_ *desk, v vector) error {
		payload, err := strictjson.Canonical(v.Input)
		if err != nil {
			return err
		}
		_, err = seal.ParseManifest(payload)
		return v.judgeCode(err)
	}},
	{"MarshalManifest", valid, func(_ *desk, v vector) error {
		var m seal.Manifest
		if err := strictjson.UnmarshalOpen(v.Input, &m); err != nil {
			return err
		}
		payload, err := seal.MarshalManifest(&m)
		if err == nil {
			_, err = seal.ParseManifest(payload)
		}
		return v.judge(err)
	}},
	{"the JSON Schema alone", nil, func(_ *desk, v vector) error {
		schema, err := publishedSchema()
		if err != nil {
			return err
		}
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(v.Input))
		if err != nil {
			return err
		}
		err = schema.Validate(doc)
		if slices.Contains(beyondSchema, v.file) {
			if err != nil {
				return fmt.Errorf("it was not to decide this: %w", err)
			}
			return nil
		}
		return v.judge(err)
	}},
	{"Open", nil, func(d *desk, v vector) error {
		e, err := d.sealed(v)
		if err != nil {
			return err
		}
		_, err = e.Open(d.Context(), d.signerKeys(), seal.OpenOptions{Now: d.now})
		return v.judgeCode(err)
	}},
	{"Verifier", nil, func(d *desk, v vector) error {
		e, err := d.sealed(v)
		if err != nil {
			return err
		}
		return v.judgeNames(errorNames(d.verifier(d.signerKeys()).Verify(d.Context(), sealtest.Marshal(d, e))))
	}},
	{"verify", nil, func(d *desk, v vector) error {
		e, err := d.sealed(v)
		if err != nil {
			return err
		}
		run := d.command("verify", d.file("envelope.json", sealtest.Marshal(d, e)), "--key", d.signerFile(), "--format", "json")
		return run.wantNames(v)
	}},
	{"inspect", nil, func(d *desk, v vector) error {
		e, err := d.sealed(v)
		if err != nil {
			return err
		}
		return v.judge(d.command("inspect", d.file("envelope.json", sealtest.Marshal(d, e))).refusal(cli.ExitUndecided))
	}},
}
