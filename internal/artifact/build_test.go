package artifact

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
)

// An entry is a member of an archive that a test builds. Its type is that of a
// tar header, 0 a regular file.
type entry struct {
	name, body string
	kind       byte
}

func tarBytes(t testing.TB, entries ...entry) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, e := range entries {
		h := &tar.Header{Name: e.name, Typeflag: e.kind, Mode: 0o644, Size: int64(len(e.body)), Format: tar.FormatPAX}
		if e.kind == 0 {
			h.Typeflag = tar.TypeReg
		}
		if h.Typeflag != tar.TypeReg {
			h.Linkname, h.Size = e.body, 0
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if h.Size > 0 {
			if _, err := w.Write([]byte(e.body)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func gzipBytes(t testing.TB, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func tgz(t testing.TB, entries ...entry) []byte {
	t.Helper()
	return gzipBytes(t, tarBytes(t, entries...))
}

func zipBytes(t testing.TB, entries ...entry) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, e := range entries {
		h := &zip.FileHeader{Name: e.name, Method: zip.Deflate}
		if e.kind == tar.TypeSymlink {
			h.SetMode(os.ModeSymlink | 0o777)
		}
		f, err := w.CreateHeader(h)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write([]byte(e.body)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// wasmBytes is a module of custom sections: name, content, name, content, …
func wasmBytes(sections ...string) []byte {
	b := []byte("\x00asm\x01\x00\x00\x00")
	for i := 0; i+1 < len(sections); i += 2 {
		name, content := sections[i], sections[i+1]
		b = append(b, 0)
		b = appendLEB(b, len(appendLEB(nil, len(name)))+len(name)+len(content))
		b = appendLEB(b, len(name))
		b = append(b, name+content...)
	}
	return b
}

func appendLEB(b []byte, n int) []byte {
	for ; n >= 0x80; n >>= 7 {
		b = append(b, byte(n)|0x80)
	}
	return append(b, byte(n))
}

// nameSection is the content of a wasm name section for a module.
func nameSection(module string) string {
	name := string(appendLEB(nil, len(module))) + module
	return "\x00" + string(appendLEB(nil, len(name))) + name
}

// write puts data at a slash-separated path below dir and returns the path.
func write(t testing.TB, dir, name, data string) string {
	t.Helper()
	p := filepath.Join(dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(p, []byte(data), 0o644); err != nil {
		t.Fatal(err)
	}
	return p
}

func sha256Of[T ~string | ~[]byte](data T) digest.Digest {
	sum := sha256.Sum256([]byte(data))
	return digest.Digest("sha256:" + hex.EncodeToString(sum[:]))
}

// identifyOK identifies what must be in order.
func identifyOK(t testing.TB, ref string, o Options) Found {
	t.Helper()
	f, err := Identify(context.Background(), ref, o)
	if err != nil {
		t.Fatalf("Identify(%q): %v", ref, err)
	}
	return f
}

// wantErr fails the test unless err says want. An empty want is no error.
func wantErr(t testing.TB, err error, want string) {
	t.Helper()
	switch {
	case want == "" && err != nil:
		t.Errorf("got error %q, want none", err)
	case want != "" && err == nil:
		t.Errorf("got no error, want %q", want)
	case want != "" && !strings.Contains(err.Error(), want):
		t.Errorf("got error %q, want %q in it", err, want)
	}
}

// envelope is a Sealed Manifest as far as the outside shows.
const envelope = `{"payload":"e30","payloadType":"application/vnd.mcp-integrity.manifest+json","signatures":[]}`
