package provenance

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
)

func TestParseRefuses(t *testing.T) {
	payload := mustNew(t, github())
	change := func(f func(s object)) []byte { return edit(t, payload, f) }
	subject := func(name string, value any) []byte {
		return change(func(s object) { in0(s["subject"])[name] = value })
	}
	many := func(n int, one any) (list []any) {
		for range n {
			list = append(list, one)
		}
		return list
	}
	digests := object{}
	for n := range MaxDigests + 1 {
		digests[fmt.Sprint("x", n)] = "y"
	}
	for _, c := range []struct {
		name    string
		payload []byte
		want    string
	}{
		{"nothing", nil, "EOF"},
		{"no JSON", []byte("{"), "JSON"},
		{"two values", append(payload[:len(payload):len(payload)], payload...), "behind the value"},
		{"a duplicate member", []byte(strings.Replace(string(payload), `"_type"`, `"_type":"x","_type"`, 1)), "duplicate"},
		{"a duplicate member of the predicate", []byte(strings.Replace(string(payload), `"buildType"`, `"buildType":"x","buildType"`, 1)), "duplicate"},
		{"another case", []byte(strings.Replace(string(payload), `"subject"`, `"Subject"`, 1)), "Subject"},
		{"an unknown member", change(func(s object) { s["mcp"] = "x" }), "not known"},
		{"an unknown member of a subject", subject("size", 7.0), "not known"},
		{"no type", change(func(s object) { delete(s, "_type") }), `_type: got ""`},
		{"another type", change(func(s object) { s["_type"] = "https://in-toto.io/Statement/v2" }), "_type"},
		{"no subjects", change(func(s object) { s["subject"] = []any{} }), "0 subjects"},
		{"too many subjects", change(func(s object) { s["subject"] = many(MaxSubjects+1, in0(s["subject"])) }), "1025 subjects"},
		{"no digest", subject("digest", object{}), "0 digests"},
		{"too many digests", subject("digest", digests), "33 digests"},
		{"a digest in capitals", subject("digest", object{"sha256": strings.ToUpper(artifact.Encoded())}), "lower-case"},
		{"a digest that is none", subject("digest", object{"sha512": artifact.Encoded()}), "sha512"},
		{"a long name", subject("name", strings.Repeat("x", maxName+1)), "4097 bytes"},
		{"another predicate", change(func(s object) { s["predicateType"] = "https://slsa.dev/verification_summary/v1" }), "no SLSA provenance"},
		{"no predicate", change(func(s object) { delete(s, "predicate") }), "predicate"},
		{"a predicate that is none", change(func(s object) { s["predicate"] = "x" }), "predicate"},
		{"a build type that is none", change(func(s object) { in(s["predicate"].(object), ".buildDefinition")["buildType"] = 7.0 }), "predicate"},
		{"no build type", change(func(s object) { delete(in(s["predicate"].(object), ".buildDefinition"), "buildType") }), "buildDefinition.buildType"},
		{"no builder", change(func(s object) { delete(s["predicate"].(object), "runDetails") }), "runDetails.builder.id"},
		{"no builder in v0.2", change(func(s object) { s["predicateType"] = PredicateTypeV02 }), "builder.id"},
		{"too many dependencies", change(func(s object) {
			in(s["predicate"].(object), ".buildDefinition")["resolvedDependencies"] = many(maxDependencies+1, object{})
		}), "100001 dependencies"},
		{"too long", make([]byte, MaxStatement+1), "bytes, want at most"},
		{"too deep", []byte(strings.Repeat("[", 1<<20)), "nested deeper"},
		{"a number beyond a double", []byte(strings.Replace(string(payload), `"push"`, "1e999", 1)), "binary64"},
	} {
		s, err := Parse(c.payload)
		if err == nil || !strings.Contains(err.Error(), c.want) || len(err.Error()) > 600 {
			t.Errorf("%s: want an error with %q, got %v and %v", c.name, c.want, err, s)
		}
		if got, want := errors.Is(err, ErrPredicateType), c.name == "another predicate"; got != want {
			t.Errorf("%s: ErrPredicateType is %t", c.name, got)
		}
	}
}

// TestParseAccepts what other builders write.
func TestParseAccepts(t *testing.T) {
	sum := strings.Repeat("a", 64)
	for name, payload := range map[string]string{
		"GitLab's runner":                     `{"_type":"https://in-toto.io/Statement/v0.1","subject":[{"name":"x","digest":{"sha256":"` + sum + `"}}],"predicateType":"https://slsa.dev/provenance/v1","predicate":{"buildDefinition":{"buildType":"https://gitlab.com/gitlab-org/gitlab-runner/-/blob/1/PROVENANCE.md","externalParameters":{"CI":""},"internalParameters":{"job":7},"resolvedDependencies":[{"uri":"https://gitlab.com/a/b","digest":{"sha256":"` + commit + `"}}]},"runDetails":{"builder":{"id":"https://gitlab.com/a/b/-/runners/1","version":{"gitlab-runner":"1"}},"metadata":{"invocationId":"7","startedOn":"2026-01-01T00:00:00Z"}}}}`,
		"a subject with all that it may have": `{"_type":"https://in-toto.io/Statement/v1","subject":[{"name":"","uri":"u","digest":{"blake3":"Z","sha256":"` + sum + `"},"content":"","downloadLocation":"d","mediaType":"m","annotations":{"x":[1]}}],"predicateType":"https://slsa.dev/provenance/v1","predicate":{"buildDefinition":{"buildType":"x"},"runDetails":{"builder":{"id":"y"}},"https://example.com/more":{"x":1}}}`,
	} {
		s, err := Parse([]byte(payload))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if !s.Foreign() || s.Subjects[0].Digest["sha256"] != sum || s.BuilderID() == "" || s.BuildType() == "" || len(s.Predicate) == 0 {
			t.Errorf("%s: got %+v", name, s)
		}
	}
}

// FuzzParseAndCheck: whatever a stranger signed, there is an answer, of bounded
// length; what agrees with a build is what New writes of it, to the byte.
func FuzzParseAndCheck(f *testing.F) {
	files, err := filepath.Glob("testdata/*.json")
	if err != nil || len(files) == 0 {
		f.Fatal(files, err)
	}
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	all := builds()
	f.Fuzz(func(t *testing.T, payload []byte) {
		s, err := Parse(payload)
		if err != nil {
			return
		}
		CheckForeign(s, s.BuilderID(), manifestOf(github()), nil)
		for name, b := range all {
			m := Check(s, expected(b))
			for _, one := range m {
				if text := one.Error(); len(text) > 8*maxShown+1024 {
					t.Errorf("%d bytes: %q", len(text), text)
				}
			}
			if len(m) > maxMismatches {
				t.Errorf("%d mismatches", len(m))
			}
			if m != nil {
				continue
			}
			again, err := New(b, s.Subjects)
			if err != nil {
				continue // subjects that we would not write
			}
			if got := string(mustParse(t, again).Predicate); got != canonical(t, s.Predicate) {
				t.Errorf("%s: got %s, want %s", name, s.Predicate, got)
			}
		}
	})
}

func BenchmarkNew(b *testing.B) {
	for b.Loop() {
		mustNew(b, github())
	}
}

func BenchmarkParseAndCheck(b *testing.B) {
	payload, e := mustNew(b, github()), expected(github())
	b.SetBytes(int64(len(payload)))
	for b.Loop() {
		if m := Check(mustParse(b, payload), e); m != nil {
			b.Fatal(m)
		}
	}
}

// BenchmarkManySubjects is the largest statement that is read.
func BenchmarkManySubjects(b *testing.B) {
	var many []Subject
	for n := range MaxSubjects {
		sum := digest.FromString(fmt.Sprint(n)).Encoded()
		many = append(many, Subject{Name: fmt.Sprintf("dist/file-%d.whl", n), Digest: map[string]string{"sha256": sum}})
	}
	payload, err := New(github(), many)
	if err != nil {
		b.Fatal(err)
	}
	e := expected(github())
	e.Artifacts = []digest.Digest{digest.FromString("7")}
	b.SetBytes(int64(len(payload)))
	for b.Loop() {
		if m := Check(mustParse(b, payload), e); m != nil {
			b.Fatal(m)
		}
	}
}
