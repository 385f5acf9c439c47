package difftext

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/mcp-integrity/seal-action/internal/escape"
	"github.com/mcp-integrity/seal-action/lineage"
)

// WriteClasses prints what the changes mean, tool by tool, to w:
//
//	1 breaking change, 1 addition in 2 tools
//
//	read_file
//	  breaking    adds the required parameter "encoding" (required-added)
//	search
//	  addition    adds the tool (tool-added)
//	  compatible  may be "find" under a new name (tool-renamed, a guess)
//
// The tool with the heaviest change comes first, and within a tool the heaviest
// change. The error is that of w.
func WriteClasses(w io.Writer, c lineage.Classes, o Options) error {
	p := &printer{Options: o}
	p.line("", p.bold(weigh(c)))
	if !c.Snapshots {
		p.line("", "a snapshot is missing: interfaces were compared by their digests")
	}
	groups := byTool(c.Changes)
	if len(groups) > 0 {
		p.line("", "")
	}
	for i, changes := range groups {
		if p.written += p.out.Len(); p.written > maxOutput {
			p.line("", fmt.Sprintf("⟨… not shown: the changes of %s⟩", count(len(groups)-i, "tool", "tools")))
			break
		}
		if _, err := p.out.WriteTo(w); err != nil {
			return err
		}
		p.line("", p.bold(name(changes[0].Tool)))
		for _, change := range changes {
			p.class(change)
		}
	}
	_, err := p.out.WriteTo(w)
	return err
}

// WriteViolations prints which changes the version keeps quiet about, a line
// each; nothing where there are none. The error is that of w.
func WriteViolations(w io.Writer, violations []lineage.Violation, o Options) error {
	p := &printer{Options: o}
	for i, v := range violations {
		if p.out.Len() > maxTool {
			p.more("", len(violations)-i)
			break
		}
		p.line("", p.paint(yellow, "! "+escape.Terminal(v.String())))
	}
	_, err := p.out.WriteTo(w)
	return err
}

// class prints one change. Its text quotes names of the tool, and is escaped all
// the same: it may have come through other hands.
func (p *printer) class(c lineage.ClassChange) {
	weight := fmt.Sprintf("%-10s", c.Weight)
	switch c.Weight {
	case lineage.Breaking:
		weight = p.paint(red, weight)
	case lineage.Expansion, lineage.Unseen:
		weight = p.paint(yellow, weight)
	}
	guess := ""
	if c.Guess {
		guess = ", a guess"
	}
	p.line("  ", fmt.Sprintf("%s  %s (%s%s)", weight, escape.TerminalLimit(c.Text, maxStretch), c.Class, guess))
}

// byTool groups changes, the tool with the heaviest one first.
func byTool(changes []lineage.ClassChange) [][]lineage.ClassChange {
	var groups [][]lineage.ClassChange
	for i := 0; i < len(changes); {
		end := i + 1
		for end < len(changes) && changes[end].Tool == changes[i].Tool {
			end++
		}
		groups = append(groups, changes[i:end:end])
		i = end
	}
	slices.SortStableFunc(groups, func(a, b []lineage.ClassChange) int {
		return cmp.Compare(slices.Index(lineage.Weights, a[0].Weight), slices.Index(lineage.Weights, b[0].Weight))
	})
	return groups
}

// nouns are what a weight is called in a count.
var nouns = map[lineage.Weight][2]string{
	lineage.Breaking:   {"breaking change", "breaking changes"},
	lineage.Expansion:  {"expansion of what a tool may do", "expansions of what tools may do"},
	lineage.Unseen:     {"change that cannot be seen", "changes that cannot be seen"},
	lineage.Addition:   {"addition", "additions"},
	lineage.Wording:    {"change of wording", "changes of wording"},
	lineage.Reduction:  {"reduction of what a tool may do", "reductions of what tools may do"},
	lineage.Compatible: {"compatible change", "compatible changes"},
}

// weigh counts changes by their weight: all of them, those left out, too.
func weigh(c lineage.Classes) string {
	if len(c.Changes) == 0 {
		return "no change"
	}
	weights := map[lineage.Weight]int{}
	for _, change := range c.Changes {
		weights[change.Weight]++
	}
	var parts []string
	for _, w := range lineage.Weights {
		if n := weights[w]; n > 0 {
			parts = append(parts, count(n, nouns[w][0], nouns[w][1]))
		}
	}
	if c.More > 0 {
		parts = append(parts, fmt.Sprintf("%d more", c.More))
	}
	return strings.Join(parts, ", ") + " in " + count(len(byTool(c.Changes)), "tool", "tools")
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
