package lineage

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/mcp-integrity/seal-action/internal/escape"
	"github.com/mcp-integrity/seal-action/seal"
)

// header is the first line of a message by Conventional Commits 1.0.0.
var header = regexp.MustCompile(`^([A-Za-z]{1,20})(\([^()\n]{0,60}\))?(!)?: +(\S.*)$`)

// commitTypes are the types of commits that speak of what is released. Others
// (docs, test, ci, style, chore) say nothing to those who use a tool.
var commitTypes = map[string]string{
	"feat": TypeFeature, "feature": TypeFeature,
	"fix": TypeBugfix, "bugfix": TypeBugfix, "perf": TypeBugfix, "revert": TypeBugfix,
	"refactor": TypeRefactor,
	"security": TypeSecurity, "sec": TypeSecurity,
	"deps": TypeDependency,
}

// ParseCommit reads a commit's message by Conventional Commits 1.0.0, and
// reports whether it states a change. "!" before the colon, or a footer
// "BREAKING CHANGE: ", makes it breaking whatever its type; the scope "deps"
// makes it one of dependencies.
func ParseCommit(message string) (Stated, bool) {
	first, body, _ := strings.Cut(message, "\n")
	m := header.FindStringSubmatch(strings.TrimRight(first, "\r"))
	if m == nil {
		return Stated{}, false
	}
	s := Stated{Type: commitTypes[strings.ToLower(m[1])], Text: line(m[4]), Commit: true}
	if strings.EqualFold(m[2], "(deps)") || strings.EqualFold(m[2], "(deps-dev)") {
		s.Type = TypeDependency
	}
	if m[3] != "" || breakingFooter(body) {
		s.Type = TypeBreaking
	}
	return s, s.Type != "" && s.Text != ""
}

func breakingFooter(body string) bool {
	for text := range strings.Lines(body) {
		if strings.HasPrefix(text, "BREAKING CHANGE: ") || strings.HasPrefix(text, "BREAKING-CHANGE: ") {
			return true
		}
	}
	return false
}

// subjects returns the commits in words, the strongest first.
func subjects(commits []seal.Change) string {
	commits = slices.Clone(commits)
	slices.SortStableFunc(commits, func(a, b seal.Change) int {
		return cmp.Compare(slices.Index(ChangeTypes, a.Type), slices.Index(ChangeTypes, b.Type))
	})
	var texts []string
	for _, c := range commits[:min(len(commits), maxSubjects)] {
		texts = append(texts, cut(c.Description, maxSentence/maxSubjects))
	}
	text := strings.Join(texts, "; ")
	if more := len(commits) - maxSubjects; more > 0 {
		text += fmt.Sprintf("; and %d more commits", more)
	}
	return text
}

// line returns s as one line without what has no ink, cut to maxStatedText.
func line(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case escape.Hidden(r):
			return -1
		}
		return r
	}, cut(s, maxStatedText))
	return strings.Join(strings.Fields(s), " ")
}

// cut returns s, or what of it fits into n bytes.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return s[:boundary([]byte(s[:n+1]), n)] + "…"
}
