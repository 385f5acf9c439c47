package artifact

import (
	"archive/tar"
	"bytes"
	"context"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/opencontainers/go-digest"

	"github.com/mcp-integrity/seal-action/seal"
	"github.com/mcp-integrity/seal-action/seal/fingerprint"
)

// fuzzIdentify identifies data under a name, and asserts what holds of all that
// is accepted.
func fuzzIdentify(t *testing.T, name string, data []byte, types ...seal.ArtifactType) {
	t.Helper()
	p := write(t, t.TempDir(), name, string(data))
	for _, scope := range seal.DigestScopes {
		f, err := Identify(context.Background(), p, Options{Scope: scope})
		if err != nil {
			if len(err.Error()) > 4000 {
				t.Errorf("an error of %d bytes: %.200s", len(err.Error()), err)
			}
			continue
		}
		a := f.Artifact
		if !slices.Contains(types, a.Type) {
			t.Errorf("type %q, want one of %q", a.Type, types)
		}
		if a.Identifier == "" || checkFact(a.Identifier) != nil || checkFact(a.Version) != nil || checkFact(f.Entrypoint) != nil {
			t.Errorf("accepted identifier %q, version %q, entrypoint %q", a.Identifier, a.Version, f.Entrypoint)
		}
		if a.Version == "" && (a.Type == seal.NPM || a.Type == seal.PyPI || a.Type == seal.Crate || a.Type == seal.MCPB) {
			t.Errorf("%s without a version", a.Type)
		}
		if err := fingerprint.CheckDigest(a.Digest); err != nil {
			t.Error(err)
		}
		if f.File != sha256Of(data) || scope != seal.ScopeEntrypoint && a.Type != seal.Docker && a.Digest != f.File {
			t.Errorf("file digest %s, digest %s, want %s", f.File, a.Digest, sha256Of(data))
		}
		if err := Recheck(context.Background(), f, Options{}); err != nil {
			t.Errorf("Recheck: %v", err)
		}
	}
}

func FuzzNPM(f *testing.F) {
	f.Add("package/package.json", []byte(packageJSONText), "package/dist/cli.js", byte(tar.TypeReg))
	f.Add("package/package.json", []byte(`{"name":"x","version":"1","bin":{"a":"a","b":"b"},"repository":"a/b"}`), "p/a", byte(tar.TypeSymlink))
	f.Add("package/package.json", []byte(`{"name":"x","version":"1","main":"../../x"}`), "package/x", byte(tar.TypeReg))
	f.Add("package/package.json", []byte(`{"name":"x","version":"1"}`), `package\package.json`, byte(tar.TypeReg))
	f.Add("package/mcp-integrity.json", []byte(envelope), "package/package.json", byte(tar.TypeReg))
	f.Fuzz(func(t *testing.T, name string, data []byte, other string, kind byte) {
		var b bytes.Buffer
		w := tar.NewWriter(&b)
		for _, h := range []*tar.Header{{Name: name, Typeflag: tar.TypeReg, Size: int64(len(data))}, {Name: other, Typeflag: kind}} {
			if w.WriteHeader(h) != nil {
				return
			}
			if h.Size > 0 {
				w.Write(data)
			}
		}
		w.Close()
		fuzzIdentify(t, "a.tgz", gzipBytes(t, b.Bytes()), seal.NPM, seal.PyPI)
	})
}

func FuzzTarball(f *testing.F) {
	f.Add(tgz(f, entry{name: "package/package.json", body: packageJSONText}, entry{name: "package/dist/cli.js", body: helloText}))
	f.Add(tgz(f, entry{name: "acme-tools-1.2.4/Cargo.toml", body: cargoText}))
	f.Add(gzipBytes(f, nil))
	f.Fuzz(func(t *testing.T, data []byte) {
		fuzzIdentify(t, "a.tgz", append([]byte("\x1f\x8b\x08"), data[min(3, len(data)):]...), seal.NPM, seal.PyPI)
	})
}

func FuzzZip(f *testing.F) {
	f.Add(zipBytes(f, entry{name: "manifest.json", body: bundleText}, entry{name: "server/index.js", body: helloText}))
	f.Add(zipBytes(f, entry{name: wheelMetadata, body: metadataText}, entry{name: "mcp-integrity.json", body: envelope}))
	f.Add([]byte("PK\x05\x06" + strings.Repeat("\x00", 18)))
	f.Fuzz(func(t *testing.T, data []byte) {
		data = append([]byte("PK"), data[min(2, len(data)):]...)
		fuzzIdentify(t, "a.mcpb", data, seal.MCPB, seal.Binary)
		fuzzIdentify(t, wheelName, data, seal.PyPI)
	})
}

func FuzzExecutable(f *testing.F) {
	self, err := os.Executable()
	mustDo(f, err)
	program, err := os.ReadFile(self)
	mustDo(f, err)
	f.Add(program[:min(len(program), 64<<10)])
	f.Add(wasmBytes("name", nameSection("acme"), "version", "1.2.4", "source", "https://github.com/acme/tools"))
	f.Add([]byte("\x7fELF\x02\x01\x01" + strings.Repeat("\x00", 100)))
	f.Add([]byte("\xcf\xfa\xed\xfe" + strings.Repeat("\x01", 100)))
	f.Add([]byte("\xca\xfe\xba\xbe\x00\x00\x00\x02" + strings.Repeat("\x01", 100)))
	f.Add([]byte("MZ" + strings.Repeat("\x00", 58) + "\x40\x00\x00\x00PE\x00\x00" + strings.Repeat("\x01", 400)))
	f.Fuzz(func(t *testing.T, data []byte) {
		if bytes.HasPrefix(data, []byte("\x1f\x8b")) || bytes.HasPrefix(data, []byte("PK")) {
			return // the other targets' containers
		}
		fuzzIdentify(t, "tools", data, seal.Wasm, seal.Binary, seal.Docker)
	})
}

func FuzzImageTar(f *testing.F) {
	l := newLayout()
	l.index(l.image(imageLabels, "layer"))
	index := l["index.json"]
	f.Add(index, `{"imageLayoutVersion":"1.0.0"}`, "layer")
	f.Fuzz(func(t *testing.T, index, marker, layer string) {
		l := newLayout()
		l.image(imageLabels, layer)
		l["index.json"], l["oci-layout"] = index, marker
		p := l.tar(t)
		found, err := Identify(context.Background(), p, Options{})
		if err != nil {
			return
		}
		blob, ok := l[blobPath(found.Artifact.Digest)]
		if !ok || sha256Of(blob) != found.Artifact.Digest {
			t.Errorf("digest %s is of no blob", found.Artifact.Digest)
		}
	})
}

func FuzzImageDoc(f *testing.F) {
	f.Add([]byte(`{"schemaVersion":2,"manifests":[]}`), indexTypes[0])
	f.Add([]byte(`{"config":{"digest":"sha256:00","size":1},"layers":[{}]}`), manifestTypes[1])
	f.Fuzz(func(t *testing.T, data []byte, announced string) {
		d, err := parseImageDoc(data, announced)
		if err == nil && d.isIndex() == (d.Config != nil) {
			t.Errorf("accepted what is an index and a manifest, or neither: %q", data)
		}
	})
}

// nameHeader is any spelling of the header that must stand once.
var nameHeader = regexp.MustCompile(`(?mi)^name:`)

func FuzzCoreMetadata(f *testing.F) {
	f.Add([]byte(metadataText))
	f.Add([]byte("Name: a\r\n b\nVersion: 1\n\nName: b\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := parseCoreMetadata(data)
		if err != nil {
			return
		}
		if m.name == "" || m.version == "" || strings.ContainsAny(m.name+m.version, "\n") || !utf8.Valid(data) {
			t.Errorf("accepted name %q, version %q", m.name, m.version)
		}
		head := data[:len(data)-len(m.body)]
		if n := len(nameHeader.FindAll(head, -1)); n != 1 {
			t.Errorf("accepted %d names in %q", n, head)
		}
		var found Found
		m.facts(&found)
	})
}

func FuzzVersion(f *testing.F) {
	for _, v := range []string{"1.0", "1!2.0a1.post2.dev3+local.1", "v1-1", "banana", "0..00"} {
		f.Add(v)
	}
	f.Fuzz(func(t *testing.T, v string) {
		once := normalVersion(v)
		if twice := normalVersion(once); twice != once && !strings.HasPrefix(once, noVersion) {
			t.Errorf("%q gives %q, and that gives %q", v, once, twice)
		}
	})
}

func FuzzTOML(f *testing.F) {
	f.Add([]byte(cargoText))
	f.Add([]byte("[project]\nname='x'\nversion='1'\n[project.urls]\nSource='https://github.com/a/b'\n"))
	f.Add([]byte("a = " + strings.Repeat("[", 1000)))
	f.Fuzz(func(t *testing.T, data []byte) {
		var found Found
		_, _, _ = readCargo(data, &found)
		_, _, _ = sourcePyproject(data, &found)
	})
}

func FuzzRepositoryURL(f *testing.F) {
	for _, s := range []string{"https://github.com/a/b", "git@h.example:a/b.git", "a/b", "git+ssh://u:p@h.example:22/a//b.git?q#f", "github:a/b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := repositoryURL(s)
		if got == "" {
			return
		}
		rest, ok := strings.CutPrefix(got, "https://")
		if !ok || strings.ContainsAny(rest, "@?#%\\ \"<>") || strings.Contains(rest, "//") || strings.Contains(rest, "/../") {
			t.Errorf("repositoryURL(%q) = %q", s, got)
		}
		if again := repositoryURL(got); again != strings.TrimSuffix(got, ".git") {
			t.Errorf("repositoryURL(%q) = %q, again %q", s, got, again)
		}
	})
}

func FuzzParseChecksums(f *testing.F) {
	f.Add([]byte(hexA + "  a\n" + hexB + " *b\n"))
	f.Add([]byte("SHA512 (a) = " + hexLong + "\n"))
	f.Add([]byte(`\` + hexA + `  a\nb\\` + "\r\n# x\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		sums, err := ParseChecksums(bytes.NewReader(data))
		if err != nil {
			return
		}
		if len(sums) == 0 || len(sums) > bytes.Count(data, []byte("\n"))+1 {
			t.Errorf("%d sums of %d lines", len(sums), bytes.Count(data, []byte("\n"))+1)
		}
		var again strings.Builder
		for name, d := range sums {
			if name == "" || fingerprint.CheckDigest(d) != nil {
				t.Errorf("accepted %q: %q", name, d)
			}
			escape := strings.NewReplacer(`\`, `\\`, "\n", `\n`, "\r", `\r`)
			again.WriteString(`\` + d.Encoded() + "  " + escape.Replace(name) + "\n")
		}
		if again.Len() > maxChecksums {
			return
		}
		back, err := ParseChecksums(strings.NewReader(again.String()))
		if err != nil || len(back) != len(sums) {
			t.Errorf("written again: %v, %d of %d sums", err, len(back), len(sums))
		}
		for name, d := range sums {
			if back[name] != d {
				t.Errorf("%q: got %s, want %s", name, back[name], d)
			}
		}
	})
}

// Whatever files there are, the order is that of the whole paths, and the
// digest is the second implementation's.
func FuzzTreeDigest(f *testing.F) {
	f.Add("a\na/b\na-b\na.b\nab\na/b/c", "x")
	f.Add(".git/x\nmcp-integrity.json\nsrc/.git\nä\nB\nb", "")
	f.Fuzz(func(t *testing.T, names, content string) {
		dir := t.TempDir()
		var made []string
		for i, name := range strings.SplitN(names, "\n", 20) {
			p := filepath.Join(dir, filepath.FromSlash(path.Clean("/" + name)[1:]))
			if len(name) > 200 || strings.Contains(name, "\x00") || os.MkdirAll(filepath.Dir(p), 0o755) != nil {
				continue
			}
			if os.WriteFile(p, []byte(content[:min(i, len(content))]), 0o644) == nil {
				made = append(made, p)
			}
		}
		tree, err := hashTree(context.Background(), dir, "", nil, Options{Algorithm: digest.SHA256, Concurrency: 2})
		mustDo(t, err)
		if want := plainTreeDigest(t, dir); tree.digest != want {
			t.Errorf("%q: got %s, want %s", made, tree.digest, want)
		}
	})
}
