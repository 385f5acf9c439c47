package keyless_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"
)

// document is JSON that a test changes, by paths such as a.0.b.
type document struct {
	t testing.TB
	v any
}

func parsed(t testing.TB, data []byte) *document {
	t.Helper()
	d := &document{t: t}
	if err := json.Unmarshal(data, &d.v); err != nil {
		t.Fatal(err)
	}
	return d
}

func (d *document) bytes() []byte {
	d.t.Helper()
	b, err := json.Marshal(d.v)
	if err != nil {
		d.t.Fatal(err)
	}
	return b
}

func (d *document) get(path string) any {
	d.t.Helper()
	v := d.v
	for _, name := range strings.Split(path, ".") {
		switch at := v.(type) {
		case map[string]any:
			v = at[name]
		case []any:
			v = at[index(d.t, name)]
		default:
			d.t.Fatalf("%s: nothing at %q", path, name)
		}
	}
	return v
}

func index(t testing.TB, name string) int {
	t.Helper()
	n, err := strconv.Atoi(name)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// set replaces what is at path, or removes a member where value is nil.
func (d *document) set(path string, value any) *document {
	d.t.Helper()
	n := strings.LastIndex(path, ".")
	var parent any = d.v
	if n >= 0 {
		parent = d.get(path[:n])
	}
	name := path[n+1:]
	switch p := parent.(type) {
	case map[string]any:
		if p[name] = value; value == nil {
			delete(p, name)
		}
	case []any:
		p[index(d.t, name)] = value
	default:
		d.t.Fatalf("%s: nothing to change", path)
	}
	return d
}

// flip changes one bit of a base64 value.
func (d *document) flip(path string) *document {
	d.t.Helper()
	raw, err := base64.StdEncoding.DecodeString(d.get(path).(string))
	if err != nil {
		d.t.Fatal(err)
	}
	raw[len(raw)/2] ^= 1
	return d.set(path, base64.StdEncoding.EncodeToString(raw))
}

// take copies what is at path in from.
func (d *document) take(path string, from *document) *document {
	d.t.Helper()
	return d.set(path, from.get(path))
}

func thumbprint(x, y []byte) string {
	encode := base64.RawURLEncoding.EncodeToString
	sum := sha256.Sum256([]byte(fmt.Sprintf(`{"crv":"P-256","kty":"EC","x":"%s","y":"%s"}`, encode(x), encode(y))))
	return encode(sum[:])
}
