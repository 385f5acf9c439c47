package artifact

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// checkFacts refuses what must not stand in a manifest: identifier and version
// are printable text of one line and not too long. The optional facts are
// dropped where they are not.
func (f *Found) checkFacts() error {
	if f.Artifact.Identifier == "" {
		return errors.New("identifier is empty")
	}
	if err := checkFact(f.Artifact.Identifier); err != nil {
		return fmt.Errorf("identifier: %w", err)
	}
	if err := checkFact(f.Artifact.Version); err != nil {
		return fmt.Errorf("version: %w", err)
	}
	for name, fact := range map[string]*string{
		"mcpName": &f.MCPName, "repository": &f.Repository, "directory": &f.Directory,
		"license": &f.License, "revision": &f.Revision, "entrypoint": &f.Entrypoint,
	} {
		if err := checkFact(*fact); err != nil {
			f.note("%s is left out: %v", name, err)
			*fact = ""
		}
	}
	return nil
}

func checkFact(s string) error {
	switch {
	case len(s) > maxFact:
		return fmt.Errorf("%d bytes, want at most %d", len(s), maxFact)
	case !utf8.ValidString(s):
		return fmt.Errorf("%.100q is not UTF-8", s)
	case strings.TrimSpace(s) != s:
		return fmt.Errorf("%.100q begins or ends with a blank", s)
	case strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }):
		return fmt.Errorf("%.100q has a character that does not print", s)
	}
	return nil
}

// oneLine is a stranger's text for one of our errors: its first n bytes, without
// what does not print.
func oneLine(s string, n int) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, s[:min(n, len(s))])
}

// join lists names.
func join[S ~string](values []S) string {
	var names []string
	for _, v := range values {
		names = append(names, string(v))
	}
	return strings.Join(names, ", ")
}
