package declare

import (
	"slices"

	"github.com/mcp-integrity/seal-action/internal/strictyaml"
	"github.com/mcp-integrity/seal-action/seal"
)

// Filename is the name of the declarations file, beside the server's code.
const Filename = "mcp-integrity.yaml"

// MaxSize bounds a declarations file, in bytes.
const MaxSize = strictyaml.MaxSize

// What is wrong with a declarations file, and where; see [strictyaml.Error].
type (
	Error  = strictyaml.Error
	Errors = strictyaml.Errors
)

// In returns err with every [Error] in it naming file instead of [Filename]:
// for callers that read the declarations from another place.
func In(file string, err error) error { return strictyaml.In(file, err) }

// A File is a declarations file that was read and holds: every tool in it that
// says something says all that MIS requires. A nil File declares nothing.
type File struct {
	Publisher seal.Publisher
	Server    Server
	// Artifact lists files, globs, directories or oci:// references, as written.
	Artifact []string

	defaults  Declaration                    // of Origin Undeclared where it falls short
	tools     map[string]Declaration         // those that say something
	names     []string                       // all tools, in the order of the file
	positions map[string]strictyaml.Position // of their keys
}

// Server says how the tool server is started. Command is empty where the file
// does not say; no shell reads it.
type Server struct {
	Command []string
	Env     map[string]string
}

// Parse reads a declarations file, at most [MaxSize] bytes. The error is
// [Errors], each with its line; errors.As finds the first [*Error].
func Parse(data []byte) (*File, error) {
	doc, err := format.Read(data)
	if err != nil {
		return nil, err
	}
	f := &File{tools: map[string]Declaration{}, positions: map[string]strictyaml.Position{}}
	f.readFacts(doc.Root)
	if err := f.readTools(doc); err != nil {
		return nil, err
	}
	return f, nil
}

// readFacts takes over what the schema has checked: absent is empty.
func (f *File) readFacts(root *strictyaml.Node) {
	p := root.Child("publisher")
	f.Publisher = seal.Publisher{
		ID:        p.Child("id").String(),
		Namespace: p.Child("namespace").String(),
		URL:       p.Child("url").String(),
	}
	f.Server.Command = root.Child("server").Child("command").Strings()
	if env := root.Child("server").Child("env"); env != nil {
		f.Server.Env = make(map[string]string, len(env.Members))
		for _, m := range env.Members {
			f.Server.Env[m.Name] = m.Value.String()
		}
	}
	f.Artifact = root.Child("artifact").Strings()
}

func (f *File) readTools(doc *strictyaml.Document) error {
	root := doc.Root
	defaults := root.Child("defaults")
	if defaults != nil {
		d, err := readDefaults(defaults, root.KeyOf("defaults"))
		if err != nil {
			return err
		}
		f.defaults = d
	} else {
		f.defaults = Widest()
	}
	var errs Errors
	tools := root.Child("tools")
	if tools == nil {
		return nil
	}
	for _, m := range tools.Members {
		f.names = append(f.names, m.Name)
		f.positions[m.Name] = m.At
		if own := (said{}).overlay(m.Value); own.isEmpty() {
			continue
		}
		d, wrong := readTool(doc, m, defaults)
		errs = append(errs, wrong...)
		f.tools[m.Name] = d
	}
	return errs.Join()
}

// Tools returns the names of the tools that the file lists, in its order.
func (f *File) Tools() []string {
	if f == nil {
		return nil
	}
	return slices.Clone(f.names)
}

// An UnknownTool is a tool that the file lists and the server does not serve:
// most often a slip of the pen, which leaves the real tool undeclared.
type UnknownTool struct {
	Name         string
	Line, Column int
	// DidYouMean is a served tool of a similar name, or "".
	DidYouMean string
}

// UnknownTools returns the tools of the file that are not among served, in the
// order of the file.
func (f *File) UnknownTools(served []string) []UnknownTool {
	if f == nil {
		return nil
	}
	known := make(map[string]bool, len(served))
	for _, s := range served {
		known[s] = true
	}
	// A name that the file lists too is no candidate: its owner is found.
	var candidates []string
	for _, s := range served {
		if _, listed := f.positions[s]; !listed {
			candidates = append(candidates, s)
		}
	}
	var unknown []UnknownTool
	for _, name := range f.names {
		if known[name] {
			continue
		}
		at := f.positions[name]
		unknown = append(unknown, UnknownTool{
			Name: name, Line: at.Line, Column: at.Column, DidYouMean: strictyaml.Nearest(name, candidates),
		})
	}
	return unknown
}
