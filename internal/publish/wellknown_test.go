package publish

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mcp-integrity/seal-action/internal/keys"
	"github.com/mcp-integrity/seal-action/internal/sealtest"
)

func keyDocumentOf(t testing.TB, all ...keys.PrivateKey) []byte {
	t.Helper()
	var public []keys.PublicKey
	for _, k := range all {
		public = append(public, k.Public())
	}
	set, err := keys.NewSet(public...)
	if err != nil {
		t.Fatal(err)
	}
	data, err := set.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return append(data, '\n')
}

func TestWellKnownStory(t *testing.T) {
	dir := t.TempDir()
	story := releases(t, 3)
	key := sealtest.Key(t, keys.Ed25519, "acme-2026")
	for i := range story {
		story[i].Keys = keyDocumentOf(t, key)
		p := mustOpen(t, "well-known:"+dir, testEnv())
		if err := p.Check(t.Context()); err != nil {
			t.Error(err)
		}
		r := mustPublish(t, p, story[i], Published)
		if want := filepath.Join(dir, ".well-known", "mcp-integrity.json"); r.URL != want {
			t.Errorf("URL %q, want %q", r.URL, want)
		}
		mustPublish(t, p, story[i], AlreadyThere)
	}
	p := mustOpen(t, "well-known:"+dir, testEnv())
	if r, err := p.Latest(t.Context()); err != nil || string(r.Envelope) != string(story[2].Envelope) {
		t.Errorf("Latest: %v", err)
	}
	if r, err := p.Find(t.Context(), story[0].Payload); err != nil || string(r.Envelope) != string(story[0].Envelope) {
		t.Errorf("Find: %v", err)
	}
	if got := listOf(t, p); len(got) != 3 {
		t.Errorf("List: %v", got)
	}
	got := treeOf(t, dir)
	if got[keysName] != string(story[0].Keys) {
		t.Errorf("keys: %s", got[keysName])
	}
	want := headersBegin + `
/.well-known/mcp-integrity.json
  Content-Type: application/vnd.mcp-integrity.manifest+json
  Cache-Control: max-age=3600
/.well-known/mcp-integrity-keys.json
  Content-Type: application/jwk-set+json
  Cache-Control: max-age=3600
` + headersEnd + "\n"
	if diff := cmp.Diff(want, got[headersName]); diff != "" {
		t.Errorf("_headers (-want +got):\n%s", diff)
	}
	delete(got, keysName)
	for name := range got {
		if name != headersName && !strings.HasPrefix(name, wellKnownStem) {
			t.Errorf("it wrote %s", name)
		}
	}
	if err := os.Remove(filepath.Join(dir, filepath.FromSlash(keysName))); err != nil {
		t.Fatal(err)
	}
	checkLayout(t, dir, wellKnownStem, story)
}

// TestWellKnownCertificateOnly: who signs by certificate shows no keys, and changes
// none that stand there.
func TestWellKnownCertificateOnly(t *testing.T) {
	dir := t.TempDir()
	story := releases(t, 2)
	mustPublish(t, mustOpen(t, "well-known:"+dir, testEnv()), story[0], Published)
	got := treeOf(t, dir)
	if _, ok := got[keysName]; ok || strings.Contains(got[headersName], "keys") {
		t.Errorf("there is a keys document or a rule for it: %s", got[headersName])
	}
	standing := `{ "keys": [ ] , "revocations": [1e0] }`
	writeFile(t, dir, keysName, []byte(standing))
	mustPublish(t, mustOpen(t, "well-known:"+dir, testEnv()), story[1], Published)
	got = treeOf(t, dir)
	if got[keysName] != standing || !strings.Contains(got[headersName], keysName) {
		t.Errorf("keys %s, headers %s", got[keysName], got[headersName])
	}
}

func TestMergeKeys(t *testing.T) {
	a, b := sealtest.Key(t, keys.Ed25519, "a"), sealtest.Key(t, keys.ES256, "b")
	impostor := sealtest.Key(t, keys.Ed25519, "a")
	docA := string(keyDocumentOf(t, a))
	inner := strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(docA), `{"keys":[`), `]}`)
	notice := `{"type":"key_revocation","revoked_key_id":"old","n":1.50}`
	marked := `{ "revocations" : [ ` + notice + ` ], "x": null, "keys": [ ` + inner + `, {"kty":"RSA","kid":"r"} ] }`
	for name, tt := range map[string]struct{ standing, ours, want string }{
		"the same":         {docA, docA, docA},
		"the same, marked": {marked, docA, marked},
		"fewer":            {string(keyDocumentOf(t, a, b)), docA, string(keyDocumentOf(t, a, b))},
		"one more":         {docA, string(keyDocumentOf(t, b)), string(keyDocumentOf(t, a, b))},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := mergeKeys([]byte(tt.standing), []byte(tt.ours))
			if err != nil || string(got) != tt.want {
				t.Errorf("got %s, %v, want %s", got, err, tt.want)
			}
		})
	}
	got, err := mergeKeys([]byte(marked), keyDocumentOf(t, b))
	if err != nil {
		t.Fatal(err)
	}
	for _, kept := range []string{`"revoked_key_id":"old"`, `"kid":"r"`, `"kid":"a"`, `"kid":"b"`, `"x":null`} {
		if !strings.Contains(string(got), kept) {
			t.Errorf("%s was lost: %s", kept, got)
		}
	}
	for name, standing := range map[string]string{
		"another key of the name":     string(keyDocumentOf(t, impostor)),
		"a key we cannot use by name": `{"keys":[{"kty":"RSA","kid":"a"}]}`,
		"revoked":                     `{"keys":[],"revocations":[{"type":"key_revocation","revoked_key_id":"a"}]}`,
		"revocations of another kind": `{"keys":[],"revocations":"none"}`,
		"no document":                 `<html>`,
		"empty":                       ``,
		"no keys":                     `{}`,
		"a private key":               `{"keys":[{"kty":"OKP","d":"x"}]}`,
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := mergeKeys([]byte(standing), []byte(docA)); !errors.Is(err, ErrConflict) {
				t.Errorf("got %s, %v, want a conflict", got, err)
			}
		})
	}
}

func FuzzMergeKeys(f *testing.F) {
	ours := keyDocumentOf(f, sealtest.Key(f, keys.Ed25519, "a"))
	f.Add(ours)
	f.Add([]byte(`{"keys":[],"revocations":[{"revoked_key_id":"b"}],"x":1.0}`))
	f.Add([]byte(`{"keys":[{"kty":"RSA","kid":"a"},{}, 1]}`))
	f.Fuzz(func(t *testing.T, standing []byte) {
		merged, err := mergeKeys(standing, ours)
		if err != nil {
			return
		}
		before, err := keys.ParseSet(standing)
		if err != nil {
			t.Fatalf("it merged into no document: %v", err)
		}
		after, err := keys.ParseSet(merged)
		if err != nil {
			t.Fatalf("what it merged is no document: %v", err)
		}
		for _, k := range before.Keys {
			if have, ok := after.Find(k.KeyID); !ok || !have.Equal(k) {
				t.Errorf("key %q was lost", k.KeyID)
			}
		}
		if _, ok := after.Find("a"); !ok || len(after.Skipped) != len(before.Skipped) {
			t.Errorf("ours, or one that we cannot use, is not there: %s", merged)
		}
		if again, err := mergeKeys(merged, ours); err != nil || string(again) != string(merged) {
			t.Errorf("twice: %s, %v", again, err)
		}
	})
}

func TestMergeHeaders(t *testing.T) {
	rules := hostRules(true)
	block, err := mergeHeaders(nil, rules)
	if err != nil {
		t.Fatal(err)
	}
	old := headersBegin + "\n/old\n  X: 1\n" + headersEnd + "\n"
	for name, tt := range map[string]struct{ standing, want string }{
		"none":               {"", string(block)},
		"others'":            {"/*\n  X-Frame-Options: DENY\n", "/*\n  X-Frame-Options: DENY\n\n" + string(block)},
		"others', cut short": {"/*\n  X: 1", "/*\n  X: 1\n\n" + string(block)},
		"ours":               {string(block), string(block)},
		"ours of another":    {"/a\n  A: 1\n\n" + old + "/b\n  B: 1\n", "/a\n  A: 1\n\n" + string(block) + "/b\n  B: 1\n"},
		"with CRLF":          {"/a\r\n  A: 1\r\n" + strings.ReplaceAll(old, "\n", "\r\n") + "/b\r\n", "/a\r\n  A: 1\r\n" + string(block) + "/b\r\n"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := mergeHeaders([]byte(tt.standing), rules)
			if err != nil || string(got) != tt.want {
				t.Errorf("got %q, %v, want %q", got, err, tt.want)
			}
			if again, err := mergeHeaders(got, rules); err != nil || string(again) != string(got) {
				t.Errorf("twice: got %q, %v", again, err)
			}
		})
	}
	for name, standing := range map[string]string{
		"no end": headersBegin + "\n/a\n", "no beginning": "/a\n" + headersEnd + "\n", "twice": string(block) + string(block),
		"beginning twice": headersBegin + "\n" + string(block), "end twice": string(block) + headersEnd, "no text": "\xff\xfe", "large": strings.Repeat("#\n", maxHosts/2),
	} {
		if got, err := mergeHeaders([]byte(standing), rules); !errors.Is(err, ErrConflict) {
			t.Errorf("%s: got %.100q, %v, want a conflict", name, got, err)
		}
	}
}

func FuzzMergeHeaders(f *testing.F) {
	rules := hostRules(true)
	block, err := mergeHeaders(nil, rules)
	if err != nil {
		f.Fatal(err)
	}
	f.Add("")
	f.Add("/*\n  X: 1")
	f.Add(string(block) + "/b\n\tB: 1\r\n")
	f.Add(headersBegin + headersEnd)
	f.Fuzz(func(t *testing.T, text string) {
		merged, err := mergeHeaders([]byte(text), rules)
		if err != nil {
			return
		}
		again, err := mergeHeaders(merged, rules)
		if err != nil || string(again) != string(merged) {
			t.Fatalf("twice: %q, %v, once: %q", again, err, merged)
		}
		before, after, _, err := cutBlock([]byte(text))
		if err != nil || !strings.HasPrefix(string(merged), string(before)) || !strings.HasSuffix(string(merged), string(after)) {
			t.Fatalf("others' lines were changed: %q became %q", text, merged)
		}
		clashes(merged, rules)
	})
}

func TestClashes(t *testing.T) {
	for text, want := range map[string]int{
		"":                                 0,
		"/*\n  X-Frame-Options: a":         0,
		"/*\n  Cache-Control: public":      2,
		"/*.json\n  cache-control: public": 2,
		"/.well-known/mcp-integrity.json\n  content-type: application/json":                           1,
		"/.well-known/*\n# Cache-Control: x\n\tContent-Type: a/b\n/other\n  Cache-Control: no-store":  2,
		"/a/*\n  Cache-Control: public\n/.well-known/mcp-integrity.jsonx\n  Cache-Control: public\n":  0,
		"/.well-known/mcp-integrity-keys.json\n  Cache-Control: no-cache\n  Content-Type: text/plain": 2,
	} {
		if got := clashes([]byte(text), hostRules(true)); len(got) != want {
			t.Errorf("%q: got %q, want %d", text, got, want)
		}
	}
}

func TestWellKnownNotes(t *testing.T) {
	story := releases(t, 1)
	github := testEnv()
	github.Getenv = func(name string) string { return map[string]string{"GITHUB_ACTIONS": "true"}[name] }
	for name, tt := range map[string]struct {
		files map[string]string
		env   Env
		want  []string
	}{
		"nothing":                {nil, testEnv(), nil},
		"Vercel":                 {map[string]string{"vercel.json": "{}"}, testEnv(), []string{"vercel.json"}},
		"Vercel, told":           {map[string]string{"vercel.json": `{"headers":[{"source":"/.well-known/mcp-integrity.json"}]}`}, testEnv(), nil},
		"Azure":                  {map[string]string{"staticwebapp.config.json": "{}"}, testEnv(), []string{"staticwebapp.config.json"}},
		"Jekyll":                 {map[string]string{"_config.yml": "theme: x"}, testEnv(), []string{"include: [.well-known]"}},
		"Jekyll, told":           {map[string]string{"_config.yml": "include: [.well-known]"}, testEnv(), nil},
		"Jekyll, off":            {map[string]string{"_config.yml": "", ".nojekyll": ""}, testEnv(), nil},
		"GitHub":                 {nil, github, []string{".nojekyll", "include-hidden-files"}},
		"GitHub without Jekyll":  {map[string]string{".nojekyll": ""}, github, []string{"include-hidden-files"}},
		"a rule that clashes":    {map[string]string{"_headers": "/*\n  Cache-Control: no-store\n"}, testEnv(), []string{"Cache-Control"}},
		"many rules that clash":  {map[string]string{"_headers": strings.Repeat("/*\n  Cache-Control: no-store\n", 9)}, testEnv(), []string{"/*", "/*", "/*"}},
		"a directory named that": {map[string]string{"vercel.json/x": ""}, testEnv(), nil},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for file, text := range tt.files {
				writeFile(t, dir, file, []byte(text))
			}
			r := mustPublish(t, mustOpen(t, "well-known:"+dir, tt.env), story[0], Published)
			if len(r.Notes) != len(tt.want) {
				t.Fatalf("got %q, want %q", r.Notes, tt.want)
			}
			for i, want := range tt.want {
				if !strings.Contains(r.Notes[i], want) {
					t.Errorf("got %q, want %q in it", r.Notes[i], want)
				}
			}
			for file, text := range tt.files {
				if got := treeOf(t, dir)[file]; file != headersName && got != text {
					t.Errorf("%s was changed to %q", file, got)
				}
			}
		})
	}
}

// TestWellKnownConflicts: what stands there in a way that we cannot add to is said
// beforehand, and nothing becomes visible.
func TestWellKnownConflicts(t *testing.T) {
	s := releases(t, 1)[0]
	s.Keys = keyDocumentOf(t, sealtest.Key(t, keys.Ed25519, "a"))
	for name, tt := range map[string]struct {
		file, text string
		check      bool // Check knows it, too
	}{
		"headers cut short":    {headersName, headersBegin + "\n", true},
		"keys are none":        {keysName, "[]", true},
		"another key":          {keysName, string(keyDocumentOf(t, sealtest.Key(t, keys.Ed25519, "a"))), false},
		"headers, a directory": {headersName + "/x", "", true},
		"keys, a directory":    {keysName + "/x", "", true},
		"history, a file":      {wellKnownStem, "", true},
		"well-known, a file":   {".well-known", "", true},
		"envelope, a page":     {wellKnownStem + ".json", "<html>", false},
		"envelope, a dir":      {wellKnownStem + ".json/x", "", true},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			writeFile(t, dir, tt.file, []byte(tt.text))
			p := mustOpen(t, "well-known:"+dir, testEnv())
			if err := p.Check(t.Context()); (err != nil) != tt.check {
				t.Errorf("Check: got %v, want an error: %v", err, tt.check)
			}
			_, err := p.Publish(t.Context(), s)
			var at *Error
			if !errors.Is(err, ErrConflict) || !errors.As(err, &at) || at.Place != "well-known:"+dir {
				t.Errorf("Publish: got %v, want a conflict", err)
			}
			got := treeOf(t, dir)
			if got[tt.file] != tt.text || tt.file != wellKnownStem+".json" && got[wellKnownStem+".json"] != "" {
				t.Errorf("after the conflict: %v", slices.Sorted(maps.Keys(got)))
			}
		})
	}
}

func TestOpenDirectories(t *testing.T) {
	for _, target := range []string{"dir:", "dir", "well-known:", "well-known", "dir:a\x00b", "dir:@"} {
		p, err := Open(target, testEnv())
		if (err == nil) != (target == "dir:@") {
			t.Errorf("Open(%q) = %v, %v", target, p, err)
		}
	}
	for _, stem := range []string{"../x", "a/b", ".hidden", ".."} {
		env := testEnv()
		env.Stem = stem
		if p, err := Open("dir:x", env); err == nil {
			t.Errorf("stem %q: got %v", stem, p)
		}
	}
	p := mustOpen(t, "dir:a/b", testEnv())
	if p.String() != "dir:a/b" || fmt.Sprint(p) != "dir:a/b" {
		t.Errorf("String: %s", p)
	}
}
