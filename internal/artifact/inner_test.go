package artifact

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mcp-integrity/seal-action/seal"
)

func TestInnerManifest(t *testing.T) {
	js := entry{name: "package/package.json", body: packageJSONText}
	cli := entry{name: "package/dist/cli.js", body: helloText}
	inner := func(name string) entry { return entry{name: name, body: envelope} }
	manifest, meta := entry{name: "manifest.json", body: bundleText}, entry{name: wheelMetadata, body: metadataText}
	tests := map[string]struct {
		file  string
		data  []byte
		scope seal.DigestScope
		inner []string
		want  string
	}{
		"npm":             {"a.tgz", tgz(t, js, inner("package/mcp-integrity.json")), "", []string{"package/mcp-integrity.json"}, "--digest-scope entrypoint"},
		"npm, last":       {"a.tgz", tgz(t, js, cli, inner("./package/mcp-integrity.json")), "", []string{"package/mcp-integrity.json"}, "put it beside it"},
		"npm, entrypoint": {"a.tgz", tgz(t, js, cli, inner("package/mcp-integrity.json")), seal.ScopeEntrypoint, []string{"package/mcp-integrity.json"}, ""},
		"of a dependency": {"a.tgz", tgz(t, js, inner("package/node_modules/x/mcp-integrity.json")), "", nil, ""},
		"no envelope":     {"a.tgz", tgz(t, js, entry{name: "package/mcp-integrity.json", body: `{"payloadType":"x"}`}), "", nil, ""},
		"no JSON":         {"a.tgz", tgz(t, js, entry{name: "package/mcp-integrity.json", body: "hello"}), "", nil, ""},
		"by an escape": {"a.tgz", tgz(t, js, entry{name: "package/mcp-integrity.json", body: `{"payloadType":"\u0061pplication/vnd.mcp-integrity.manifest+json","x":1,"x":2}`}), "",
			[]string{"package/mcp-integrity.json"}, "holds the sealed manifest"},
		"other name":     {"a.tgz", tgz(t, js, inner("package/seal.json")), "", nil, ""},
		"wheel":          {wheelName, zipBytes(t, meta, inner("mcp-integrity.json")), "", []string{"mcp-integrity.json"}, "holds the sealed manifest"},
		"wheel, package": {wheelName, zipBytes(t, meta, inner("acme/mcp-integrity.json")), "", []string{"acme/mcp-integrity.json"}, "holds the sealed manifest"},
		"sdist": {"acme_tools-1.2.4.tar.gz", tgz(t, entry{name: "acme_tools-1.2.4/PKG-INFO", body: metadataText}, inner("acme_tools-1.2.4/mcp-integrity.json")), "",
			[]string{"acme_tools-1.2.4/mcp-integrity.json"}, "holds the sealed manifest"},
		"crate": {"a.crate", tgz(t, entry{name: "acme-tools-1.2.4/Cargo.toml", body: cargoText}, inner("acme-tools-1.2.4/mcp-integrity.json")), "",
			[]string{"acme-tools-1.2.4/mcp-integrity.json"}, "holds the sealed manifest"},
		"mcpb":                    {"a.mcpb", zipBytes(t, manifest, inner("mcp-integrity.json")), "", []string{"mcp-integrity.json"}, "holds the sealed manifest"},
		"mcpb, bundle":            {"a.mcpb", zipBytes(t, manifest, inner("mcp-integrity.json")), seal.ScopeBundle, []string{"mcp-integrity.json"}, "holds the sealed manifest"},
		"mcpb, of something else": {"a.mcpb", zipBytes(t, manifest, inner("server/mcp-integrity.json")), "", nil, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			f := identifyOK(t, write(t, t.TempDir(), test.file, string(test.data)), Options{Scope: test.scope})
			if diff := cmp.Diff(test.inner, f.InnerManifest); diff != "" && len(test.inner)+len(f.InnerManifest) > 0 {
				t.Errorf("InnerManifest (-want +got):\n%s", diff)
			}
			wantErr(t, CheckInner(f), test.want)
		})
	}
}
