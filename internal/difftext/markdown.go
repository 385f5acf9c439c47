package difftext

import (
	"fmt"
	"io"
	"regexp"
	"strings"

	"github.com/mcp-integrity/seal-action/internal/escape"
	"github.com/mcp-integrity/seal-action/lineage"
)

// DefaultLimit is how long a Markdown report may be, in bytes. GitHub refuses a
// comment of more than 65,536 characters, GitLab one of 1,000,000; some room is
// left for who posts it.
const DefaultLimit = 65_000

// Bounds of a Markdown report, so that no tool fills it at the expense of others.
const (
	minLimit = 4 << 10 // the counts and the frame
	// maxRows are the changes of one tool in the table; the rest is counted.
	maxRows = 15
	// maxItems are the violations, and the schema changes of one tool.
	maxItems = 20
	// maxToolWords bounds the words of one tool, in bytes.
	maxToolWords = 8 << 10
	// The parts of the limit, in percent, that violations and then the table may
	// take; words get the rest.
	violationsPart, tablePart = 20, 60
	// maxName bounds a name, a path, or a value, in bytes before it is escaped for
	// HTML.
	maxName = 120
	// maxClause bounds what a change is said in.
	maxClause = 300
)

// Report is what changed between two releases.
type Report struct {
	// Old and New name the releases, such as "acme 1.2.0".
	Old, New string
	Classes  lineage.Classes
	// Words are the changes as [lineage.Diff] returns them; nil where a snapshot
	// is missing.
	Words []lineage.ToolChange
	// Flags are those of MIS §13.3 by tool; nil where a manifest is missing.
	Flags map[string]lineage.Flags
	// Violations are the changes that the version keeps quiet about.
	Violations []lineage.Violation
}

// MarkdownOptions are how to write Markdown.
type MarkdownOptions struct {
	// Limit bounds the output in bytes; 0 is [DefaultLimit], and less than 4 KiB
	// counts as that.
	Limit int
	// Whole is where all of it can be read, such as a command or the name of a
	// file; "" where nobody can say. It is shown where something is left out.
	Whole string
}

// Markdown writes a report for a pull request to w, as GitHub and GitLab render
// it: the violations, a table of the changes by tool, how descriptions changed in
// inserted and deleted words, and what changed in schemas, folded. The error is
// that of w.
//
// Headings and counts are ours, and in Markdown. What may hold a stranger's text
// is a block of HTML without a blank line, in which no Markdown is read; the text
// in it is escaped ([escape.HTML]) and stands within <code>, where neither
// platform looks for mentions, references and addresses. So a tool can forge no
// heading, link, task, mention or tag.
//
// What does not fit is left out, the lightest first, and counted.
func Markdown(w io.Writer, r Report, o MarkdownOptions) error {
	if o.Limit == 0 {
		o.Limit = DefaultLimit
	}
	m := &markdown{Report: r, limit: max(o.Limit, minLimit), changes: r.Classes.More}
	m.block("## Tool changes: " + weigh(r.Classes))
	m.block("<p>from " + code(r.Old) + " to " + code(r.New) + "</p>")
	if !r.Classes.Snapshots {
		m.block("<p>A snapshot is missing: interfaces were compared by their digests.</p>")
	}
	m.violations()
	m.table()
	m.words()
	m.leftOut(o.Whole)
	_, err := io.WriteString(w, m.out.String())
	return err
}

// A markdown is a report that is being written.
type markdown struct {
	Report
	limit int
	out   strings.Builder
	// What is left out.
	changes, texts int
}

// block writes one block with the blank line that ends it.
func (m *markdown) block(text string) { m.out.WriteString(text + "\n\n") }

// frame is what a section takes beside its lines, and what the note at the end
// takes.
const frame = 1 << 10

// fits says whether some more bytes stay within so many percent of the limit.
func (m *markdown) fits(n, percent int) bool {
	return m.out.Len()+n+frame <= m.limit*percent/100
}

func (m *markdown) violations() {
	if len(m.Violations) == 0 {
		return
	}
	m.block("### The version keeps quiet about " + count(len(m.Violations), "change", "changes"))
	lines := "<ul>\n"
	for i, v := range m.Violations {
		line := "<li>" + violation(v) + "</li>\n"
		if i == maxItems || !m.fits(len(lines)+len(line), violationsPart) {
			lines += fmt.Sprintf("<li>and %d more</li>\n", len(m.Violations)-i)
			break
		}
		lines += line
	}
	m.block(lines + "</ul>")
}

func violation(v lineage.Violation) string {
	want := fmt.Sprintf("a %s step", v.Want)
	if v.Version != "" {
		want += ", " + code(v.Version) + " or later"
	}
	made := fmt.Sprintf("the step is %s", v.Step)
	if v.Step == lineage.StepUnknown {
		made = "the versions cannot be compared"
	}
	return fmt.Sprintf("%s %s (%s): want %s; %s", code(v.Tool), clause(v.Change.Text), v.Change.Weight, want, made)
}

// table writes the changes, the heaviest tool first.
func (m *markdown) table() {
	groups := byTool(m.Classes.Changes)
	if len(groups) == 0 {
		return
	}
	m.block("### By tool")
	columns, flags := "<th>Tool</th><th>Weight</th><th>Change</th><th>Class</th>", m.Flags != nil
	if flags {
		columns += "<th>Flags</th>"
	}
	rows := "<table>\n<tr>" + columns + "</tr>\n"
	for i, changes := range groups {
		group := m.rows(changes, flags)
		if !m.fits(len(rows)+len(group), tablePart) {
			left := 0
			for _, g := range groups[i:] {
				left += len(g)
			}
			m.changes += left
			rows += fmt.Sprintf("<tr><td colspan=\"%d\">and %s of %s</td></tr>\n", 5, count(left, "change", "changes"), count(len(groups)-i, "more tool", "more tools"))
			break
		}
		rows += group
	}
	m.block(rows + "</table>")
}

// rows writes the changes of one tool.
func (m *markdown) rows(changes []lineage.ClassChange, flags bool) string {
	var b strings.Builder
	tool := changes[0].Tool
	for i, c := range changes {
		if i == maxRows {
			left := len(changes) - i
			m.changes += left
			fmt.Fprintf(&b, "<tr><td></td><td></td><td>and %s</td><td></td></tr>\n", count(left, "more change", "more changes"))
			break
		}
		first, last := "", ""
		if flags {
			last = "<td></td>"
		}
		if i == 0 {
			if first = code(tool); flags {
				last = "<td>" + flagsOf(m.Flags[tool]) + "</td>"
			}
		}
		weight := string(c.Weight)
		if c.Weight == lineage.Breaking || c.Weight == lineage.Expansion {
			weight = "<b>" + weight + "</b>"
		}
		class := string(c.Class)
		if c.Guess {
			class += ", a guess"
		}
		fmt.Fprintf(&b, "<tr><td>%s</td><td>%s</td><td>%s</td><td>%s</td>%s</tr>\n", first, weight, clause(c.Text), class, last)
	}
	return b.String()
}

func flagsOf(f lineage.Flags) string {
	var set []string
	for _, flag := range []struct {
		set  bool
		name string
	}{{f.Interface, "interface"}, {f.Capabilities, "capabilities"}, {f.SideEffects, "side effects"}} {
		if flag.set {
			set = append(set, flag.name)
		}
	}
	return strings.Join(set, ", ")
}

// leftOut says what is missing, and where all of it is.
func (m *markdown) leftOut(whole string) {
	var parts []string
	if m.changes > 0 {
		parts = append(parts, count(m.changes, "change", "changes"))
	}
	if m.texts > 0 {
		parts = append(parts, "the words of "+count(m.texts, "tool", "tools"))
	}
	if parts == nil {
		return
	}
	if whole != "" {
		whole = "; all of it: " + code(whole)
	}
	m.block("<p>Not shown for want of room: " + strings.Join(parts, " and ") + whole + ".</p>")
}

// code returns a stranger's text as a piece of code.
func code(s string) string { return markup(escape.TerminalLimit(s, maxName)) }

// markup returns escaped text as a piece of code.
func markup(escaped string) string { return "<code>" + escape.HTML(escaped) + "</code>" }

var (
	quoted = regexp.MustCompile(`"(?:[^"\\]|\\.)*"`)
	// ours are the words that stand between the quoted names of a clause. Digits in
	// a row could be the beginning of a commit's hash.
	ours     = regexp.MustCompile(`^[A-Za-z0-9 ,.;:()+…-]*$`)
	suspect  = regexp.MustCompile(`[0-9A-Fa-f]{7}|[A-Z]-[0-9]|[Ww]{3}\.|:[/A-Za-z]`)
	harmless = func(s string) bool { return ours.MatchString(s) && !suspect.MatchString(s) }
)

// clause writes what a change is said in: its quoted parts, which are the tool's,
// as code; the whole of it, where it has anything else that is not plainly ours.
func clause(text string) string {
	safe := escape.TerminalLimit(text, maxClause)
	var b strings.Builder
	at := 0
	for _, q := range quoted.FindAllStringIndex(safe, -1) {
		if between := safe[at:q[0]]; !harmless(between) {
			return markup(safe)
		}
		b.WriteString(safe[at:q[0]] + markup(safe[q[0]:q[1]]))
		at = q[1]
	}
	if !harmless(safe[at:]) {
		return markup(safe)
	}
	return b.String() + safe[at:]
}
