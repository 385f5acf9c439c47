package strictyaml

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/mcp-integrity/seal-action/internal/escape"
)

// An Error is one thing that is wrong with a file, and where.
type Error struct {
	// File is the name to print: that of the [Format], unless [In] set another.
	File string
	// Line and Column count from 1; columns are characters, not bytes.
	Line, Column int
	// Path is the member's path, such as tools.writeFile.side_effects.reads;
	// "" where the text is not YAML.
	Path string
	// Message says what is wrong, and what was wanted.
	Message string

	line  string // the source line
	width int    // characters to underline
	cause error
}

// Unwrap returns the error that the message is of; see [Document.Wrap].
func (e *Error) Unwrap() error { return e.cause }

// Error returns "file:line:column: path: message" on one line, with nothing in
// it that could move a terminal's cursor.
func (e *Error) Error() string {
	if e.Path == "" {
		return fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, e.Column, e.Message)
	}
	return fmt.Sprintf("%s:%d:%d: %s: %s", e.File, e.Line, e.Column, e.Path, e.Message)
}

// excerptWidth is the most of a source line that an excerpt shows.
const excerptWidth = 100

// Excerpt returns the source line and a second line with carets under the
// place, each ending in a newline; "" where there is no such line.
//
//	12 |       network_egres: true
//	   |       ^^^^^^^^^^^^^
func (e *Error) Excerpt() string {
	runes := []rune(e.line)
	if len(runes) == 0 || e.Column > len(runes)+1 {
		return ""
	}
	from := max(0, min(e.Column-1-excerptWidth/2, len(runes)-excerptWidth))
	to := min(len(runes), from+excerptWidth)
	under := max(1, min(e.width, to-(e.Column-1)))
	for i, r := range runes {
		if !unicode.IsPrint(r) || escape.Hidden(r) {
			runes[i] = ' ' // one for one, so that the carets stay in place
		}
	}
	number := strconv.Itoa(e.Line)
	return fmt.Sprintf("%s | %s\n%*s | %s%s\n", number, string(runes[from:to]),
		len(number), "", strings.Repeat(" ", e.Column-1-from), strings.Repeat("^", under))
}

// Errors are all that is wrong with a file, by line; never empty.
type Errors []*Error

// Error returns the errors, one a line.
func (e Errors) Error() string {
	lines := make([]string, len(e))
	for i, err := range e {
		lines[i] = err.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap lets errors.As find the first [*Error].
func (e Errors) Unwrap() []error {
	errs := make([]error, len(e))
	for i, err := range e {
		errs[i] = err
	}
	return errs
}

// In returns err with every [Error] in it naming file: for callers that read it
// from another place than the usual.
func In(file string, err error) error {
	var errs Errors
	if !errors.As(err, &errs) {
		return err
	}
	named := make(Errors, len(errs))
	for i, e := range errs {
		c := *e
		c.File = file
		named[i] = &c
	}
	return named
}

// Join returns e sorted by place and bounded, or nil where it is empty.
func (e Errors) Join() error {
	if len(e) == 0 {
		return nil
	}
	slices.SortStableFunc(e, func(a, b *Error) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column), cmp.Compare(a.Message, b.Message))
	})
	e = slices.CompactFunc(e, func(a, b *Error) bool {
		return a.Line == b.Line && a.Column == b.Column && a.Path == b.Path && a.Message == b.Message
	})
	if more := len(e) - MaxErrors; more > 0 {
		last := *e[MaxErrors]
		last.Path, last.Message = "", fmt.Sprintf("and %d more errors from here on", more)
		e = append(e[:MaxErrors:MaxErrors], &last)
	}
	return e
}

// A Position is a place in the file, counted from 1, and how many characters it
// takes.
type Position struct{ Line, Column, Width int }

// A Document is a file that was read.
type Document struct {
	Root *Node

	file  string
	lines []string // for the errors to show
}

// Errorf returns an error about what stands at a place and has that path; the
// zero Position is the beginning of the file.
func (d *Document) Errorf(at Position, path, format string, args ...any) *Error {
	e := &Error{
		File: d.file, Line: max(1, at.Line), Column: max(1, at.Column), width: at.Width,
		Path: path, Message: fmt.Sprintf(format, args...),
	}
	if e.Line <= len(d.lines) {
		e.line = d.lines[e.Line-1]
	}
	return e
}

// Wrap is err as an error about what stands at a place, for what goes wrong when
// the file is put to use.
func (d *Document) Wrap(at Position, path string, err error) *Error {
	e := d.Errorf(at, path, "%s", escape.TerminalLimit(err.Error(), maxWrapped))
	e.cause = err
	return e
}

// maxWrapped bounds another error's text within a message, in bytes. It may
// name two files and an address.
const maxWrapped = 1000

// MemberPath is the path of a member of the mapping at path: a dot and a plain
// word, or any other name in brackets and quotes.
func MemberPath(path, name string) string {
	switch {
	case !isWord(name):
		return path + "[" + Quoted(name) + "]"
	case path == "":
		return name
	}
	return path + "." + name
}

// ElementPath is the path of an element of the list at path.
func ElementPath(path string, i int) string { return fmt.Sprintf("%s[%d]", path, i) }

func isWord(p string) bool {
	return p != "" && len(p) <= MaxQuoted && !strings.ContainsFunc(p, func(r rune) bool {
		return !(r == '_' || r == '-' || r < utf8.RuneSelf && (unicode.IsLetter(r) || unicode.IsDigit(r)))
	})
}

// MaxQuoted bounds a stranger's text within a message, in characters.
const MaxQuoted = 100

// Quoted returns s in double quotes, bounded by [MaxQuoted] and printable.
func Quoted(s string) string { return escape.Terminal(strconv.Quote(Bounded(s, MaxQuoted))) }

// Bounded returns at most n characters of s, the last one "…" where it is cut.
func Bounded(s string, n int) string {
	count := 0
	for i := range s {
		if count++; count == n && utf8.RuneCountInString(s[i:]) > 1 {
			return s[:i] + "…"
		}
	}
	return s
}
