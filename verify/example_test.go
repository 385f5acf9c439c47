package verify_test

import (
	"go/parser"
	"go/token"
	"strings"
	"testing"
)

// TestExampleIsForEverybody: who copies the example has no packages of ours beside
// the public ones.
func TestExampleIsForEverybody(t *testing.T) {
	f, err := parser.ParseFile(token.NewFileSet(), "example_host_test.go", nil, parser.ImportsOnly)
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range f.Imports {
		if strings.Contains(i.Path.Value, "/internal/") {
			t.Errorf("it imports %s", i.Path.Value)
		}
	}
}
