package artifact

import (
	"archive/tar"
	"context"
	"encoding/json"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"

	"github.com/mcp-integrity/seal-action/seal"
)

// A testLayout is an image layout in the making: its files by name.
type testLayout map[string]string

func newLayout() testLayout { return testLayout{"oci-layout": `{"imageLayoutVersion":"1.0.0"}`} }

// put adds a blob and returns its descriptor.
func (l testLayout) put(mediaType, data string, more ...any) map[string]any {
	d := sha256Of(data)
	l["blobs/sha256/"+d.Encoded()] = data
	desc := map[string]any{"mediaType": mediaType, "digest": d, "size": len(data)}
	for i := 0; i+1 < len(more); i += 2 {
		desc[more[i].(string)] = more[i+1]
	}
	return desc
}

func (l testLayout) putJSON(mediaType string, v any, more ...any) map[string]any {
	return l.put(mediaType, mustJSON(v), more...)
}

func (l testLayout) index(manifests ...map[string]any) testLayout {
	l["index.json"] = mustJSON(map[string]any{"schemaVersion": 2, "manifests": manifests})
	return l
}

func mustJSON(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// image adds config, one layer and a manifest and returns the manifest's
// descriptor.
func (l testLayout) image(labels map[string]string, layer string, more ...any) map[string]any {
	config := l.putJSON(configTypes[0], map[string]any{"config": map[string]any{"Labels": labels}})
	blob := l.put("application/vnd.oci.image.layer.v1.tar", layer)
	return l.putJSON(manifestTypes[0], map[string]any{"schemaVersion": 2, "mediaType": manifestTypes[0], "config": config, "layers": []any{blob}}, more...)
}

func (l testLayout) dir(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	for name, data := range l {
		write(t, dir, name, data)
	}
	return dir
}

func (l testLayout) tar(t testing.TB) string {
	t.Helper()
	var entries []entry
	for name, data := range l {
		entries = append(entries, entry{name: name, body: data})
	}
	entries = append(entries, entry{name: "blobs", kind: tar.TypeDir})
	return write(t, t.TempDir(), "tools.tar", string(tarBytes(t, entries...)))
}

var imageLabels = map[string]string{
	keyMCPName: "io.github.acme/tools", keySource: "https://github.com/acme/tools", keyVersion: "24.04", keyLicenses: "MIT", keyRevision: "abc",
}

func TestIdentifyLayout(t *testing.T) {
	plain := newLayout()
	manifest := plain.image(imageLabels, "layer", "annotations", map[string]string{keyRefName: "1.2.4", keyImageName: "ghcr.io/acme/tools:1.2.4"})
	plain.index(manifest)

	multi := newLayout()
	amd := multi.image(map[string]string{keyVersion: "1.2.4"}, "amd", "platform", map[string]string{"os": "linux", "architecture": "amd64"})
	arm := multi.image(map[string]string{keyVersion: "wrong"}, "arm", "platform", map[string]string{"os": "linux", "architecture": "arm64"})
	built := multi.image(map[string]string{keyVersion: "attestation"}, "{}", "platform", map[string]string{"os": "unknown", "architecture": "unknown"})
	absent := map[string]any{"mediaType": manifestTypes[0], "digest": sha256Of("absent"), "size": 6}
	top := multi.putJSON(indexTypes[0], map[string]any{"schemaVersion": 2, "mediaType": indexTypes[0], "manifests": []any{built, arm, amd, absent}})
	multi.index(top)

	want := Found{Kind: "OCI image layout", Artifact: seal.Artifact{Type: seal.Docker, Identifier: "ghcr.io/acme/tools", Version: "1.2.4",
		Digest: manifest["digest"].(digest.Digest), Scope: seal.ScopePackage},
		MCPName: "io.github.acme/tools", Repository: "https://github.com/acme/tools", License: "MIT", Revision: "abc",
		Notes: []string{`the label org.opencontainers.image.version says "24.04", taken is "1.2.4": labels can be the base image's`}}
	dir := plain.dir(t)
	got := identifyOK(t, dir, Options{})
	want.Ref, want.Path, want.Size = dir, dir, got.Size
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("layout (-want +got):\n%s", diff)
	}
	if err := Recheck(context.Background(), got, Options{}); err != nil {
		t.Error(err)
	}
	p := plain.tar(t)
	got = identifyOK(t, p, Options{Algorithm: digest.SHA512})
	want.Kind, want.Ref, want.Path, want.File = "OCI image tarball", p, p, got.File
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("tarball (-want +got):\n%s", diff)
	}
	dir = multi.dir(t)
	got = identifyOK(t, dir, Options{})
	if a := got.Artifact; a.Digest != top["digest"] || a.Version != "1.2.4" || a.Identifier != filepath.Base(dir) {
		t.Errorf("index: got %+v, want digest %s, version 1.2.4 of linux/amd64, the directory's name", a, top["digest"])
	}
	multi.index(multi.putJSON(indexTypes[0], map[string]any{"manifests": []any{built, multi.image(map[string]string{keyVersion: "1.2.5"}, "arm", "platform", map[string]string{"os": "linux", "architecture": "arm64"})}}))
	if got := identifyOK(t, multi.dir(t), Options{}); got.Artifact.Version != "1.2.5" {
		t.Errorf("index without amd64: got version %q, want 1.2.5 of linux/arm64, not the attestation's", got.Artifact.Version)
	}
	if got := identifyOK(t, dir, Options{Type: seal.Source}); got.Artifact.Type != seal.Source {
		t.Errorf("layout as source: got %+v", got.Artifact)
	}
}

func TestLayoutRefuses(t *testing.T) {
	// build returns a good layout and the name of its layer's and its manifest's
	// files.
	build := func() (testLayout, string, string, map[string]any) {
		l := newLayout()
		m := l.image(nil, "layer")
		l.index(m)
		return l, "blobs/sha256/" + sha256Of("layer").Encoded(), "blobs/sha256/" + m["digest"].(digest.Digest).Encoded(), m
	}
	confused := map[string]any{"schemaVersion": 2, "manifests": []any{}, "config": map[string]any{"digest": sha256Of("x"), "size": 1}}
	tests := map[string]struct {
		change func(l testLayout, layer, manifest string, m map[string]any)
		want   string
	}{
		"layer changed":    {func(l testLayout, layer, _ string, _ map[string]any) { l[layer] = "LAYER" }, "got digest " + string(sha256Of("LAYER")) + " and 5 bytes, want " + string(sha256Of("layer"))},
		"layer cut":        {func(l testLayout, layer, _ string, _ map[string]any) { l[layer] = "la" }, "2 bytes"},
		"layer missing":    {func(l testLayout, layer, _ string, _ map[string]any) { delete(l, layer) }, "is not there"},
		"manifest changed": {func(l testLayout, _, m string, _ map[string]any) { l[m] += " " }, "got digest"},
		"manifest altered": {func(l testLayout, _, m string, _ map[string]any) {
			l[m] = strings.Replace(l[m], `"schemaVersion":2`, `"schemaVersion":3`, 1)
		}, "got digest"},
		"manifest missing": {func(l testLayout, _, m string, _ map[string]any) { delete(l, m) }, "is not there"},
		"size is a lie":    {func(l testLayout, _, _ string, m map[string]any) { m["size"] = 3; l.index(m) }, "want " /* digest */},
		"no index":         {func(l testLayout, _, _ string, _ map[string]any) { delete(l, "index.json") }, ""},
		"no image":         {func(l testLayout, _, _ string, _ map[string]any) { l.index() }, "index.json: want an index"},
		"two images":       {func(l testLayout, _, _ string, m map[string]any) { l.index(m, l.image(nil, "other")) }, "2 images, want one"},
		"other version":    {func(l testLayout, _, _ string, _ map[string]any) { l["oci-layout"] = `{"imageLayoutVersion":"2.0.0"}` }, `imageLayoutVersion "2.0.0", want "1.0.0"`},
		"duplicate member": {func(l testLayout, _, _ string, _ map[string]any) { l["index.json"] = `{"manifests":[],"manifests":[]}` }, "index.json: not strict JSON"},
		"weak digest": {func(l testLayout, _, _ string, m map[string]any) {
			m["digest"] = "sha1:da39a3ee5e6b4b0d3255bfef95601890afd80709"
			l.index(m)
		}, "sha1"},
		"digest as a path": {func(l testLayout, _, _ string, m map[string]any) {
			m["digest"] = "sha256:../../../etc/passwd"
			l.index(m)
		}, "invalid checksum digest"},
		"negative size":      {func(l testLayout, _, _ string, m map[string]any) { m["size"] = -1; l.index(m) }, "size -1"},
		"manifest and index": {func(l testLayout, _, _ string, _ map[string]any) { l.index(l.putJSON(indexTypes[0], confused)) }, "want an index, with manifests, or a manifest"},
		"media type confused": {func(l testLayout, _, _ string, m map[string]any) { m["mediaType"] = indexTypes[0]; l.index(m) },
			`media type "application/vnd.oci.image.index.v1+json", want "application/vnd.oci.image.manifest.v1+json"`},
		"not the announced": {func(l testLayout, _, _ string, m map[string]any) { m["mediaType"] = manifestTypes[1]; l.index(m) }, "announced as"},
		"no config": {func(l testLayout, _, _ string, _ map[string]any) {
			l.index(l.putJSON(manifestTypes[0], map[string]any{"layers": []any{}}))
		}, "manifest without config"},
		"all platforms absent": {func(l testLayout, _, _ string, _ map[string]any) {
			l.index(l.putJSON(indexTypes[0], map[string]any{"manifests": []any{map[string]any{"mediaType": manifestTypes[0], "digest": sha256Of("x"), "size": 1}}}))
		}, "none of its manifests is there"},
		"nested too deep": {func(l testLayout, _, _ string, m map[string]any) {
			for range maxImageDepth + 1 {
				m = l.putJSON(indexTypes[0], map[string]any{"manifests": []any{m}})
			}
			l.index(m)
		}, "indexes deep"},
		"too many": {func(l testLayout, _, _ string, m map[string]any) {
			l.index(l.putJSON(indexTypes[0], map[string]any{"manifests": repeat(m, maxImageDocs)}))
		}, "more than 1000 manifests"},
		"too many layers": {func(l testLayout, _, _ string, m map[string]any) {
			l.index(l.putJSON(manifestTypes[0], map[string]any{"config": m, "layers": repeat(m, maxLayers+1)}))
		}, "1001 layers"},
		"config no JSON": {func(l testLayout, _, _ string, _ map[string]any) {
			l.index(l.putJSON(manifestTypes[0], map[string]any{"config": l.put(configTypes[0], "hello"), "layers": []any{}}))
		}, "config sha256:"},
	}
	for name, test := range tests {
		l, layer, manifest, m := build()
		test.change(l, layer, manifest, m)
		want := test.want
		t.Run(name+" in a directory", func(t *testing.T) {
			if want == "" {
				want = "index.json: is not there"
			}
			_, err := Identify(context.Background(), l.dir(t), Options{})
			wantErr(t, err, want)
		})
		t.Run(name+" in a tarball", func(t *testing.T) {
			if test.want == "" {
				want = "unknown kind"
			}
			_, err := Identify(context.Background(), l.tar(t), Options{})
			wantErr(t, err, want)
		})
	}
}

func repeat(m map[string]any, n int) []any {
	var all []any
	for range n {
		all = append(all, m)
	}
	return all
}

// A layer that its licence forbids to pass on lies at a URL.
func TestLayoutForeignLayer(t *testing.T) {
	l := newLayout()
	config := l.putJSON(configTypes[0], map[string]any{})
	foreign := map[string]any{"mediaType": "x", "digest": sha256Of("far"), "size": 3, "urls": []string{"https://far.example/"}}
	l.index(l.putJSON(manifestTypes[0], map[string]any{"config": config, "layers": []any{foreign}}))
	identifyOK(t, l.dir(t), Options{})
}

func TestImageTarRefuses(t *testing.T) {
	saved := tarBytes(t, entry{name: "manifest.json", body: `[{"Config":"x.json","Layers":[]}]`}, entry{name: "x.json", body: "{}"})
	_, err := Identify(context.Background(), write(t, t.TempDir(), "a.tar", string(saved)), Options{})
	if !errors.Is(err, errSavedImage) || !strings.Contains(err.Error(), "push the image and give oci://HOST/NAME@DIGEST") {
		t.Errorf("docker save: got %v, want the way out", err)
	}
	twice := tarBytes(t, entry{name: "index.json", body: "{}"}, entry{name: "./index.json", body: "{}"})
	_, err = Identify(context.Background(), write(t, t.TempDir(), "a.tar", string(twice)), Options{})
	wantErr(t, err, `"index.json" stands twice`)
	_, err = Identify(context.Background(), newLayout().index(newLayout().image(nil, "x")).dir(t), Options{Scope: seal.ScopeBundle})
	wantErr(t, err, "is not there")
	l := newLayout()
	l.index(l.image(nil, "x"))
	_, err = Identify(context.Background(), l.dir(t), Options{Scope: seal.ScopeEntrypoint})
	wantErr(t, err, "names no main executable file")
}

func TestImageVersion(t *testing.T) {
	tests := []struct{ annotation, tag, label, want string }{
		{"1", "2", "3", "1"},
		{"", "2", "3", "2"},
		{"", "v2", "3", "v2"},
		{"", "latest", "3", "3"},
		{"", "vanilla", "3", "3"},
		{"", "latest", "", "latest"},
		{"", "", "3", "3"},
		{"", "", "", ""},
		{"", "v", "", "v"},
	}
	for _, test := range tests {
		if got := imageVersion(test.annotation, test.tag, test.label); got != test.want {
			t.Errorf("imageVersion(%q, %q, %q) = %q, want %q", test.annotation, test.tag, test.label, got, test.want)
		}
	}
}

func TestSplitTag(t *testing.T) {
	for ref, want := range map[string][2]string{
		"host/a:1": {"host/a", "1"}, "host:5000/a": {"host:5000/a", ""}, "host:5000/a:1": {"host:5000/a", "1"},
		"host/a:1@sha256:00": {"host/a", "1"}, "host/a@sha256:00": {"host/a", ""}, "1.2": {"1.2", ""}, "": {"", ""},
	} {
		if name, tag := splitTag(ref); name != want[0] || tag != want[1] {
			t.Errorf("splitTag(%q) = %q, %q, want %q", ref, name, tag, want)
		}
	}
}
