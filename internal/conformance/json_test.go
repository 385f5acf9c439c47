package conformance

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/mcp-integrity/seal-action/internal/artifact"
	"github.com/mcp-integrity/seal-action/internal/cli"
	"github.com/mcp-integrity/seal-action/internal/keys"
	"github.com/mcp-integrity/seal-action/internal/sealtest"
	"github.com/mcp-integrity/seal-action/seal"
	"github.com/mcp-integrity/seal-action/seal/fingerprint"
	"github.com/mcp-integrity/seal-action/seal/strictjson"
)

// A place is where a stranger's JSON text can stand in a document that we read.
type place struct {
	name string
	// before and after are the document around the text.
	before, after string
	// holds are the first bytes of the values that may stand there; "" for all.
	holds string
	// read reads the whole document.
	read func(*desk, []byte) error
}

// A public key for documents that need one: RFC 8037's.
const jwkMembers = `"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"`

// jwkSecret is its private half.
const jwkSecret = `"d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"`

const (
	snapshotBefore = `{"snapshot_version":"1.0","server":{"name":"s","version":"1"},"conditions":{"protocol_version":"2025-11-25","network":true},"tools":[`
	snapshotAfter  = "]}"
	toolBefore     = `{"name":"t","inputSchema":{},"_meta":`
	envelopeBefore = `{"payloadType":"application/vnd.mcp-integrity.manifest+json","payload":"e30","signatures":[{"keyid":"k","sig":"AA","details":`
)

var places = []place{
	{"a text of its own", "", "", "", func(_ *desk, doc []byte) error {
		var decoded any
		canonical, err := strictjson.Canonical(doc)
		errs := []error{err, strictjson.Check(doc), strictjson.Unmarshal(doc, &decoded), strictjson.UnmarshalOpen(doc, &decoded)}
		for _, other := range errs {
			if (other == nil) != (err == nil) {
				return fmt.Errorf("Canonical, Check, Unmarshal and UnmarshalOpen disagree: %v", errs)
			}
		}
		if err == nil {
			err = strictjson.Check(canonical)
		}
		return err
	}},

	{"ParseTool, in _meta", toolBefore, "}", "", parseTool},
	{"ParseTool, as inputSchema", `{"name":"t","inputSchema":`, "}", "{", parseTool},
	{"ParseTool, as annotations", `{"name":"t","inputSchema":{},"annotations":`, "}", "{n", parseTool},
	{"ParseTool, as outputSchema", `{"name":"t","inputSchema":{},"outputSchema":`, "}", "{n", parseTool},
	{"ParseTool, as description", `{"name":"t","inputSchema":{},"description":`, "}", `"n`, parseTool},
	{"ParseTool, as name", `{"inputSchema":{},"name":`, "}", `"`, parseTool},
	{"ParseSnapshot", snapshotBefore + toolBefore, "}" + snapshotAfter, "", func(_ *desk, doc []byte) error {
		_, err := fingerprint.ParseSnapshot(doc)
		return err
	}},
	{"extract from a server over HTTP, in a tool", toolBefore, "}", "", func(d *desk, doc []byte) error {
		return d.command("extract", "--server-url", d.overHTTP(lists(serverInfo{}, doc))).refusal(cli.ExitFails)
	}},
	{"seal a snapshot", snapshotBefore + toolBefore, "}" + snapshotAfter, "", func(d *desk, doc []byte) error {
		_, err := d.sealSnapshot(doc, "sha256")
		return err
	}},
	{"diff of snapshots", snapshotBefore + toolBefore, "}" + snapshotAfter, "", func(d *desk, doc []byte) error {
		path := d.file("snapshot.json", doc)
		return d.command("diff", path, path).refusal(cli.ExitUndecided)
	}},

	{"a server over HTTP, in a tool", `{"tools":[` + toolBefore, "}]}", "", func(d *desk, doc []byte) error {
		_, err := d.listHTTP(answers{lists(serverInfo{}).initialize, doc})
		return err
	}},
	{"a server over HTTP, beside the tools", `{"tools":[],"_meta":`, "}", "", func(d *desk, doc []byte) error {
		_, err := d.listHTTP(answers{lists(serverInfo{}).initialize, doc})
		return err
	}},
	{"a server over HTTP, at initialize", initializeBefore, "}", "", func(d *desk, doc []byte) error {
		_, err := d.listHTTP(answers{doc, lists(serverInfo{}).list})
		return err
	}},

	{"ParseEnvelope, as details", envelopeBefore, "}]}", "{", parseEnvelope},
	{"ParseEnvelope, in details", envelopeBefore + `{"x":`, "}}]}", "", parseEnvelope},
	{"ParseStatement, as findings", statementBefore + `"findings":`, "}}", "", func(_ *desk, doc []byte) error {
		_, err := seal.ParseStatement(doc, []byte("{}"))
		return err
	}},
	{"StatementOf, in details", `{"x":`, `,"statement":{}}`, "", func(_ *desk, doc []byte) error {
		_, err := seal.StatementOf(seal.Signature{Details: doc})
		return err
	}},

	{"ParsePublic, beside the members", "{" + jwkMembers + `,"zz":`, "}", "", func(_ *desk, doc []byte) error {
		_, err := keys.ParsePublic(doc)
		return err
	}},
	{"ParsePrivate, beside the members", "{" + jwkMembers + "," + jwkSecret + `,"zz":`, "}", "", func(_ *desk, doc []byte) error {
		_, err := keys.ParsePrivate(doc)
		return err
	}},
	{"ParseSet, as a key", `{"keys":[{` + jwkMembers + "},", "]}", "", parseSet},
	{"ParseSet, in a key", `{"keys":[{` + jwkMembers + `,"zz":`, "}]}", "", parseSet},
	{"ParseSet, beside the keys", `{"keys":[],"zz":`, "}", "", parseSet},
	{"jwks of a key file", "{" + jwkMembers + `,"zz":`, "}", "", func(d *desk, doc []byte) error {
		return d.command("jwks", d.file("key.json", doc)).refusal(cli.ExitFails)
	}},

	{"package.json of an npm package", `{"name":"acme","version":"1.0.0","zz":`, "}", "", func(d *desk, doc []byte) error {
		return identify(d.tgz(doc))
	}},
	{"manifest.json of an MCP bundle", `{"name":"acme","version":"1.0.0","zz":`, "}", "", func(d *desk, doc []byte) error {
		return identify(d.mcpb(doc))
	}},
	{"oci-layout of an image", `{"imageLayoutVersion":"1.0.0","zz":`, "}", "", func(d *desk, doc []byte) error {
		return identify(d.image(image{layout: doc}))
	}},
	{"index.json of an image", `{"schemaVersion":2,"zz":`, `,"manifests":[`, "", func(d *desk, doc []byte) error {
		return identify(d.image(image{index: doc}))
	}},
	{"the manifest of an image", `{"schemaVersion":2,"layers":[],"zz":`, `,"config":`, "", func(d *desk, doc []byte) error {
		return identify(d.image(image{manifest: doc}))
	}},
	{"the config of an image", `{"config":{"Labels":{}},"zz":`, "}", "", func(d *desk, doc []byte) error {
		return identify(d.image(image{config: doc}))
	}},
}

const (
	initializeBefore = `{"protocolVersion":"2025-11-25","capabilities":{},"serverInfo":{"name":"s","version":"1"},"_meta":`
	// statementBefore is a statement about the payload {}, up to its predicate.
	statementBefore = `{"_type":"https://in-toto.io/Statement/v1","predicateType":"https://mcp-integrity.org/attestation/v1",` +
		`"subject":[{"name":"mcp-integrity.json","digest":{"sha256":"44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"}}],` +
		`"predicate":{"role":"publisher","attestation_type":"manifest_signed","timestamp":"2026-02-20T15:00:00Z",`
)

func parseTool(_ *desk, doc []byte) error {
	_, err := fingerprint.ParseTool(doc)
	return err
}

func parseEnvelope(_ *desk, doc []byte) error {
	_, err := seal.ParseEnvelope(doc)
	return err
}

func parseSet(_ *desk, doc []byte) error {
	_, err := keys.ParseSet(doc)
	return err
}

func identify(path string) error {
	_, err := artifact.Identify(context.Background(), path, artifact.Options{})
	return err
}

// jsonEntries are an entry for each place, and those where a text is no part
// of the document as it is read.
func jsonEntries() []entry {
	entries := []entry{
		{"ParseManifest, as a member that MIS does not know", nil, func(d *desk, v vector) error {
			return v.at(d.payloadWith(canonicalOr(v.bytes())), true, func(payload []byte) error {
				_, err := seal.ParseManifest(payload)
				return err
			})
		}},
		{"verify a sealed payload", nil, func(d *desk, v vector) error {
			return v.at(d.payloadWith(canonicalOr(v.bytes())), true, func(payload []byte) error {
				data := sealtest.Marshal(d, d.seal(payload))
				return d.command("verify", "--key", d.signerFile(), d.file("envelope.json", data)).refusal(cli.ExitFails)
			})
		}},
		{"verify, in details beside the statement", nil, func(d *desk, v vector) error {
			data := string(sealtest.Marshal(d, d.seal(d.payloadWith([]byte("1")))))
			with := strings.Replace(data, `"details": {`, `"details": {"x":`+string(v.bytes())+",", 1)
			return v.at([]byte(with), true, func(data []byte) error {
				return d.command("verify", "--key", d.signerFile(), d.file("envelope.json", data)).refusal(cli.ExitFails)
			})
		}},
		{"a server over stdio, in a tool", oneLine, func(d *desk, v vector) error {
			return v.at([]byte(toolBefore+string(v.bytes())+"}"), true, func(tool []byte) error {
				_, err := d.listStdio(lists(serverInfo{}, tool))
				return err
			})
		}},
	}
	for _, p := range places {
		entries = append(entries, entry{p.name, nil, func(d *desk, v vector) error {
			text := v.bytes()
			whole := append(append([]byte(p.before), text...), p.after...)
			return v.at(whole, p.mayHold(text), func(doc []byte) error { return p.read(d, doc) })
		}})
	}
	return entries
}

// oneLine says that a text has no line end that JSON takes for white space: over
// stdio, a message ends there.
func oneLine(v vector) bool { return !v.valid() || !bytes.ContainsAny(v.bytes(), "\r\n") }

func (p place) mayHold(text []byte) bool {
	text = bytes.TrimLeft(text, " \t\r\n")
	return p.holds == "" || len(text) > 0 && strings.IndexByte(p.holds, text[0]) >= 0
}

// at judges how whole was read, a document that has the vector's text in it. A
// text that is valid is refused where such a value may not stand, and where
// what stands around it brings it over the bound on nesting.
func (v vector) at(whole []byte, mayStand bool, read func([]byte) error) error {
	if v.valid() && (!mayStand || fits(v.bytes()) && !fits(whole)) {
		v.Expect = "invalid"
	}
	return v.judge(read(whole))
}

// fits says that no more arrays and objects stand in each other than we read.
func fits(doc []byte) bool {
	depth := 0
	for in := json.NewDecoder(bytes.NewReader(doc)); depth <= strictjson.MaxDepth; {
		token, err := in.Token()
		if err != nil {
			return true
		}
		switch token {
		case json.Delim('{'), json.Delim('['):
			depth++
		case json.Delim('}'), json.Delim(']'):
			depth--
		}
	}
	return false
}

// canonicalOr is the text's canonical form, or the text where it has none.
func canonicalOr(text []byte) []byte {
	if canonical, err := strictjson.Canonical(text); err == nil {
		return canonical
	}
	return text
}

// payloadWith is a manifest's payload with one more member, the last by name.
func (d *desk) payloadWith(text []byte) []byte {
	payload, err := seal.MarshalManifest(sealtest.Manifest(d, sealtest.Tools(d, 1)...))
	if err != nil {
		d.Fatal(err)
	}
	return append(append(append(payload[:len(payload)-1:len(payload)-1], `,"zz":`...), text...), '}')
}
