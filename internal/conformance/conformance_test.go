package conformance

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/mcp-integrity/seal-action/internal/server"
	"github.com/mcp-integrity/seal-action/seal"
	"github.com/mcp-integrity/seal-action/seal/strictjson"
)

// vectorsDir is where the vectors are; its README says what each member means.
var vectorsDir = filepath.Join("..", "..", "testdata", "vectors")

// notVectors are the directories that hold something else.
var notVectors = []string{"external", "keys"}

// kinds are the entry points of each kind of vector.
var kinds = map[string][]entry{
	"json":             jsonEntries(),
	"canonicalization": canonicalizationEntries,
	"canonical":        canonicalEntries,
	"base64":           base64Entries,
	"pae":              paeEntries,
	"fingerprint":      fingerprintEntries,
	"composite":        compositeEntries,
	"schema":           schemaEntries,
	"signature":        signatureEntries,
	"envelope":         envelopeEntries,
	"level":            levelEntries,
	"levels":           levelsEntries,
}

// An entry is one way into the implementation for the bytes of a vector.
type entry struct {
	name string
	// takes says that the entry takes a vector of its kind; nil for all.
	takes func(vector) bool
	// run returns nil when the implementation did what the vector says.
	run func(*desk, vector) error
}

// vector is a file of testdata/vectors. Every member is named: one that the
// runner does not know would be an input that it leaves out.
type vector struct {
	Kind        string         `json:"kind"`
	Description string         `json:"description"`
	MIS         string         `json:"mis"`
	Expect      string         `json:"expect"`
	Error       names          `json:"error"`
	Outputs     jsontext.Value `json:"outputs"`

	Input       jsontext.Value `json:"input"`
	InputBase64 []byte         `json:"input_base64"`
	InputParts  []struct {
		Text  string `json:"text"`
		Times int    `json:"times"`
	} `json:"input_parts"`
	Algorithm   string         `json:"algorithm"`
	PayloadType string         `json:"payload_type"`
	Payload     []byte         `json:"payload_base64"`
	JWK         jsontext.Value `json:"jwk"`
	Message     []byte         `json:"message_base64"`
	Sig         string         `json:"sig"`
	JWKS        jsontext.Value `json:"jwks"`
	VerifiedAt  time.Time      `json:"verified_at"`
	Tools       [][]byte       `json:"tools_base64"`
	Observed    string         `json:"observed"`
	Server      serverInfo     `json:"server"`
	Namespace   string         `json:"namespace"`
	Policy      string         `json:"policy"`
	Trust       []trusted      `json:"trust"`
	Quorum      seal.Quorum    `json:"quorum"`
	Evidence    evidence       `json:"evidence"`

	file string
}

// names are those of MIS §23, in a vector one or a list.
type names []string

func (n *names) UnmarshalJSON(data []byte) error {
	if jsontext.Value(data).Kind() == '"' {
		*n = make(names, 1)
		return json.Unmarshal(data, &(*n)[0])
	}
	return json.Unmarshal(data, (*[]string)(n))
}

func (v vector) valid() bool { return v.Expect != "invalid" }

// bytes is the input as bytes, in whichever form it is stored.
func (v vector) bytes() []byte {
	if v.InputParts == nil {
		return v.InputBase64
	}
	var b bytes.Buffer
	for _, p := range v.InputParts {
		b.WriteString(strings.Repeat(p.Text, p.Times))
	}
	return b.Bytes()
}

// outputs decodes what must come out.
func (v vector) outputs(into any) error {
	if err := strictjson.Unmarshal(v.Outputs, into); err != nil {
		return fmt.Errorf("the vector's outputs: %w", err)
	}
	return nil
}

// judge compares how an entry point ended with what the vector expects.
func (v vector) judge(err error) error {
	switch {
	case v.valid() && err != nil:
		return fmt.Errorf("refused: %w", err)
	case !v.valid() && err == nil:
		return errors.New("accepted")
	}
	return nil
}

// judgeCode is judge where a refusal carries a name: it must be one of the
// vector's, where that has any.
func (v vector) judgeCode(err error) error {
	if wrong := v.judge(err); wrong != nil || err == nil || v.Error == nil {
		return wrong
	}
	if got := seal.CodeOf(err, 0); !slices.Contains(v.Error, got.Name()) {
		return fmt.Errorf("refused with %s (%w), want %s", got.Name(), err, v.Error)
	}
	return nil
}

// judgeNames is judgeCode for a result's list of errors: the vector's names
// and no others.
func (v vector) judgeNames(got []string) error {
	if v.valid() != (len(got) == 0) {
		return fmt.Errorf("errors %q, want %s", got, v.Expect)
	}
	for _, name := range got {
		if v.Error != nil && !slices.Contains(v.Error, name) {
			return fmt.Errorf("errors %q, want %s", got, v.Error)
		}
	}
	return nil
}

func load(t *testing.T, kind string) []vector {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(vectorsDir, kind, "*"))
	if err != nil {
		t.Fatal(err)
	}
	var all []vector
	for _, path := range files {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		v := vector{file: filepath.Base(path)}
		if err := strictjson.Unmarshal(data, &v); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		if v.Kind != kind || v.Description == "" || v.MIS == "" {
			t.Errorf("%s: kind %q, description %q, mis %q: want %q and no empty one", path, v.Kind, v.Description, v.MIS, kind)
		}
		if known := []string{"valid", "invalid", "pass", "warn", "fail", "undecided"}; !slices.Contains(known, v.Expect) {
			t.Errorf("%s: expect %q, want one of %q", path, v.Expect, known)
		}
		all = append(all, v)
	}
	if len(all) == 0 {
		t.Fatalf("%s: no vectors", kind)
	}
	return all
}

// kindsOf are the directories of vectors, each of which must be run.
func kindsOf(t *testing.T) []string {
	t.Helper()
	dirs, err := os.ReadDir(vectorsDir)
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, d := range dirs {
		if !d.IsDir() || slices.Contains(notVectors, d.Name()) {
			continue
		}
		if kinds[d.Name()] == nil {
			t.Errorf("%s: nothing runs this kind of vector", d.Name())
			continue
		}
		found = append(found, d.Name())
	}
	for kind := range kinds {
		if !slices.Contains(found, kind) {
			t.Errorf("%s: there are no vectors of this kind", kind)
		}
	}
	return found
}

func TestVectors(t *testing.T) {
	readme, err := os.ReadFile(filepath.Join(vectorsDir, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range kindsOf(t) {
		if !bytes.Contains(readme, []byte("\n| `"+kind+"` |")) {
			t.Errorf("%s: the README does not say how to run this kind", kind)
		}
		runKind(t, kind, kinds[kind])
	}
}

// runKind runs the vectors of a kind through its entry points, each of which
// must have something to do.
func runKind(t *testing.T, kind string, entries []entry) {
	vectors := load(t, kind)
	runs := make([]atomic.Int32, len(entries))
	var ran atomic.Int32
	t.Run(kind, func(t *testing.T) {
		for _, v := range vectors {
			t.Run(v.file, func(t *testing.T) {
				t.Parallel()
				ran.Add(1)
				for i, e := range entries {
					if e.takes != nil && !e.takes(v) {
						continue
					}
					runs[i].Add(1)
					if err := e.run(newDesk(t, v), v); err != nil {
						t.Errorf("%s: %v\n(%s: %s; %s)", e.name, err, v.Expect, v.Description, v.MIS)
					}
				}
			})
		}
	})
	if int(ran.Load()) < len(vectors) {
		return // -run asks for some of them
	}
	total := int32(0)
	for i, e := range entries {
		n := runs[i].Load()
		if total += n; n == 0 {
			t.Errorf("%s: no vector goes through %s", kind, e.name)
		}
	}
	t.Logf("%s: %d vectors, %d runs through %d entry points", kind, len(vectors), total, len(entries))
}

// TestMain makes this binary the tool server that the vectors' tools are
// listed by over stdio.
func TestMain(m *testing.M) {
	server.MaybeSupervise()
	if dir := os.Getenv(serveVariable); dir != "" {
		os.Exit(serve(dir))
	}
	os.Exit(m.Run())
}
