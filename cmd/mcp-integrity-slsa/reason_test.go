package main

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	serrors "github.com/slsa-framework/slsa-verifier/v2/errors"
)

// library returns the directory of slsa-verifier's source, of the version that
// is compiled in.
func library(t testing.TB) string {
	t.Helper()
	return module(t, "github.com/slsa-framework/slsa-verifier/v2")
}

func module(t testing.TB, path string) string {
	t.Helper()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", path).Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	return strings.TrimSpace(string(out))
}

// TestSentinelsAreComplete: a sentinel that the table lacks would be no verdict.
func TestSentinelsAreComplete(t *testing.T) {
	all, err := filepath.Glob(filepath.Join(library(t), "errors", "*.go"))
	if err != nil || len(all) != 1 {
		t.Fatalf("%q, %v", all, err)
	}
	file, err := parser.ParseFile(token.NewFileSet(), all[0], nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	ast.Inspect(file, func(n ast.Node) bool {
		if v, ok := n.(*ast.ValueSpec); ok {
			want = append(want, strings.ToLower(strings.TrimPrefix(v.Names[0].Name, "Error")))
		}
		return true
	})
	var got []string
	for _, s := range sentinels {
		got = append(got, strings.ReplaceAll(s.reason, "_", ""))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("sentinels (-source +table):\n%s", diff)
	}
	for reason := range undecided {
		if !slices.ContainsFunc(sentinels, func(s struct {
			reason string
			err    error
		}) bool {
			return s.reason == reason
		}) {
			t.Errorf("undecided: %s is no sentinel", reason)
		}
	}
}

// TestTextsAreTheLibrarys: a text that its source no longer has matches nothing.
func TestTextsAreTheLibrarys(t *testing.T) {
	var source strings.Builder
	source.WriteString("x509: ") // the standard library's
	dirs := []string{
		filepath.Join(library(t), "errors"), filepath.Join(library(t), "verifiers/internal/gha"),
		filepath.Join(module(t, "github.com/sigstore/rekor"), "pkg/types/dsse/v0.0.1"),
	}
	for _, dir := range dirs {
		files, _ := filepath.Glob(filepath.Join(dir, "*.go"))
		for _, f := range files {
			data, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			source.Write(data)
		}
	}
	for _, x := range texts {
		for _, part := range strings.Split(strings.TrimSuffix(x.text, ": "), ": ") {
			if !strings.Contains(source.String(), part) {
				t.Errorf("the library has no error %q", part)
			}
		}
	}
	for _, w := range wrappers {
		if !strings.Contains(source.String(), strings.TrimSuffix(w, ": ")) {
			t.Errorf("the library does not wrap with %q", w)
		}
	}
}

func TestExplain(t *testing.T) {
	for _, tt := range []struct {
		err             error
		verdict, reason string
	}{
		{errors.New("something new"), verdictUndecided, reasonUnclassified},
		{fmt.Errorf("%w: no such host", errTrustedRoot), verdictUndecided, reasonTrustedRoot},
		{fmt.Errorf("%w: dial tcp", serrors.ErrorRekorSearch), verdictUndecided, "rekor_search"},
		{fmt.Errorf("%w: no matching rekor entries", serrors.ErrorRekorSearch), verdictFail, "rekor_search"},
		{fmt.Errorf("%w: no matching entries found", serrors.ErrorRekorSearch), verdictFail, "rekor_search"},
		{fmt.Errorf("%w: got unexpected errors dial tcp", serrors.ErrorNoValidRekorEntries), verdictUndecided, "no_valid_rekor_entries"},
		{fmt.Errorf("error verifying tlog entry: %w: rekor public key is not an ECDSA key", serrors.ErrorRekorPubKey), verdictUndecided, reasonUnsupported},
		{serrors.ErrorNotSupported, verdictUndecided, "not_supported"},
		{errors.New("matching bundle entry with content: unexpected tlog entry type: hashedrekord 0.0.2"), verdictUndecided, reasonUnsupported},
		{errors.New("matching bundle entry with content: bundle tlog entry does not match signature"), verdictFail, reasonLogEntry},
		{fmt.Errorf("expected hash 'x' not found: %w", serrors.ErrorMismatchHash), verdictFail, "mismatch_hash"},
		// A stranger's text inside a plain refusal does not soften it.
		{fmt.Errorf("unmarshaling bundle: %w", serrors.ErrorMismatchSource), verdictFail, "mismatch_source"},
		{fmt.Errorf("%w: got 'unmarshaling bundle: '", serrors.ErrorMismatchSource), verdictFail, "mismatch_source"},
		{errors.New("got 'invalid npm attestations'"), verdictUndecided, reasonUnclassified},
	} {
		if verdict, reason := explain(tt.err); verdict != tt.verdict || reason != tt.reason {
			t.Errorf("%v: %s %s, want %s %s", tt.err, verdict, reason, tt.verdict, tt.reason)
		}
	}
}
