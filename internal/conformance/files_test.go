package conformance

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/opencontainers/go-digest"
)

// tgz makes an npm package around its package.json.
func (d *desk) tgz(packageJSON []byte) string {
	var b bytes.Buffer
	zw := gzip.NewWriter(&b)
	tw := tar.NewWriter(zw)
	err := tw.WriteHeader(&tar.Header{Name: "package/package.json", Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(len(packageJSON))})
	if err == nil {
		_, err = tw.Write(packageJSON)
	}
	if err := errors.Join(err, tw.Close(), zw.Close()); err != nil {
		d.Fatal(err)
	}
	return d.file("acme-1.0.0.tgz", b.Bytes())
}

// mcpb makes an MCP bundle around its manifest.json.
func (d *desk) mcpb(manifest []byte) string {
	var b bytes.Buffer
	zw := zip.NewWriter(&b)
	w, err := zw.Create("manifest.json")
	if err == nil {
		_, err = w.Write(manifest)
	}
	if err := errors.Join(err, zw.Close()); err != nil {
		d.Fatal(err)
	}
	return d.file("acme.mcpb", b.Bytes())
}

// An image is an OCI image layout around some of its documents; those that are
// nil are made. index and manifest end where what they refer to belongs.
type image struct{ layout, index, manifest, config []byte }

// image writes the layout of an image without layers.
func (d *desk) image(im image) string {
	dir := d.TempDir()
	write := func(name string, data []byte) {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, data, 0o600)); err != nil {
			d.Fatal(err)
		}
	}
	blob := func(mediaType string, data []byte) []byte {
		sum := digest.FromBytes(data)
		write("blobs/sha256/"+sum.Encoded(), data)
		return fmt.Appendf(nil, `{"mediaType":%q,"digest":%q,"size":%d}`, mediaType, sum, len(data))
	}
	or := func(data []byte, made string) []byte {
		if data == nil {
			return []byte(made)
		}
		return bytes.Clone(data)
	}
	config := blob("application/vnd.oci.image.config.v1+json", or(im.config, `{"config":{"Labels":{}}}`))
	manifest := append(append(or(im.manifest, `{"schemaVersion":2,"layers":[],"config":`), config...), '}')
	index := append(append(or(im.index, `{"schemaVersion":2,"manifests":[`), blob("application/vnd.oci.image.manifest.v1+json", manifest)...), "]}"...)
	write("oci-layout", or(im.layout, `{"imageLayoutVersion":"1.0.0"}`))
	write("index.json", index)
	return dir
}
