package strictyaml

import (
	"strings"
	"testing"
)

// TestExcerptIsBounded shows a line of 300 characters, 90 of them underlined.
func TestExcerptIsBounded(t *testing.T) {
	line := strings.Repeat("é", 300)
	e := &Error{Line: 7, Column: 250, line: line, width: 90}
	lines := strings.Split(e.Excerpt(), "\n")
	if got, want := len([]rune(lines[0])), len("7 | ")+excerptWidth; got != want {
		t.Errorf("an excerpt of %d characters, want %d", got, want)
	}
	if got, want := strings.Count(lines[1], "^"), 50; got != want {
		t.Errorf("%d carets, want %d: no further than the text that is shown", got, want)
	}
}

func TestNearest(t *testing.T) {
	for _, c := range []struct {
		name, want string
		candidates []string
	}{
		{"network_egres", "network_egress", []string{"network_endpoints", "network_egress"}},
		{"wriets", "writes", []string{"reads", "writes"}},
		{"WRITE-FILE", "writeFile", []string{"write", "writeFile"}},
		{"ab", "", []string{"ac", "b"}},
		{"", "", []string{"a"}},
		{"p-i-d", "pid", []string{"paid", "pid"}},
		{"completely", "", []string{"different"}},
		{strings.Repeat("a", 100), "", []string{strings.Repeat("a", 100)}},
		{"abc", "", []string{strings.Repeat("abc", 100)}},
	} {
		if got := Nearest(c.name, c.candidates); got != c.want {
			t.Errorf("Nearest(%q, %q) = %q, want %q", c.name, c.candidates, got, c.want)
		}
	}
}
