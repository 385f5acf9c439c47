package keyless_test

import (
	"bytes"
	"crypto/ecdsa"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mcp-integrity/seal-action/internal/keyless"
	"github.com/mcp-integrity/seal-action/internal/keyless/keylesstest"
)

var sameKey = cmp.Comparer(func(a, b *ecdsa.PublicKey) bool { return a.Equal(b) })

// malleable are the parts of a bundle that prove nothing, since verification
// takes them from elsewhere: they may change, but the result may not. Any other
// part that can be changed is a finding.
var malleable = map[string][]string{
	// Rekor v2's entry is computed anew from certificate, signature and payload,
	// its proof's root is the checkpoint's.
	"public, Rekor v2": {
		entry + ".canonicalizedBody", proof + ".rootHash", proof + ".logIndex", proof + ".treeSize", entry + ".kindVersion",
		signatures + ".0.keyid",
	},
	"public, Rekor v1": {
		entry + ".kindVersion", signatures + ".0.keyid",
		// Either of two vouchers for the time is enough.
		entry + ".integratedTime", entry + ".inclusionPromise",
		stamp, stamps,
	},
	"GitHub's own": {signatures + ".0.keyid"},
}

// TestTamperLeaves changes, removes and doubles every member of a bundle.
func TestTamperLeaves(t *testing.T) {
	for world, free := range malleable {
		t.Run(world, func(t *testing.T) {
			s := keylesstest.New(t, worlds[world])
			tr, b := trusting(t, s.TrustedRoot()), s.Sign(t, statement).Bundle
			want, err := tr.Verify(b)
			if err != nil {
				t.Fatal(err)
			}
			allowed := func(path string) bool {
				return slices.ContainsFunc(free, func(f string) bool { return path == f || strings.HasPrefix(path, f+".") })
			}
			try := func(path, what string, changed []byte) {
				got, err := tr.Verify(changed)
				if err == nil && !allowed(path) {
					t.Errorf("%s %s: accepted", path, what)
				}
				if err == nil && !sameProof(want, got) {
					t.Errorf("%s %s: another result (-want +got):\n%s", path, what, cmp.Diff(want, got, sameKey))
				}
			}
			paths := members(parsed(t, b).v, "")
			if len(paths) < 12 {
				t.Fatalf("only %d members: %q", len(paths), paths)
			}
			for _, path := range paths {
				for what, value := range variants(t, parsed(t, b).get(path)) {
					try(path, what, parsed(t, b).set(path, value).bytes())
				}
				if !isItem(path) {
					try(path, "removed", parsed(t, b).set(path, nil).bytes())
					if _, err := tr.Verify(doubled(t, b, path)); err == nil {
						t.Errorf("%s doubled: accepted", path)
					}
				}
			}
		})
	}
}

// sameProof compares all but which of several times were verified.
func sameProof(want, got *keyless.Verified) bool {
	a, b := *want, *got
	a.Times, b.Times = nil, nil
	return cmp.Equal(a, b, sameKey) || len(want.Times) > 1 && a.Time.Sub(b.Time).Abs().Seconds() <= 2 && cmp.Equal(a.Statement, b.Statement)
}

// members are the paths of all values in a document, inner ones included.
func members(v any, path string) []string {
	var all []string
	join := func(name string) string { return strings.TrimPrefix(path+"."+name, ".") }
	switch v := v.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			all = append(append(all, join(name)), members(v[name], join(name))...)
		}
	case []any:
		for n := range v {
			all = append(append(all, join(strconv.Itoa(n))), members(v[n], join(strconv.Itoa(n)))...)
		}
	}
	return all
}

func isItem(path string) bool { return regexp.MustCompile(`\.[0-9]+$`).MatchString(path) }

// variants are changed values in the place of v.
func variants(t *testing.T, v any) map[string]any {
	switch v := v.(type) {
	case string:
		all := map[string]any{"longer": v + "A", "no string": 1}
		if v != "" {
			all["shorter"] = strings.TrimRight(v, "=")[:len(strings.TrimRight(v, "="))-1]
			all["empty"] = ""
		}
		if n, err := strconv.Atoi(v); err == nil {
			all["one more"], all["negative"] = strconv.Itoa(n+1), "-"+v
		}
		if raw, err := base64.StdEncoding.DecodeString(v); err == nil {
			for _, at := range []int{0, len(raw) / 2, len(raw) - 1} {
				if at >= 0 && at < len(raw) {
					flipped := bytes.Clone(raw)
					flipped[at] ^= 1
					all[fmt.Sprintf("bit in byte %d", at)] = base64.StdEncoding.EncodeToString(flipped)
				}
			}
			all["byte behind"] = base64.StdEncoding.EncodeToString(append(bytes.Clone(raw), 0))
		}
		return all
	case map[string]any:
		more := maps.Clone(v)
		more["more"] = true
		return map[string]any{"unknown member": more, "empty": map[string]any{}, "list": []any{}, "string": "x"}
	case []any:
		return map[string]any{"twice": append(slices.Clone(v), v...), "empty": []any{}, "object": map[string]any{}, "null inside": append(slices.Clone(v), nil)}
	}
	t.Errorf("a value of type %T in a bundle", v)
	return nil
}

// doubled repeats the member at path in its object's text.
func doubled(t *testing.T, data []byte, path string) []byte {
	t.Helper()
	d := parsed(t, data)
	name := path[strings.LastIndex(path, ".")+1:]
	value, err := json.Marshal(d.get(path))
	if err != nil {
		t.Fatal(err)
	}
	const mark = "\x00mark"
	d.set(path, nil).set(strings.TrimSuffix(path, name)+mark, 1)
	old, err := json.Marshal(map[string]int{mark: 1})
	if err != nil {
		t.Fatal(err)
	}
	twice := fmt.Sprintf(`%q:%s,%q:%s`, name, value, name, value)
	out := bytes.Replace(d.bytes(), old[1:len(old)-1], []byte(twice), 1)
	if !bytes.Contains(out, []byte(twice)) {
		t.Fatalf("%s is not doubled", path)
	}
	return out
}

// TestTamperBytes flips a bit of every byte. Where the bundle still passes, all
// that it proves is as before: a changed letter of a part that proves nothing,
// or bits behind the end of base64. The bundle without a log is small enough for
// all of its bytes; of the others it is every fifth.
func TestTamperBytes(t *testing.T) {
	for world := range malleable {
		t.Run(world, func(t *testing.T) {
			t.Parallel()
			s := keylesstest.New(t, worlds[world])
			tr, b := trusting(t, s.TrustedRoot()), s.Sign(t, statement).Bundle
			want, err := tr.Verify(b)
			if err != nil {
				t.Fatal(err)
			}
			passed, step := 0, 5
			if worlds[world].NoLog {
				step = 1
			}
			for at := 0; at < len(b); at += step {
				changed := bytes.Clone(b)
				changed[at] ^= 1
				got, err := tr.Verify(changed)
				if err != nil {
					continue
				}
				if passed++; !sameProof(want, got) {
					t.Errorf("byte %d (…%s…): another result (-want +got):\n%s", at, b[max(0, at-20):at+1], cmp.Diff(want, got, sameKey))
				}
			}
			t.Logf("%d of %d bytes prove nothing", passed, len(b)/step)
		})
	}
}
