package declare

import (
	"slices"

	"github.com/mcp-integrity/seal-action/seal"
)

// Filename is the name of the declarations file, beside the server's code.
const Filename = "mcp-integrity.yaml"

// Bounds on a declarations file. It is written by hand or by [Suggest], for
// servers of which 35 real ones have 811 tools between them.
const (
	// MaxSize is in bytes: 5,000 tools with 200 bytes each.
	MaxSize = 1 << 20
	// maxDepth bounds nested mappings and lists; the schema needs six.
	maxDepth = 32
	// maxSteps and maxMoves bound two ways to make the YAML reader take a
	// minute over such a file. It walks a block mapping once for each of its
	// members: 10,000 tools are 50 million steps, about a second. And it moves
	// all tokens behind a value that is left empty: 2,000 million moves take
	// half a second.
	maxSteps = 50_010_000
	maxMoves = 2_000_000_000
	// maxItems bounds one list: of arguments, hosts, variables, capabilities.
	maxItems = 1_000
	// maxErrors bounds what is reported at once.
	maxErrors = 50
)

// A File is a declarations file that was read and holds: every tool in it that
// says something says all that MIS requires. A nil File declares nothing.
type File struct {
	Publisher seal.Publisher
	Server    Server
	// Artifact lists files, globs, directories or oci:// references, as written.
	Artifact []string

	defaults  Declaration            // of Origin Undeclared where it falls short
	tools     map[string]Declaration // those that say something
	names     []string               // all tools, in the order of the file
	positions map[string]position    // of their keys
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
	src, root, err := readYAML(data)
	if err != nil {
		return nil, err
	}
	if err := applySchema(src, root); err != nil {
		return nil, err
	}
	f := &File{tools: map[string]Declaration{}, positions: map[string]position{}}
	f.readFacts(root)
	if err := f.readTools(src, root); err != nil {
		return nil, err
	}
	return f, nil
}

// readFacts takes over what the schema has checked: absent is empty.
func (f *File) readFacts(root *node) {
	p := root.child("publisher")
	f.Publisher = seal.Publisher{
		ID:        p.child("id").string(),
		Namespace: p.child("namespace").string(),
		URL:       p.child("url").string(),
	}
	f.Server.Command = root.child("server").child("command").strings()
	if env := root.child("server").child("env"); env != nil {
		f.Server.Env = make(map[string]string, len(env.members))
		for _, m := range env.members {
			f.Server.Env[m.name] = m.value.string()
		}
	}
	f.Artifact = root.child("artifact").strings()
}

func (f *File) readTools(src *source, root *node) error {
	defaults := root.child("defaults")
	if defaults != nil {
		d, err := readDefaults(defaults, root.keyOf("defaults"))
		if err != nil {
			return err
		}
		f.defaults = d
	} else {
		f.defaults = Widest()
	}
	var errs Errors
	tools := root.child("tools")
	if tools == nil {
		return nil
	}
	for _, m := range tools.members {
		f.names = append(f.names, m.name)
		f.positions[m.name] = m.at
		if own := (said{}).overlay(m.value); own.isEmpty() {
			continue
		}
		d, wrong := readTool(src, m, defaults)
		errs = append(errs, wrong...)
		f.tools[m.name] = d
	}
	return errs.join()
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
			Name: name, Line: at.line, Column: at.column, DidYouMean: nearest(name, candidates),
		})
	}
	return unknown
}
