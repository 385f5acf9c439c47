package declare

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"

	"github.com/mcp-integrity/seal-action/seal"
)

// SchemaID is the $id of the file's JSON Schema, and where editors find it.
const SchemaID = "https://mcp-integrity.org/schemas/v1/mcp-integrity-yaml.json"

//go:embed schema/mcp-integrity.schema.json
var schemaJSON []byte

// Schema returns the JSON Schema (2020-12) of the file.
func Schema() []byte { return bytes.Clone(schemaJSON) }

// compiled holds the schema in both forms that are needed: to validate by, and
// to look up which members an object may have.
var compiled = sync.OnceValues(func() (*schemas, error) {
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(schemaJSON))
	if err != nil {
		return nil, fmt.Errorf("schema of %s: %w", Filename, err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource(SchemaID, document); err != nil {
		return nil, fmt.Errorf("schema of %s: %w", Filename, err)
	}
	validator, err := c.Compile(SchemaID)
	if err != nil {
		return nil, fmt.Errorf("schema of %s: %w", Filename, err)
	}
	return &schemas{validator: validator, document: document}, nil
})

type schemas struct {
	validator *jsonschema.Schema
	document  any
}

// members returns the member names of the object schema at url, sorted.
func (s *schemas) members(url string) []string {
	_, pointer, _ := strings.Cut(url, "#")
	at := s.document
	for _, step := range strings.Split(strings.TrimPrefix(pointer, "/"), "/") {
		if object, ok := at.(map[string]any); ok && step != "" {
			at = object[step]
		}
	}
	object, _ := at.(map[string]any)
	properties, _ := object["properties"].(map[string]any)
	return slices.Sorted(maps.Keys(properties))
}

// applySchema returns all that the schema dislikes about root.
func applySchema(src *source, root *node) error {
	s, err := compiled()
	if err != nil {
		return err
	}
	err = s.validator.Validate(root.value())
	if err == nil {
		return nil
	}
	var invalid *jsonschema.ValidationError
	if !errors.As(err, &invalid) {
		return fmt.Errorf("%s: %w", Filename, err)
	}
	x := explainer{schemas: s, src: src, root: root}
	x.explain(invalid)
	return x.errs.join()
}

// An explainer turns the library's tree of errors into ours: only the leaves
// say anything, and alternatives (anyOf) are one statement.
type explainer struct {
	*schemas
	src  *source
	root *node
	errs Errors
}

func (x *explainer) explain(v *jsonschema.ValidationError) {
	n, path, key := x.root.follow(v.InstanceLocation)
	add := func(at position, path, format string, args ...any) {
		x.errs = append(x.errs, x.src.errorf(at, path, format, args...))
	}
	at := n.at
	if at == (position{}) {
		at = key
	}
	switch k := v.ErrorKind.(type) {
	case *kind.AdditionalProperties:
		for _, name := range k.Properties {
			m := n.lookup(name)
			add(n.keyOf(name), memberPath(path, name), "%s", x.unknownMember(v.SchemaURL, m))
		}
	case *kind.PropertyNames:
		add(n.keyOf(k.Property), memberPath(path, k.Property), `a variable's name is not empty and has neither "=" nor NUL in it`)
	case *kind.AnyOf:
		add(at, path, "%s", resourceMessage(n))
	case *kind.Type:
		add(at, path, "%s", typeMessage(n, k.Want))
	case *kind.Enum:
		add(at, path, "%s", enumMessage(n, k.Want))
	case *kind.Required:
		add(at, path, "lacks %s", strings.Join(k.Missing, ", "))
	case *kind.MinLength, *kind.MinItems:
		add(at, path, "is empty; leave it out, or say something")
	case *kind.UniqueItems:
		twice := n.items[k.Duplicates[1]]
		add(twice.at, elementPath(path, k.Duplicates[1]), "%s stands a second time", quoted(twice.text))
	case *kind.Pattern:
		add(at, path, "is %s, %s", quoted(k.Got), patternMessage(v.SchemaURL))
	case *kind.Format:
		add(at, path, "is %s, want a URL", quoted(n.text))
	default:
		if len(v.Causes) == 0 {
			add(at, path, "is not what the schema wants (%s)", strings.Join(v.ErrorKind.KeywordPath(), "/"))
		}
		for _, cause := range v.Causes {
			x.explain(cause)
		}
	}
}

// unknownMember says what else the member could have been, or where it belongs.
func (x *explainer) unknownMember(url string, m *member) string {
	known := x.members(url)
	if guess := nearest(m.name, known); guess != "" {
		return fmt.Sprintf("unknown member, did you mean %q?", guess)
	}
	for _, place := range []string{"side_effects", "declaration", "capability"} {
		if slices.Contains(x.members("#/$defs/"+place), m.name) {
			return fmt.Sprintf("unknown member here, it belongs in %s", placeNames[place])
		}
	}
	return "unknown member, want one of " + strings.Join(known, ", ")
}

var placeNames = map[string]string{
	"side_effects": "side_effects",
	"declaration":  "defaults, or in a tool under tools",
	"capability":   "an element of capabilities_required",
}

// otherWords are what people write for a resource category.
var otherWords = map[string]string{
	"file": "filesystem", "files": "filesystem", "fs": "filesystem", "disk": "filesystem",
	"net": "network", "http": "network", "https": "network", "internet": "network",
	"env": "environment", "db": "database", "sql": "database",
	"exec": "process", "shell": "process", "subprocess": "process", "os": "system",
}

func resourceMessage(n *node) string {
	if n.kind != stringKind {
		return typeMessage(n, []string{"string"})
	}
	want := "want one of " + strings.Join(seal.Resources, ", ") + ", or a name of your own with a reverse-domain prefix, such as com.example.printer"
	guess := otherWords[strings.ToLower(n.text)]
	if guess == "" {
		guess = nearest(n.text, seal.Resources)
	}
	switch {
	case n.text == "*":
		return fmt.Sprintf("there is no category for all: write [%s]", strings.Join(seal.Resources, ", "))
	case guess != "":
		return fmt.Sprintf("unknown resource category %s, did you mean %q?", quoted(n.text), guess)
	}
	return fmt.Sprintf("unknown resource category %s, %s", quoted(n.text), want)
}

func enumMessage(n *node, want []any) string {
	names := make([]string, len(want))
	for i, w := range want {
		names[i] = fmt.Sprint(w)
	}
	if n.kind != stringKind {
		return fmt.Sprintf("is %s, want one of %s", n.describe(), strings.Join(names, ", "))
	}
	if guess := nearest(n.text, names); guess != "" {
		return fmt.Sprintf("unknown value %s, did you mean %q?", quoted(n.text), guess)
	}
	return fmt.Sprintf("unknown value %s, want one of %s", quoted(n.text), strings.Join(names, ", "))
}

func patternMessage(url string) string {
	switch {
	case strings.HasSuffix(url, "/reverse_domain"):
		return "want a reverse-domain name, such as io.github.acme"
	case strings.HasSuffix(url, "/url"):
		return "want a URL that begins with https:// or http://"
	}
	return "want a text without NUL"
}

// typeMessage says what n is, what it should be, and how to write that.
func typeMessage(n *node, want []string) string {
	is := fmt.Sprintf("is %s, want %s", n.describe(), wantName(want))
	switch w := kindOf(want); {
	case w == stringKind && (n.kind == numberKind || n.kind == booleanKind):
		return is + fmt.Sprintf(": write %q", bounded(n.text, maxQuoted))
	case w == arrayKind && n.kind == stringKind && isWord(n.text):
		return is + fmt.Sprintf(": write [%s]", n.text)
	case w == arrayKind && n.kind == nullKind:
		return is + ": write [] for none"
	case w == booleanKind && n.kind == stringKind:
		switch strings.ToLower(n.text) {
		case "yes", "on", "y", "true":
			return is + ": write true"
		case "no", "off", "n", "false":
			return is + ": write false"
		}
	}
	return is
}

func kindOf(want []string) jsonKind {
	for _, w := range want {
		if w != "null" {
			return jsonKind(w)
		}
	}
	return nullKind
}

func wantName(want []string) string {
	switch kindOf(want) {
	case objectKind:
		return "a mapping"
	case arrayKind:
		return "a list"
	case stringKind:
		return "a text"
	case booleanKind:
		return "true or false"
	}
	return strings.Join(want, " or ")
}

func (n *node) describe() string {
	switch n.kind {
	case objectKind:
		return "a mapping"
	case arrayKind:
		return "a list"
	case stringKind:
		return "the text " + quoted(n.text)
	case numberKind:
		return "the number " + bounded(n.text, maxQuoted)
	case booleanKind:
		return n.text
	}
	return "empty"
}
