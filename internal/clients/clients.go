// Package clients finds the MCP servers that a person's MCP clients are
// configured to start or to reach: Claude Desktop, Claude Code, VS Code (with
// Insiders and VSCodium), Cursor, Windsurf, Zed and Gemini CLI, on Linux, macOS
// and Windows. It reads configuration files and starts nothing.
//
// One table (table.go) says for every client which files it reads, where in
// them servers stand, and how an entry reads; everything else follows it:
//
//	find the files → read each, bounded → JSON with comments → entries → variables
//
// # What is promised
//
// Nothing that a client would start is left out silently. A file that cannot
// be read or understood is a Problem with its line and does not spoil the
// others; a server that is named but cannot be started as the client starts it
// has its reason in Server.Problem. Reading is never stricter than the client:
// comments, trailing commas and a byte order mark are accepted everywhere,
// and of a name that stands twice the last one counts, as in JavaScript.
//
// These files are the person's own and hold secrets. No text that this package
// makes (Problem, Server.Problem, String, and what fmt prints of a Server) has
// a value of env, headers or args, or anything of a URL beyond its host;
// what the JSON library says of a bad text is not passed on, as it may quote
// it. Server.Display shows arguments, and the environment as far as it decides what
// runs, with what looks secret left out.
//
// # Known limits
//
//   - Whether a person has switched a server off, or not yet approved it, is
//     partly kept in databases of the clients (VS Code, Cursor, Zed); only
//     switches that stand in configuration files are seen.
//   - Servers that come with extensions of VS Code, Zed and Claude Desktop, or
//     with plugins of Claude Code, stand in no configuration file. Gemini's
//     extensions do, and are read.
//   - An environment variable that is set and empty counts as unset.
package clients

import (
	"fmt"
	"slices"

	"github.com/mcp-integrity/seal-action/internal/escape"
)

// What comes from outside is bounded.
const (
	// maxFile bounds a configuration file: those of people have kilobytes.
	maxFile = 4 << 20
	// maxState bounds ~/.claude.json, in which Claude Code keeps, beside its
	// servers, a history of every project.
	maxState = 64 << 20
	// maxServers bounds what one run returns: a person has dozens, and each is
	// a process that the caller may start.
	maxServers = 1000
	// maxProblems bounds the report: a file of nothing but duplicates would
	// otherwise be one of a million lines.
	maxProblems = 1000
	// maxEntries bounds the folders that stand for a `*` of a path, such as
	// the profiles of VS Code.
	maxEntries = 1000
	// maxArgs bounds arguments, variables and headers of one server, each.
	maxArgs = 10_000
	// maxPath bounds the name of a file in a report; Linux knows no longer one.
	maxPath = 4096
	// maxSwitches bounds the names of servers that are switched off. One that is
	// left out only means that its server is offered for a check.
	maxSwitches = 10_000
	// maxUp bounds the way from the project's directory up to its repository.
	maxUp = 100
)

// Server is one MCP server that a client is configured to start or to reach.
type Server struct {
	Client string // the client: "claude-desktop", "claude-code", "vscode", "vscode-insiders", "vscodium", "cursor", "windsurf", "zed", "gemini-cli"
	Scope  string // for whom: "user", "project", "local", "profile", "extension", "managed" or "system"
	File   string // the file that names it
	Line   int    // the line of its name in File, from 1
	Name   string // its name in that client
	// Project is the directory of the project that it is configured for; "" is any.
	Project string

	// Of a server over standard input and output. Variables are replaced.
	// What can hold secrets stays out of JSON.
	Command string
	Args    []string          `json:"-"`
	Written []string          `json:"-"` // Args as they stand in the file; see Display
	Env     map[string]string `json:"-"` // what the client adds to its own environment
	Dir     string            // where it starts; "" is where its client was started

	// Of a server over HTTP.
	URL     string            `json:"-"`
	Headers map[string]string `json:"-"`

	// Transport is "stdio", "http" (Streamable HTTP, or the older one where
	// the server knows no other) or "sse" (the older one only).
	Transport string

	// Disabled: the client will not start it.
	Disabled bool
	// Problem says why it cannot be checked; "" if it can.
	Problem string
}

// Problem is something in a file that the person should know about.
type Problem struct {
	Client string // the first client that reads File
	File   string
	Line   int    // from 1; 0 where it is about the file as a whole
	Text   string // what is wrong, without a value from the file
}

// String returns "file:line: text". A file's name is escaped: folders of a project
// and of extensions are named by strangers.
func (p Problem) String() string {
	if p.Line == 0 {
		return fmt.Sprintf("%s: %s", escape.TerminalLimit(p.File, maxPath), p.Text)
	}
	return fmt.Sprintf("%s:%d: %s", escape.TerminalLimit(p.File, maxPath), p.Line, p.Text)
}

// Options say where to look. Paths are paths of this machine; GOOS decides only
// which of the documented places are looked at.
type Options struct {
	// Home is the person's home directory; "" leaves out what is below it.
	Home string
	// ConfigDir is where applications keep their configuration; "" means what
	// the operating system says: $XDG_CONFIG_HOME or ~/.config,
	// ~/Library/Application Support, %APPDATA%.
	ConfigDir string
	// Getenv reads the environment; nil is an empty one.
	Getenv func(string) string
	// GOOS is "linux", "darwin" or "windows"; any other is read like linux.
	GOOS string
	// Project is a directory whose configuration is read, too, and that of
	// those above it up to the root of its repository; "" is none.
	Project string
	// SystemRoot stands before the paths that begin at the root of the machine
	// (or of its system drive); "" is the machine itself.
	SystemRoot string
}

// Find reads every configuration file that exists and returns the servers in
// them, by client in the order of the table, then as they stand in the file.
// Problems never stop it.
func Find(o Options) ([]Server, []Problem) {
	if o.Getenv == nil {
		o.Getenv = func(string) string { return "" }
	}
	f := &finder{Options: o, seen: map[string]bool{}}
	f.projects = f.upwards()
	for i := range table {
		for _, at := range f.files(&table[i]) {
			f.file(&table[i], at)
		}
	}
	f.applySwitches()
	return f.servers, f.problems
}

// finder is one run of Find.
type finder struct {
	Options
	projects []string // Project and what is above it, the root of the repository last

	seen     map[string]bool // client, file and place in it, as one can be named twice
	loaded   string          // the file that doc was read from
	doc      *document
	servers  []Server
	problems []Problem
	switches []switched
	managed  map[string]bool // clients whose managed file rules alone
	full     bool            // maxServers was reached
}

// switched is a server that a list somewhere switches off.
type switched struct {
	client string
	scopes []string
	dir    string // only servers of this project; "" is any
	name   string
}

func (f *finder) problem(client, file string, line int, format string, args ...any) {
	p := Problem{client, file, line, fmt.Sprintf(format, args...)}
	// Two rows that read one file find the same in it.
	if len(f.problems) < maxProblems && !slices.Contains(f.problems, p) {
		f.problems = append(f.problems, p)
	}
}

// file reads the servers and the switches in one file.
func (f *finder) file(src *source, at place) {
	key := fmt.Sprintf("%s\x00%s\x00%q", src.client, at.file, src.servers)
	if f.seen[key] {
		return
	}
	f.seen[key] = true
	doc := f.load(src, at.file)
	if doc == nil {
		return
	}
	if src.alone {
		if f.managed == nil {
			f.managed = map[string]bool{}
		}
		f.managed[src.client] = true
	}
	for _, path := range src.servers {
		for _, hit := range f.lookup(src, at, doc, path) {
			f.entries(src, at, doc, hit)
		}
	}
	for _, list := range src.off {
		for _, hit := range f.lookup(src, at, doc, list.path) {
			f.switchOff(src, at, doc, hit, list.scopes)
		}
	}
}

// load reads a file; nil if there is nothing to read. The last one is kept, as
// one file can have several rows.
func (f *finder) load(src *source, file string) *document {
	if f.loaded == file {
		return f.doc
	}
	f.loaded, f.doc = file, nil
	data, err := read(file, src.limit())
	if err != nil {
		f.problem(src.client, file, 0, "%v", cause(err))
		return nil
	}
	if data == nil {
		return nil
	}
	doc, bad := parse(data)
	if bad != nil {
		f.problem(src.client, file, bad.line, "%s", bad.text)
		return nil
	}
	f.doc = doc
	return doc
}

// lookup walks doc to path and reports the names that stand twice on the way.
func (f *finder) lookup(src *source, at place, doc *document, path []string) []hit {
	hits, bad := doc.lookup(path)
	for _, b := range bad {
		f.problem(src.client, at.file, b.line, "%s", b.text)
	}
	return hits
}

// entries reads the object that holds servers.
func (f *finder) entries(src *source, at place, doc *document, where hit) {
	members, bad := doc.object(where.value)
	for _, b := range bad {
		f.problem(src.client, at.file, b.line, "%s", b.text)
	}
	for _, m := range members {
		if len(f.servers) == maxServers {
			if !f.full {
				f.problem(src.client, at.file, doc.line(m.at), "more than %d servers: the rest is left out", maxServers)
			}
			f.full = true
			return
		}
		owner := at.owner(where)
		s := Server{Client: src.client, Scope: src.scope, File: at.file, Line: doc.line(m.at), Name: m.name, Project: owner, Dir: owner}
		e := entry{Server: &s, dialect: src.read, vars: f.vars(src, at, s.Dir), goos: f.GOOS}
		for _, b := range e.decode(doc, m.value) {
			f.problem(src.client, at.file, b.line, "%s", b.text)
		}
		f.servers = append(f.servers, s)
	}
}

// switchOff reads a list of names of servers that are not to be started.
func (f *finder) switchOff(src *source, at place, doc *document, where hit, scopes []string) {
	names, ok := doc.strings(where.value)
	if !ok {
		f.problem(src.client, at.file, doc.line(where.value.at), "a list of servers that are switched off is not a list of strings")
		return
	}
	for _, n := range names[:min(len(names), maxSwitches-len(f.switches))] {
		f.switches = append(f.switches, switched{src.client, scopes, at.owner(where), n})
	}
}

// applySwitches marks what the clients will not start.
func (f *finder) applySwitches() {
	for i := range f.servers {
		s := &f.servers[i]
		if f.managed[s.Client] && s.Scope != scopeManaged {
			s.Disabled = true
		}
		s.Disabled = s.Disabled || slices.ContainsFunc(f.switches, func(w switched) bool {
			return w.client == s.Client && w.name == s.Name && slices.Contains(w.scopes, s.Scope) &&
				(w.dir == "" || sameDir(w.dir, s.Project))
		})
	}
}
