package strictyaml

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
)

// A Format is one kind of file. It is not changed after the first [Format.Read].
type Format struct {
	// Filename is the usual one, and named in errors.
	Filename string
	// Schema is the JSON Schema (2020-12) of the file, SchemaID its $id.
	Schema   []byte
	SchemaID string

	// What follows says in words what the schema says in signs. A schema that has
	// no such sign leaves it out.

	// InsteadOfMerge says what to write instead of a merge key (<<).
	InsteadOfMerge string
	// Pattern says what is wanted where a text does not match the pattern of the
	// schema at url.
	Pattern func(url string) string
	// Enum says what is wanted where a text is none of the values of the schema at
	// url, "" where the nearest one may be told. For values of which one a typing
	// slip away is a weaker one.
	Enum func(url string) string
	// Unit is what a number lacks that stands where the schema at url wants a text,
	// such as the d of 30d; "" where nothing.
	Unit func(url string) string
	// AnyOf says what is wrong with a text that is none of the alternatives.
	AnyOf func(text string) string
	// PropertyNames says what is wanted of the names in a mapping that has rules
	// for them.
	PropertyNames string
	// Elsewhere are the places where a member may belong that stands elsewhere;
	// the first that has it is told.
	Elsewhere []Place

	once     sync.Once
	compiled *schemas
	err      error
}

// A Place is an object of the schema, by its name in $defs, and where it stands
// in a file, in words.
type Place struct{ Def, Name string }

// Read reads a file, at most [MaxSize] bytes, and applies the schema. The error
// is [Errors], each with its line; errors.As finds the first [*Error].
func (f *Format) Read(data []byte) (*Document, error) {
	doc, err := f.read(data)
	if err != nil {
		return nil, err
	}
	if err := f.applySchema(doc); err != nil {
		return nil, err
	}
	return doc, nil
}

// schemas are the schema in both forms that are needed: to validate by, and to
// look up which members an object may have.
type schemas struct {
	validator *jsonschema.Schema
	document  any
}

func (f *Format) compile() (*schemas, error) {
	f.once.Do(func() {
		if f.compiled, f.err = compile(f.SchemaID, f.Schema); f.err != nil {
			f.err = fmt.Errorf("schema of %s: %w", f.Filename, f.err)
		}
	})
	return f.compiled, f.err
}

func compile(id string, schema []byte) (*schemas, error) {
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(schema))
	if err != nil {
		return nil, err
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource(id, document); err != nil {
		return nil, err
	}
	validator, err := c.Compile(id)
	if err != nil {
		return nil, err
	}
	return &schemas{validator: validator, document: document}, nil
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

// applySchema returns all that the schema dislikes about a document.
func (f *Format) applySchema(doc *Document) error {
	s, err := f.compile()
	if err != nil {
		return err
	}
	err = s.validator.Validate(doc.Root.Value())
	if err == nil {
		return nil
	}
	var invalid *jsonschema.ValidationError
	if !errors.As(err, &invalid) {
		return fmt.Errorf("%s: %w", f.Filename, err)
	}
	x := explainer{schemas: s, format: f, doc: doc}
	x.explain(invalid)
	return x.errs.Join()
}

// An explainer turns the library's tree of errors into ours: only the leaves
// say anything, and alternatives (anyOf) are one statement.
type explainer struct {
	*schemas
	format *Format
	doc    *Document
	errs   Errors
}

func (x *explainer) explain(v *jsonschema.ValidationError) {
	n, path, key := x.doc.Root.follow(v.InstanceLocation)
	add := func(at Position, path, message string, args ...any) {
		x.errs = append(x.errs, x.doc.Errorf(at, path, message, args...))
	}
	at := n.At
	if at == (Position{}) {
		at = key
	}
	switch k := v.ErrorKind.(type) {
	case *kind.AdditionalProperties:
		for _, name := range k.Properties {
			m := n.Lookup(name)
			add(n.KeyOf(name), MemberPath(path, name), "%s", x.unknownMember(v.SchemaURL, m))
		}
	case *kind.PropertyNames:
		add(n.KeyOf(k.Property), MemberPath(path, k.Property), "%s", x.format.PropertyNames)
	case *kind.AnyOf:
		add(at, path, "%s", x.anyOfMessage(n))
	case *kind.MaxLength:
		add(at, path, "has %d characters, want at most %d", k.Got, k.Want)
	case *kind.MaxItems:
		add(at, path, "%d elements, want at most %d", k.Got, k.Want)
	case *kind.Minimum:
		add(at, path, "is %s, want %s at least", n.describe(), k.Want.RatString())
	case *kind.Type:
		add(at, path, "%s", x.typeMessage(n, k.Want, v.SchemaURL))
	case *kind.Enum:
		add(at, path, "%s", x.enumMessage(n, k.Want, v.SchemaURL))
	case *kind.Required:
		add(at, path, "lacks %s", strings.Join(k.Missing, ", "))
	case *kind.MinLength, *kind.MinItems:
		add(at, path, "is empty; leave it out, or say something")
	case *kind.UniqueItems:
		twice := n.Items[k.Duplicates[1]]
		add(twice.At, ElementPath(path, k.Duplicates[1]), "%s stands a second time", Quoted(twice.Text))
	case *kind.Pattern:
		add(at, path, "is %s, %s", Quoted(k.Got), x.format.Pattern(v.SchemaURL))
	case *kind.Format:
		add(at, path, "is %s, want a URL", Quoted(n.Text))
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
func (x *explainer) unknownMember(url string, m *Member) string {
	known := x.members(url)
	if guess := Nearest(m.Name, known); guess != "" {
		return fmt.Sprintf("unknown member, did you mean %q?", guess)
	}
	for _, place := range x.format.Elsewhere {
		if slices.Contains(x.members("#/$defs/"+place.Def), m.Name) {
			return fmt.Sprintf("unknown member here, it belongs in %s", place.Name)
		}
	}
	return "unknown member, want one of " + strings.Join(known, ", ")
}
