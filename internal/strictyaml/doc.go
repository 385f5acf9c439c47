// Package strictyaml reads the YAML files in which a person says what is
// declared or whom to trust, in one way only: what a program does is what a
// reviewer reads. It is the sole importer of the YAML library.
//
// A file is one document of plain mappings, lists and scalars. Refused are
//
//   - anchors, aliases, merge keys, tags, directives, explicit "?" keys, names
//     that stand twice, and a second document;
//   - tabs, and characters that nobody sees, outside the escapes of double quotes;
//   - what YAML readers disagree on: {a:1}, {a}, a plain "[x" or "a: b" within
//     braces, and text that the parser would leave out.
//
// Each kind of file is a [Format]: its JSON Schema is applied whenever one is
// read. Errors name the line, the column and the path of the member ([Error]),
// and all of them at once ([Errors]).
package strictyaml

// Bounds on a file. The largest that is written, by hand or by a program, lists
// the tools of a server; 35 real servers have 811 tools between them.
const (
	// MaxSize is in bytes: 5,000 tools with 200 bytes each.
	MaxSize = 1 << 20
	// maxDepth bounds nested mappings and lists; the schemas need six.
	maxDepth = 32
	// maxSteps and maxMoves bound two ways to make the YAML reader take a
	// minute over such a file. It walks a block mapping once for each of its
	// members: 10,000 tools are 50 million steps, about a second. And it moves
	// all tokens behind a value that is left empty: 2,000 million moves take
	// half a second.
	maxSteps = 50_010_000
	maxMoves = 2_000_000_000
	// maxItems bounds one list: of arguments, hosts, variables, holders.
	maxItems = 1_000
	// MaxErrors bounds what is reported at once.
	MaxErrors = 50
)
