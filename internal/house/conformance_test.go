package house

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// root is the repository, seen from here.
var root = filepath.Join("..", "..")

// A claim is a row of docs/conformance.md.
type claim struct {
	line    int
	part    string // the heading before it, of the first level
	heading string // the nearest heading
	cells   []string
}

// untested are the headings under which nothing is claimed to be proved.
var untested = []string{"Not met, and why", "Not ours"}

// TestConformance holds docs/conformance.md against the tests: what it names is
// there, every claim names something, and no section of MIS is forgotten.
func TestConformance(t *testing.T) {
	claims, decisions := readClaims(t, filepath.Join(root, "docs", "conformance.md"))
	rows, sections, tests := map[string]int{}, map[string]bool{}, &testNames{}
	for _, c := range claims {
		rows[c.part]++
		at := fmt.Sprintf("docs/conformance.md:%d: ", c.line)
		if c.cells[1] == "" {
			t.Errorf("%sthe row says nothing", at)
		}
		if first := c.cells[0]; strings.HasPrefix(c.part, "1.") {
			if sections[first] = true; !isSection(first) {
				t.Errorf("%sMIS has no section %q", at, first)
			}
		} else if want := strconv.Itoa(rows[c.part]); first != want {
			t.Errorf("%srow %q, want %q", at, first, want)
		}
		for _, d := range decision.FindAllStringSubmatch(strings.Join(c.cells, " "), -1) {
			if !decisions[d[1]] {
				t.Errorf("%sthe page does not say what %s is", at, d[1])
			}
		}
		if slices.Contains(untested, c.heading) {
			continue
		}
		for _, err := range tests.missing(c.cells[len(c.cells)-1]) {
			t.Errorf("%s%v", at, err)
		}
	}
	// That so many rows were found shows that the page is read at all.
	for part, least := range map[string]int{"1. The standard": 170, "2. SAFE-MCP's checklist for signed tools": 9, "3. Attacks": 14} {
		if rows[part] < least {
			t.Errorf("part %q has %d rows, want at least %d", part, rows[part], least)
		}
	}
	for _, s := range demanding {
		if !sections[s] {
			t.Errorf("§%s of MIS demands something, and has no row", s)
		}
	}
}

// TestConformanceNotices breaks references on purpose.
func TestConformanceNotices(t *testing.T) {
	for cell, ok := range map[string]bool{
		"`seal.TestPAE`":                             true,
		"`seal.TestPAE`, `vectors/pae`":              true,
		"`seal/fingerprint.TestOf`":                  true,
		"`keys.TestRevoke`":                          true,
		"`stack.TestSign`":                           true,
		"`script/tofu.txtar`":                        true,
		"`e2e/github.txtar`":                         true,
		"`verify.Example_host`":                      true,
		"`verify.TestVerify/another_artifact`":       true,
		"`verify.TestChain/a_link_replaced`":         true,
		"":                                           false,
		"—":                                          false,
		"seal.TestPAE":                               false,
		"`seal.TestPAE` and more":                    false,
		"`seal.TestPA`":                              false,
		"`seal.testPAE`":                             false,
		"`keys.TestMain`":                            false, // runs the tests, and is none
		"`nowhere.TestPAE`":                          false,
		"`verify.TestVerify/another_artefact`":       false,
		"`seal.TestPAE/another_artifact`":            false,
		"`seal.TestRequirements/level_1:_no_commit`": false, // a row that is not run by its name
		"`seal.hardened`":                            false,
		"`script/nothing.txtar`":                     false,
		"`script/../script/tofu.txtar`":              false,
		"`vectors/nothing`":                          false,
		"`vectors/README.md`":                        false,
		"`vectors/`":                                 false,
		"`vectors/pae`, `seal.TestPAE`, `seal.Test":  false,
	} {
		if err := (&testNames{}).missing(cell); (len(err) == 0) != ok {
			t.Errorf("%q: got %v, want it found: %t", cell, err, ok)
		}
	}
	for s, want := range map[string]bool{"1.2": true, "23": true, "22.1.3": true, "22.1.4": false, "16.6": false, "29": false, "7": true, "07.1": false, "": false, "7.1.1": false} {
		if isSection(s) != want {
			t.Errorf("§%s is a section: got %t", s, !want)
		}
	}
}

// readClaims gives the rows of all tables of a page, and the decisions that it
// explains.
func readClaims(t *testing.T, name string) ([]claim, map[string]bool) {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var all []claim
	var at claim
	columns, decisions := 0, map[string]bool{}
	for i, line := range strings.Split(string(data), "\n") {
		if title, ok := strings.CutPrefix(line, "# "); ok {
			at.part, at.heading = title, title
		} else if title, ok := strings.CutPrefix(line, "## "); ok {
			at.heading = title
		} else if explained := explanation.FindStringSubmatch(line); explained != nil {
			decisions[explained[1]] = true
		}
		if !strings.HasPrefix(line, "|") {
			columns = 0
			continue
		}
		at.line, at.cells = i+1, strings.Split(strings.Trim(line, "|"), "|")
		for n := range at.cells {
			at.cells[n] = strings.TrimSpace(at.cells[n])
		}
		if columns == 0 {
			columns = len(at.cells)
			continue // the table's head
		}
		if len(at.cells) != columns {
			t.Errorf("%s:%d: %d columns, want %d", name, i+1, len(at.cells), columns)
		} else if !strings.HasPrefix(at.cells[0], "---") {
			all = append(all, at)
		}
	}
	return all, decisions
}

var (
	decision      = regexp.MustCompile(`\((D[0-9]+)[a-d]?\)`)
	explanation   = regexp.MustCompile(`^- (D[0-9]+): `)
	referenceList = regexp.MustCompile("^`[^`]+`(, `[^`]+`)*$")
	reference     = regexp.MustCompile("`([^`]+)`")
	goTest        = regexp.MustCompile(`^([a-z0-9/-]+)\.((?:Test|Fuzz|Example)\w*)(?:/(.+))?$`)
	fileName      = regexp.MustCompile(`^(script|e2e|vectors)/([\w.-]+)$`)
)

// testNames knows the functions in the tests of packages that were asked after, by
// directory and name.
type testNames struct {
	packages map[string]map[string]function
}

type function struct {
	isTest bool
	texts  []string // in its body, with blanks as package testing writes them
	calls  []string // functions and methods, without what stands before the dot
}

// hasRow says that fn, or a helper that it calls, runs the rows of a table, and
// that one of the table is row.
func hasRow(all map[string]function, fn function, row string) bool {
	runs := func(name string) bool { return name == "Run" || slices.Contains(all[name].calls, "Run") }
	return slices.Contains(fn.texts, row) && slices.ContainsFunc(fn.calls, runs)
}

// missing says what is wrong with a cell of references.
func (n *testNames) missing(cell string) []error {
	if !referenceList.MatchString(cell) {
		return []error{fmt.Errorf("names no test, or not as a list of them: %q", cell)}
	}
	var all []error
	for _, m := range reference.FindAllStringSubmatch(cell, -1) {
		if err := n.find(m[1]); err != nil {
			all = append(all, err)
		}
	}
	return all
}

func (n *testNames) find(ref string) error {
	if m := fileName.FindStringSubmatch(ref); m != nil {
		return findFile(m[1], m[2])
	}
	m := goTest.FindStringSubmatch(ref)
	if m == nil {
		return fmt.Errorf("%q is neither a test, nor a script, nor a directory of vectors", ref)
	}
	for _, above := range []string{"", "internal", "testdata/sigstack"} {
		all, err := n.in(filepath.Join(root, filepath.FromSlash(above), filepath.FromSlash(m[1])))
		if err != nil {
			return err
		}
		if fn := all[m[2]]; fn.isTest {
			if m[3] != "" && !hasRow(all, fn, m[3]) {
				return fmt.Errorf("%s.%s runs no row %q", m[1], m[2], m[3])
			}
			return nil
		}
	}
	return fmt.Errorf("there is no test %s", ref)
}

func findFile(kind, name string) error {
	pattern := map[string]string{
		"script":  filepath.Join("testdata", "script", name),
		"e2e":     filepath.Join("testdata", "sigstack", "e2e", "script", name),
		"vectors": filepath.Join("testdata", "vectors", name, "*.json"),
	}[kind]
	if found, err := filepath.Glob(filepath.Join(root, pattern)); err != nil || len(found) == 0 {
		return fmt.Errorf("there is no %s/%s (%v)", kind, name, err)
	}
	return nil
}

// in are the functions in the tests of a directory, none where it is not there.
func (n *testNames) in(dir string) (map[string]function, error) {
	if all, ok := n.packages[dir]; ok {
		return all, nil
	}
	names, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil {
		return nil, err
	}
	all := map[string]function{}
	for _, name := range names {
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		for _, d := range f.Decls {
			if d, ok := d.(*ast.FuncDecl); ok && d.Recv == nil {
				all[d.Name.Name] = functionOf(d)
			}
		}
	}
	if n.packages == nil {
		n.packages = map[string]map[string]function{}
	}
	n.packages[dir] = all
	return all, nil
}

// isTest says that go test runs it: by its one parameter, which an example lacks.
// (Its name was asked for by [goTest].)
func isTest(d *ast.FuncDecl) bool {
	params := d.Type.Params.List
	if strings.HasPrefix(d.Name.Name, "Example") {
		return len(params) == 0
	}
	if len(params) != 1 {
		return false
	}
	star, ok := params[0].Type.(*ast.StarExpr)
	if !ok {
		return false
	}
	of, ok := star.X.(*ast.SelectorExpr)
	return ok && (of.Sel.Name == "T" || of.Sel.Name == "F")
}

func functionOf(d *ast.FuncDecl) function {
	fn := function{isTest: isTest(d)}
	ast.Inspect(d, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.BasicLit:
			if text, err := strconv.Unquote(n.Value); n.Kind == token.STRING && err == nil {
				fn.texts = append(fn.texts, strings.ReplaceAll(text, " ", "_"))
			}
		case *ast.CallExpr:
			switch f := n.Fun.(type) {
			case *ast.Ident:
				fn.calls = append(fn.calls, f.Name)
			case *ast.SelectorExpr:
				fn.calls = append(fn.calls, f.Sel.Name)
			}
		}
		return true
	})
	return fn
}

// subsections has the number of sections in each chapter of MIS v1.0.0.
var subsections = [...]int{
	1: 4, 2: 3, 3: 0, 4: 0, 5: 3, 6: 3, 7: 4, 8: 5, 9: 5, 10: 3, 11: 5, 12: 3, 13: 5, 14: 5, 15: 3,
	16: 5, 17: 3, 18: 4, 19: 3, 20: 3, 21: 5, 22: 2, 23: 0, 24: 0, 25: 3, 26: 3, 27: 3, 28: 0,
}

// demanding are the sections with a SHALL, a MUST, a REQUIRED or a SHOULD of more
// than wording.
var demanding = strings.Fields("1.2 1.4 2.1 2.2 2.3 7.1 7.2 7.3 7.4 8.2 8.3 8.4 8.5 9.2 9.3 9.4 9.5 10.2 10.3 " +
	"11.2 11.3 11.4 11.5 12.2 12.3 13.2 13.3 13.4 13.5 14.2 14.3 14.4 14.5 15.2 15.3 16.1 16.2 16.3 16.4 16.5 17.1 17.2 " +
	"18.1 18.2 18.3 18.4 19.1 19.2 19.3 20.1 20.2 20.3 21.1 21.2 21.3 21.4 21.5 22.1.1 22.1.2 22.1.3 22.2 24 25.1 25.3 26.1 27.1 27.2 27.3")

func isSection(s string) bool {
	for chapter, sections := range subsections {
		if chapter > 0 && s == strconv.Itoa(chapter) {
			return true
		}
		for n := range sections {
			if s == fmt.Sprintf("%d.%d", chapter, n+1) {
				return true
			}
		}
	}
	return slices.Contains([]string{"22.1.1", "22.1.2", "22.1.3"}, s)
}
