package artifact

import (
	"archive/tar"
	"context"
	"os"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"

	"github.com/mcp-integrity/seal-action/seal"
)

const (
	packageJSONText = `{"name":"@acme/tools","version":"1.2.4","mcpName":"io.github.acme/tools","license":"MIT",
		"repository":{"type":"git","url":"git+https://github.com/acme/tools.git","directory":"packages/x"},"bin":{"tools":"./dist/cli.js"}}`
	metadataText  = "Metadata-Version: 2.4\nName: acme-tools\nVersion: 1.2.4\nLicense-Expression: MIT\nProject-URL: Source Code, https://github.com/acme/tools\n\nmcp-name: io.github.acme/tools\n"
	cargoText     = "[package]\nname = \"acme-tools\"\nversion = \"1.2.4\"\nlicense = \"MIT\"\nrepository = \"https://github.com/acme/tools\"\n"
	bundleText    = `{"manifest_version":"0.3","name":"tools","version":"1.2.4","server":{"type":"node","entry_point":"server/index.js"},"repository":{"type":"git","url":"https://github.com/acme/tools"}}`
	helloText     = "console.log('hello')\n"
	wheelName     = "acme_tools-1.2.4-py3-none-any.whl"
	wheelMetadata = "acme_tools-1.2.4.dist-info/METADATA"
)

func TestIdentifyRefuses(t *testing.T) {
	js := entry{name: "package/package.json", body: packageJSONText}
	elf := "\x7fELF" + strings.Repeat("\x00", 100)
	tests := map[string]struct {
		file string
		data []byte
		o    Options
		want string
	}{
		"text":                     {file: "a.txt", data: []byte("hello"), want: "is of an unknown kind: want an npm package"},
		"empty":                    {file: "a.bin", want: "is of an unknown kind"},
		"java class":               {file: "A.class", data: []byte("\xca\xfe\xba\xbe\x00\x00\x00\x34" + strings.Repeat("\x00", 100)), want: "is of an unknown kind"},
		"DOS program":              {file: "a.exe", data: []byte("MZ" + strings.Repeat("\x00", 100)), want: "is of an unknown kind"},
		"gzip of text":             {file: "a.tgz", data: gzipBytes(t, []byte("hello")), want: "tar: unexpected EOF"},
		"gzip cut short":           {file: "a.tgz", data: tgz(t, js)[:100], want: "tar: unexpected EOF"},
		"gzip with a tail":         {file: "a.tgz", data: append(tgz(t, js), "tail"...), want: "behind the end of the archive: unexpected EOF"},
		"tar with a tail":          {file: "a.tgz", data: gzipBytes(t, append(tarBytes(t, js), "tail"...)), want: "data behind the end"},
		"second archive behind":    {file: "a.tgz", data: append(tgz(t, js), tgz(t, js)...), want: "data behind the end"},
		"tarball of nothing known": {file: "a.tgz", data: tgz(t, entry{name: "a/b", body: "x"}), want: "is of an unknown kind"},
		"package.json too deep":    {file: "a.tgz", data: tgz(t, entry{name: "a/b/package.json", body: packageJSONText}), want: "is of an unknown kind"},
		"npm without name":         {file: "a.tgz", data: tgz(t, entry{name: "package/package.json", body: `{"version":"1"}`}), want: `package.json: name "", version "1": want both`},
		"npm without version":      {file: "a.tgz", data: tgz(t, entry{name: "package/package.json", body: `{"name":"x"}`}), want: "want both"},
		"npm with duplicate name":  {file: "a.tgz", data: tgz(t, entry{name: "package/package.json", body: `{"name":"x","name":"y","version":"1"}`}), want: "duplicate"},
		"npm with number version":  {file: "a.tgz", data: tgz(t, entry{name: "package/package.json", body: `{"name":"x","version":1}`}), want: "package.json: not strict JSON"},
		"npm name with newline":    {file: "a.tgz", data: tgz(t, entry{name: "package/package.json", body: `{"name":"x\ny","version":"1"}`}), want: "does not print"},
		"npm name too long":        {file: "a.tgz", data: tgz(t, entry{name: "package/package.json", body: `{"name":"` + strings.Repeat("x", 2000) + `","version":"1"}`}), want: "2000 bytes, want at most 1024"},
		"package.json twice":       {file: "a.tgz", data: tgz(t, js, js), want: "stands twice"},
		"two directories":          {file: "a.tgz", data: tgz(t, js, entry{name: "x/package.json", body: packageJSONText}), want: `stands twice in the archive: "package/package.json" and "x/package.json"`},
		"dotted path":              {file: "a.tgz", data: tgz(t, js, entry{name: "x/../package/./package.json", body: packageJSONText}), want: "stands twice"},
		"backslash path":           {file: "a.tgz", data: tgz(t, js, entry{name: `package\package.json`, body: packageJSONText}), want: "stands twice"},
		"other case":               {file: "a.tgz", data: tgz(t, js, entry{name: "package/PACKAGE.json", body: packageJSONText}), want: "stands twice"},
		"only other case":          {file: "a.tgz", data: tgz(t, entry{name: "package/PACKAGE.json", body: packageJSONText}), want: "by case"},
		"package.json is a link":   {file: "a.tgz", data: tgz(t, entry{name: "package/package.json", body: "x", kind: tar.TypeSymlink}), want: "link or special file"},
		"package.json too large":   {file: "a.tgz", data: tgz(t, entry{name: "package/package.json", body: strings.Repeat(" ", maxMetadata+1)}), want: "more than 4194304 bytes"},
		"sdist of another name":    {file: "other-1.2.4.tar.gz", data: tgz(t, entry{name: "a-1/PKG-INFO", body: metadataText}), want: `file name "other-1.2.4.tar.gz": want "acme-tools-1.2.4.tar.gz"`},
		"sdist of another version": {file: "acme_tools-1.2.5.tar.gz", data: tgz(t, entry{name: "a-1/PKG-INFO", body: metadataText}), want: "file name"},
		"crate without manifest":   {file: "a.crate", data: tgz(t, entry{name: "a-1/lib.rs", body: "x"}), want: "has no Cargo.toml"},
		"crate in another dir":     {file: "a.crate", data: tgz(t, entry{name: "a-1/Cargo.toml", body: cargoText}), want: `directory "a-1", want "acme-tools-1.2.4"`},
		"crate of a workspace":     {file: "a.crate", data: tgz(t, entry{name: "a-1/Cargo.toml", body: "[package]\nname='a'\nversion.workspace=true"}), want: "want both"},
		"crate with other case":    {file: "a.crate", data: tgz(t, entry{name: "a-1/Cargo.toml", body: "[package]\nName='a'\nVersion='1'"}), want: "want both"},
		"crate with broken toml":   {file: "a.crate", data: tgz(t, entry{name: "a-1/Cargo.toml", body: "[package\n"}), want: "Cargo.toml: toml"},
		"crate with a deep toml":   {file: "a.crate", data: tgz(t, entry{name: "a-1/Cargo.toml", body: "a = " + strings.Repeat("[", 15_000) + strings.Repeat("]", 15_000)}), want: "nested"},
		"crate with many keys":     {file: "a.crate", data: tgz(t, entry{name: "a-1/Cargo.toml", body: strings.Repeat("a=1\n", maxTOMLKeys+1)}), want: "20001 keys"},
		"crate with a key twice":   {file: "a.crate", data: tgz(t, entry{name: "a-1/Cargo.toml", body: cargoText + "name = \"b\"\n"}), want: "Cargo.toml: toml"},
		"crate with a large toml":  {file: "a.crate", data: tgz(t, entry{name: "a-1/Cargo.toml", body: strings.Repeat("#", maxTOML+1)}), want: "262145 bytes"},
		"wheel without metadata":   {file: wheelName, data: zipBytes(t, entry{name: "a.py", body: "x"}), want: "has no METADATA"},
		"wheel with two":           {file: wheelName, data: zipBytes(t, entry{name: wheelMetadata, body: metadataText}, entry{name: "x.dist-info/METADATA", body: metadataText}), want: "stands twice"},
		"wheel of another name":    {file: "other-1.2.4-py3-none-any.whl", data: zipBytes(t, entry{name: wheelMetadata, body: metadataText}), want: `got name "other", want "acme-tools"`},
		"wheel of another version": {file: "acme_tools-1.2.5-py3-none-any.whl", data: zipBytes(t, entry{name: wheelMetadata, body: metadataText}), want: `got version "1.2.5", want "1.2.4"`},
		"wheel dir of another":     {file: wheelName, data: zipBytes(t, entry{name: "acme_tools-1.2.5.dist-info/METADATA", body: metadataText}), want: `directory "acme_tools-1.2.5.dist-info": got version`},
		"wheel with a short name":  {file: "acme_tools-1.2.4.whl", data: zipBytes(t, entry{name: wheelMetadata, body: metadataText}), want: "want name-version-python-abi-platform.whl"},
		"zip of something":         {file: "a.zip", data: zipBytes(t, entry{name: "a", body: "x"}), want: "is of an unknown kind"},
		"zip cut short":            {file: "a.mcpb", data: zipBytes(t, entry{name: "manifest.json", body: bundleText})[:60], want: "zip: no end record"},
		"mcpb without manifest":    {file: "a.mcpb", data: zipBytes(t, entry{name: "x/manifest.json", body: bundleText}), want: "has no manifest.json"},
		"mcpb with two":            {file: "a.mcpb", data: zipBytes(t, entry{name: "manifest.json", body: bundleText}, entry{name: "./manifest.json", body: bundleText}), want: "stands twice"},
		"mcpb without version":     {file: "a.mcpb", data: zipBytes(t, entry{name: "manifest.json", body: `{"name":"x"}`}), want: "want both"},
		"mcpb manifest is a link":  {file: "a.mcpb", data: zipBytes(t, entry{name: "manifest.json", body: "x", kind: tar.TypeSymlink}), want: "link or special file"},
		"tar of something":         {file: "a.tar", data: tarBytes(t, entry{name: "a", body: "x"}), want: "is of an unknown kind"},
		"wasm cut short":           {file: "a.wasm", data: []byte("\x00asm\x01"), want: "wasm: header is cut short"},
		"wasm of version 0":        {file: "a.wasm", data: []byte("\x00asm\x00\x00\x00\x00"), want: "version 0"},
		"wasm with a long section": {file: "a.wasm", data: []byte("\x00asm\x01\x00\x00\x00\x01\x7f"), want: "127 bytes, want at most the 0"},
		"wasm with a huge size":    {file: "a.wasm", data: []byte("\x00asm\x01\x00\x00\x00\x01\xff\xff\xff\xff\x7f"), want: "want 32 bits"},
		"wasm with two versions":   {file: "a.wasm", data: wasmBytes("version", "1", "version", "2"), want: "stands twice"},

		"another type":           {file: "a.tgz", data: tgz(t, js), o: Options{Type: seal.Crate}, want: "has no Cargo.toml"},
		"tarball as wasm":        {file: "a.tgz", data: tgz(t, js), o: Options{Type: seal.Wasm}, want: `cannot be of type "wasm"`},
		"tarball as image":       {file: "a.tgz", data: tgz(t, js), o: Options{Type: seal.Docker}, want: "gunzip it first"},
		"zip as npm":             {file: "a.zip", data: zipBytes(t, entry{name: "a", body: "x"}), o: Options{Type: seal.NPM}, want: `cannot be of type "npm"`},
		"text as npm":            {file: "a.txt", data: []byte("x"), o: Options{Type: seal.NPM}, want: "unknown kind"},
		"program as wasm":        {file: "a", data: []byte(elf), o: Options{Type: seal.Wasm}, want: `is of type "binary" (binary), want "wasm"`},
		"no such type":           {file: "a", o: Options{Type: "rpm"}, want: `artifact type "rpm", want one of npm, pypi`},
		"no such scope":          {file: "a", o: Options{Scope: "all"}, want: `digest scope "all", want one of package, entrypoint, bundle`},
		"no such algorithm":      {file: "a", o: Options{Algorithm: digest.SHA384}, want: `digest algorithm "sha384"`},
		"npm as bundle":          {file: "a.tgz", data: tgz(t, js), o: Options{Scope: seal.ScopeBundle}, want: "does not carry all it needs"},
		"wheel entrypoint":       {file: wheelName, data: zipBytes(t, entry{name: wheelMetadata, body: metadataText}), o: Options{Scope: seal.ScopeEntrypoint}, want: "names no main executable file"},
		"npm entrypoint missing": {file: "a.tgz", data: tgz(t, js), o: Options{Scope: seal.ScopeEntrypoint}, want: `has no file "dist/cli.js"`},
		"npm entrypoint twice": {file: "a.tgz", data: tgz(t, js, entry{name: "package/dist/cli.js", body: "1"}, entry{name: "x/dist/cli.js", body: "2"}),
			o: Options{Scope: seal.ScopeEntrypoint}, want: `entrypoint "dist/cli.js" stands twice`},
		"npm entrypoint a link": {file: "a.tgz", data: tgz(t, js, entry{name: "package/dist/cli.js", body: "x", kind: tar.TypeLink}),
			o: Options{Scope: seal.ScopeEntrypoint}, want: "link or special"},
		"npm several bins": {file: "a.tgz", data: tgz(t, entry{name: "package/package.json", body: `{"name":"x","version":"1","bin":{"a":"a.js","b":"b.js"}}`}),
			o: Options{Scope: seal.ScopeEntrypoint}, want: `several bins ("a, b")`},
		"npm bin empty": {file: "a.tgz", data: tgz(t, entry{name: "package/package.json", body: `{"name":"x","version":"1","bin":""}`}, entry{name: "package", body: "x"}),
			o: Options{Scope: seal.ScopeEntrypoint}, want: "bin names no file"},
		"npm bins empty": {file: "a.tgz", data: tgz(t, entry{name: "package/package.json", body: `{"name":"x","version":"1","bin":{}}`}),
			o: Options{Scope: seal.ScopeEntrypoint}, want: "bin is empty"},
		"npm bin a number": {file: "a.tgz", data: tgz(t, entry{name: "package/package.json", body: `{"name":"x","version":"1","bin":{"a":1}}`}),
			o: Options{Scope: seal.ScopeEntrypoint}, want: "package.json: bin: not strict JSON"},
		"mcpb entrypoint missing": {file: "a.mcpb", data: zipBytes(t, entry{name: "manifest.json", body: bundleText}), o: Options{Scope: seal.ScopeEntrypoint}, want: `has no file "server/index.js"`},
		"mcpb entrypoint twice": {file: "a.mcpb", data: zipBytes(t, entry{name: "manifest.json", body: bundleText}, entry{name: "server/index.js", body: "1"}, entry{name: `server\index.js`, body: "2"}),
			o: Options{Scope: seal.ScopeEntrypoint}, want: "stands twice"},
		"mcpb without entrypoint": {file: "a.mcpb", data: zipBytes(t, entry{name: "manifest.json", body: `{"name":"x","version":"1"}`}), o: Options{Scope: seal.ScopeEntrypoint}, want: "names no server.entry_point"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			p := write(t, t.TempDir(), test.file, string(test.data))
			_, err := Identify(context.Background(), p, test.o)
			wantErr(t, err, test.want)
		})
	}
}

func TestIdentifyFiles(t *testing.T) {
	js := entry{name: "package/package.json", body: packageJSONText}
	cli := entry{name: "package/dist/cli.js", body: helloText}
	npm := tgz(t, cli, js)
	bundle := zipBytes(t, entry{name: "manifest.json", body: bundleText}, entry{name: "server/index.js", body: helloText})
	wheel := zipBytes(t, entry{name: wheelMetadata, body: metadataText})
	wasm := wasmBytes("name", nameSection("acme"), "version", "1.2.4", "source", "https://github.com/acme/tools", "licenses", "MIT", "revision", "abc")
	const repo = "https://github.com/acme/tools"
	tests := map[string]struct {
		file string
		data []byte
		o    Options
		want Found
	}{
		"npm": {"a.tgz", npm, Options{}, Found{Kind: "npm package", Artifact: seal.Artifact{Type: seal.NPM, Identifier: "@acme/tools", Version: "1.2.4"},
			MCPName: "io.github.acme/tools", Repository: repo, Directory: "packages/x", License: "MIT", Entrypoint: "dist/cli.js"}},
		"npm in another directory": {"a.tar.gz", tgz(t, entry{name: "./tools-1.2/package.json", body: `{"name":"x","version":"1"}`}), Options{},
			Found{Kind: "npm package", Artifact: seal.Artifact{Type: seal.NPM, Identifier: "x", Version: "1"}, Entrypoint: "index.js"}},
		"npm with a broken Cargo.toml beside": {"a.tgz", tgz(t, entry{name: "package/package.json", body: `{"name":"x","version":"1","bin":"./b.js"}`},
			entry{name: "package/Cargo.toml", body: "["}, entry{name: "package/PKG-INFO", body: ""}), Options{},
			Found{Kind: "npm package", Artifact: seal.Artifact{Type: seal.NPM, Identifier: "x", Version: "1"}, Entrypoint: "b.js"}},
		"npm entrypoint": {"a.tgz", npm, Options{Scope: seal.ScopeEntrypoint}, Found{Kind: "npm package",
			Artifact: seal.Artifact{Type: seal.NPM, Identifier: "@acme/tools", Version: "1.2.4", Digest: sha256Of(helloText)},
			MCPName:  "io.github.acme/tools", Repository: repo, Directory: "packages/x", License: "MIT", Entrypoint: "dist/cli.js"}},
		"npm main without extension": {"a.tgz", tgz(t, entry{name: "package/package.json", body: `{"name":"x","version":"1","main":"./lib"}`},
			entry{name: "package/lib/index.js", body: helloText}, entry{name: "package/lib", kind: tar.TypeDir}), Options{Scope: seal.ScopeEntrypoint},
			Found{Kind: "npm package", Artifact: seal.Artifact{Type: seal.NPM, Identifier: "x", Version: "1", Digest: sha256Of(helloText)}, Entrypoint: "lib/index.js"}},
		"sdist": {"acme_tools-1.2.4.tar.gz", tgz(t, entry{name: "acme_tools-1.2.4/PKG-INFO", body: metadataText}, entry{name: "acme_tools-1.2.4/package.json", body: "{"}), Options{},
			Found{Kind: "sdist", Artifact: seal.Artifact{Type: seal.PyPI, Identifier: "acme-tools", Version: "1.2.4"}, MCPName: "io.github.acme/tools", Repository: repo, License: "MIT"}},
		"wheel": {wheelName, wheel, Options{},
			Found{Kind: "wheel", Artifact: seal.Artifact{Type: seal.PyPI, Identifier: "acme-tools", Version: "1.2.4"}, MCPName: "io.github.acme/tools", Repository: repo, License: "MIT"}},
		"crate": {"renamed.crate", tgz(t, entry{name: "acme-tools-1.2.4/Cargo.toml", body: cargoText}), Options{},
			Found{Kind: "crate", Artifact: seal.Artifact{Type: seal.Crate, Identifier: "acme-tools", Version: "1.2.4"}, Repository: repo, License: "MIT"}},
		"mcpb": {"a.mcpb", bundle, Options{},
			Found{Kind: "MCP bundle", Artifact: seal.Artifact{Type: seal.MCPB, Identifier: "tools", Version: "1.2.4"}, Repository: repo, Entrypoint: "server/index.js"}},
		"mcpb signed behind its end": {"a.zip", append(bundle, "MCPB_SIG_V1"...), Options{Scope: seal.ScopeBundle},
			Found{Kind: "MCP bundle", Artifact: seal.Artifact{Type: seal.MCPB, Identifier: "tools", Version: "1.2.4"}, Repository: repo, Entrypoint: "server/index.js"}},
		"mcpb entrypoint": {"a.dxt", bundle, Options{Scope: seal.ScopeEntrypoint},
			Found{Kind: "MCP bundle", Artifact: seal.Artifact{Type: seal.MCPB, Identifier: "tools", Version: "1.2.4", Digest: sha256Of(helloText)}, Repository: repo, Entrypoint: "server/index.js"}},
		"wasm": {"a.wasm", wasm, Options{Scope: seal.ScopeBundle},
			Found{Kind: "wasm module", Artifact: seal.Artifact{Type: seal.Wasm, Identifier: "acme", Version: "1.2.4"}, Repository: repo, License: "MIT", Revision: "abc"}},
		"wasm without a word": {"tools.wasm", wasmBytes(), Options{Scope: seal.ScopeEntrypoint},
			Found{Kind: "wasm module", Artifact: seal.Artifact{Type: seal.Wasm, Identifier: "tools"}}},
		"Mach-O": {"tools", []byte("\xcf\xfa\xed\xfe" + strings.Repeat("\x00", 100)), Options{Scope: seal.ScopeEntrypoint},
			Found{Kind: "binary", Artifact: seal.Artifact{Type: seal.Binary, Identifier: "tools"}}},
		"universal Mach-O": {"tools", []byte("\xca\xfe\xba\xbe\x00\x00\x00\x02" + strings.Repeat("\x00", 100)), Options{},
			Found{Kind: "binary", Artifact: seal.Artifact{Type: seal.Binary, Identifier: "tools"}}},
		"PE": {"tools.exe", []byte("MZ" + strings.Repeat("\x00", 58) + "\x40\x00\x00\x00PE\x00\x00" + strings.Repeat("\x00", 60)), Options{},
			Found{Kind: "binary", Artifact: seal.Artifact{Type: seal.Binary, Identifier: "tools"}}},
		"script as binary": {"tools.py", []byte("#!/usr/bin/env python3\n"), Options{Type: seal.Binary, Scope: seal.ScopeBundle},
			Found{Kind: "binary", Artifact: seal.Artifact{Type: seal.Binary, Identifier: "tools.py"}}},
		"tarball as source": {"tools.tgz", npm, Options{Type: seal.Source},
			Found{Kind: "source", Artifact: seal.Artifact{Type: seal.Source, Identifier: "tools.tgz"}}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			p := write(t, t.TempDir(), test.file, string(test.data))
			got := identifyOK(t, p, test.o)
			want := test.want
			want.Ref, want.Path, want.Size, want.File = p, p, int64(len(test.data)), sha256Of(test.data)
			if want.Artifact.Digest == "" {
				want.Artifact.Digest = want.File
			}
			if want.Artifact.Scope = test.o.Scope; want.Artifact.Scope == "" {
				want.Artifact.Scope = seal.ScopePackage
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("Identify (-want +got):\n%s", diff)
			}
			if err := Recheck(context.Background(), got, Options{}); err != nil {
				t.Errorf("Recheck: %v", err)
			}
		})
	}
}

func TestIdentifyGoProgram(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	info, _ := debug.ReadBuildInfo()
	got := identifyOK(t, self, Options{Algorithm: digest.SHA512})
	if got.Kind != "Go program" || got.Artifact.Identifier != info.Path || got.Repository != "https://github.com/mcp-integrity/seal-action" {
		t.Errorf("got %+v, want the build info %+v", got, info)
	}
	if got.Artifact.Digest.Algorithm() != digest.SHA512 || got.Artifact.Digest != got.File {
		t.Errorf("digest %s, file %s, want one sha512 digest", got.Artifact.Digest, got.File)
	}
}

func TestIdentifyAll(t *testing.T) {
	dir := t.TempDir()
	var refs []string
	for _, name := range []string{"c", "a", "b", "e", "d"} {
		refs = append(refs, write(t, dir, name+".wasm", string(wasmBytes("name", nameSection(name)))))
	}
	found, err := IdentifyAll(context.Background(), refs, Options{Concurrency: 2})
	if err != nil {
		t.Fatal(err)
	}
	for i, f := range found {
		if f.Ref != refs[i] || f.Artifact.Identifier+".wasm" != refs[i][len(dir)+1:] {
			t.Errorf("result %d: got %q (%q), want %q", i, f.Ref, f.Artifact.Identifier, refs[i])
		}
	}
	refs[3] = dir + "/none"
	_, err = IdentifyAll(context.Background(), refs, Options{})
	wantErr(t, err, "none")
}
