package publish

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/opencontainers/go-digest"

	"github.com/mcp-integrity/seal-action/seal/strictjson"
)

// Where a server.json says what its registry has no member for, and what we put
// there. The registry takes no other member of _meta (HTTP 422).
const (
	metaMember      = "_meta"
	publisherMember = "io.modelcontextprotocol.registry/publisher-provided"
	sealedMember    = "org.mcp-integrity/manifest"
)

// Bounds on a server.json.
const (
	// maxServerJSON is what the registry's web framework reads of a request.
	maxServerJSON = 1 << 20
	// maxPublisherProvided is the registry's own bound on all that a publisher
	// provides, ours and others'.
	maxPublisherProvided = 4 << 10
)

// sealedFormat is the version of [sealedAt].
const sealedFormat = "1.0"

// sealedAt is what an MCP registry keeps of a release: a pointer to its envelope,
// never the envelope, for which there is no room.
type sealedAt struct {
	// Version is [sealedFormat]; what another version means is not known here.
	Version string `json:"version"`
	// Digest is the payload's, SHA-256 (decision 9).
	Digest digest.Digest `json:"digest"`
	// URL is where the envelope can be fetched, "" where nobody can fetch it.
	URL string `json:"url,omitzero"`
	// Signer is the publisher's keyid, or its certificate's subject: a hint.
	Signer string `json:"signer,omitzero"`
}

// check refuses what cannot be used, in words for whoever reads the registry.
func (s *sealedAt) check() error {
	if s.Version != sealedFormat {
		return fmt.Errorf("%s is of version %.40q, want %q: a newer release of this program reads it", sealedMember, s.Version, sealedFormat)
	}
	if err := s.Digest.Validate(); err != nil || s.Digest.Algorithm() != digest.SHA256 {
		return fmt.Errorf("%s has the digest %.100q, want sha256:<hex>", sealedMember, s.Digest)
	}
	return nil
}

// serverJSON is what we read of a server.json: the rest is its registry's business.
type serverJSON struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	Meta    struct {
		PublisherProvided map[string]jsontext.Value `json:"io.modelcontextprotocol.registry/publisher-provided"`
	} `json:"_meta"`
}

// serverName is the registry's form of a name: a reverse-domain namespace, a
// slash, and the server.
var serverName = regexp.MustCompile(`^[a-zA-Z0-9.-]+/[a-zA-Z0-9._-]+$`)

// maxServerName is the registry's own.
const maxServerName = 200

func checkServerName(name string) error {
	if len(name) < 3 || len(name) > maxServerName || !serverName.MatchString(name) {
		return fmt.Errorf("server name %.100q, want a registry's, such as io.github.acme/file-tools", name)
	}
	return nil
}

// parseServerJSON reads a server.json. It must be strict JSON: what two parsers
// read differently is not what its author published.
func parseServerJSON(data []byte) (*serverJSON, error) {
	var s serverJSON
	if err := strictjson.UnmarshalOpen(data, &s); err != nil {
		return nil, err
	}
	if err := checkServerName(s.Name); err != nil {
		return nil, err
	}
	if s.Version == "" || s.Version == "latest" {
		return nil, fmt.Errorf("version %q, want the version of one release", s.Version)
	}
	return &s, nil
}

// sealed is our member, nil where there is none.
func (s *serverJSON) sealed() (*sealedAt, error) {
	raw, ok := s.Meta.PublisherProvided[sealedMember]
	if !ok {
		return nil, nil
	}
	at := new(sealedAt)
	if err := strictjson.UnmarshalOpen(raw, at); err != nil {
		return nil, fmt.Errorf("%s: %w", sealedMember, err)
	}
	return at, at.check()
}

// withSealed is a server.json with our member in it, and every other byte as it
// was: order, indentation, unknown members, and what other tools provide. Where
// our member stands already, its value is replaced.
func withSealed(doc []byte, at sealedAt) ([]byte, error) {
	if err := strictjson.Check(doc); err != nil {
		return nil, err
	}
	value, err := strictjson.Marshal(at)
	if err != nil {
		return nil, err
	}
	edit := insertion{value: value, style: styleOf(doc)}
	start := len(doc) - len(bytes.TrimLeft(doc, jsonBlank))
	if err := edit.place(doc, start, metaMember, publisherMember, sealedMember); err != nil {
		return nil, err
	}
	out := make([]byte, 0, len(doc)+len(edit.text))
	out = append(append(append(out, doc[:edit.start]...), edit.text...), doc[edit.end:]...)
	if len(out) > maxServerJSON {
		return nil, fmt.Errorf("%d bytes with our member, want at most %d", len(out), maxServerJSON)
	}
	return out, nil
}

// jsonBlank is the white space of JSON (RFC 8259 §2).
const jsonBlank = " \t\r\n"

// insertion is one edit of a text: its bytes from start to end become text.
type insertion struct {
	value      []byte
	style      style
	text       []byte
	start, end int
}

// place finds where the value of the member at path belongs, below the object
// that begins at offset in doc, and makes the text that puts it there, with the
// objects around it that are missing.
func (e *insertion) place(doc []byte, offset int, path ...string) error {
	for i, name := range path {
		obj, err := readObject(doc[offset:])
		if err != nil {
			return fmt.Errorf("%s: %w", pathName(path[:i]), err)
		}
		m, ok := obj.find(name)
		if !ok {
			e.insert(obj, offset, i+1, path[i:])
			return nil
		}
		if i == len(path)-1 {
			e.start, e.end, e.text = offset+m.value, offset+m.end, e.value
			return nil
		}
		offset += m.value
	}
	return errors.New("no path")
}

func pathName(path []string) string {
	if len(path) == 0 {
		return "the document"
	}
	return path[len(path)-1]
}

// insert puts a member behind the last of obj, whose members stand depth levels
// deep.
func (e *insertion) insert(obj object, offset, depth int, path []string) {
	member := e.style.nested(path, depth, e.value)
	if n := len(obj.members); n > 0 {
		last := obj.members[n-1]
		e.start = offset + last.end
		e.end = e.start
		e.text = append(append([]byte{','}, last.before...), member...)
		return
	}
	e.start, e.end = offset+1, offset+obj.close
	e.text = append(append(e.style.line(depth), member...), e.style.line(depth-1)...)
}

// style is how a text is laid out: newline and indent are empty in one that
// stands on one line.
type style struct{ newline, indent []byte }

// styleOf reads it off what stands before the first member.
func styleOf(doc []byte) style {
	obj, err := readObject(bytes.TrimLeft(doc, jsonBlank))
	if err != nil || len(obj.members) == 0 {
		return style{}
	}
	before := obj.members[0].before
	at := bytes.LastIndexByte(before, '\n')
	if at < 0 {
		return style{}
	}
	newline := []byte("\n")
	if at > 0 && before[at-1] == '\r' {
		newline = []byte("\r\n")
	}
	return style{newline: newline, indent: before[at+1:]}
}

// line begins a line at a depth.
func (s style) line(depth int) []byte {
	if s.newline == nil {
		return nil
	}
	return append(bytes.Clone(s.newline), bytes.Repeat(s.indent, depth)...)
}

// nested is the member at path with its value: objects around objects, the first
// of which is a member depth levels deep. The value stays on one line, so that it
// is the same text wherever it stands.
func (s style) nested(path []string, depth int, value []byte) []byte {
	// Our names need no escaping.
	text := []byte(`"` + path[0] + `":`)
	if s.newline != nil {
		text = append(text, ' ')
	}
	if len(path) == 1 {
		return append(text, value...)
	}
	text = append(append(text, '{'), s.line(depth+1)...)
	text = append(text, s.nested(path[1:], depth+1, value)...)
	return append(append(text, s.line(depth)...), '}')
}

// object is where the parts of a JSON object stand in its text, from its opening
// brace.
type object struct {
	members []member
	// close is the offset of the closing brace.
	close int
}

// member is one of an object. Its offsets are the object's.
type member struct {
	name       string
	before     []byte // white space before the name
	value, end int
}

func (o object) find(name string) (member, bool) {
	for _, m := range o.members {
		if m.name == name {
			return m, true
		}
	}
	return member{}, false
}

// readObject reads the object that text begins with.
func readObject(text []byte) (object, error) {
	var o object
	d := jsontext.NewDecoder(bytes.NewReader(text))
	if kind := d.PeekKind(); kind != '{' {
		return o, fmt.Errorf("got %s, want an object", kind)
	}
	if _, err := d.ReadToken(); err != nil {
		return o, err
	}
	for d.PeekKind() == '"' {
		m, err := readMember(d, text)
		if err != nil {
			return o, err
		}
		o.members = append(o.members, m)
	}
	if _, err := d.ReadToken(); err != nil {
		return o, err
	}
	o.close = int(d.InputOffset()) - 1
	return o, nil
}

func readMember(d *jsontext.Decoder, text []byte) (m member, err error) {
	behind := int(d.InputOffset())
	raw, err := d.ReadValue()
	if err != nil {
		return m, err
	}
	name, err := jsontext.AppendUnquote(nil, raw)
	if err != nil {
		return m, err
	}
	m.name = string(name)
	start := int(d.InputOffset()) - len(raw)
	// Between two members stands a comma, somewhere in white space.
	gap := text[behind:start]
	m.before = gap[bytes.IndexByte(gap, ',')+1:]
	value, err := d.ReadValue()
	if err != nil {
		return m, err
	}
	m.end = int(d.InputOffset())
	m.value = m.end - len(value)
	return m, nil
}

// publisherProvidedSize is the size of what a server.json's publisher provides,
// as the registry counts it: decoded, and encoded again by encoding/json, which
// sorts the members and escapes <, > and &.
func publisherProvidedSize(doc []byte) (int, error) {
	var s struct {
		Meta struct {
			PublisherProvided map[string]any `json:"io.modelcontextprotocol.registry/publisher-provided"`
		} `json:"_meta"`
	}
	if err := json.Unmarshal(doc, &s); err != nil {
		return 0, err
	}
	data, err := json.Marshal(s.Meta.PublisherProvided)
	return len(data), err
}

// checkRoom refuses what the registry would, for its size.
func checkRoom(doc []byte) error {
	n, err := publisherProvidedSize(doc)
	if err != nil {
		return err
	}
	if n > maxPublisherProvided {
		return fmt.Errorf("%s takes %d bytes with %s, want at most %d: a registry keeps no more", publisherMember, n, sealedMember, maxPublisherProvided)
	}
	return nil
}
