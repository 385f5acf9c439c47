package artifact

import (
	"archive/tar"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/opencontainers/go-digest"

	"github.com/mcp-integrity/seal-action/seal/strictjson"
)

// The files of an OCI image layout (image-layout.md).
const (
	layoutFile = "oci-layout"
	indexFile  = "index.json"
)

// A layoutFS opens the files of an image layout, in a directory or a tarball,
// by slash-separated path. Absent files are errNoBlob.
type layoutFS interface {
	open(name string) (io.ReadCloser, error)
}

// A layout is the blobStore of an image layout. Its files may be anything: all
// that is read of them is hashed and compared with the name that it is under.
type layout struct {
	files layoutFS
	meter *meter
}

func blobPath(d digest.Digest) string { return path.Join("blobs", string(d.Algorithm()), d.Encoded()) }

func (l *layout) blob(_ context.Context, d descriptor) ([]byte, error) {
	data, err := l.read(blobPath(d.Digest))
	if err != nil {
		return nil, err
	}
	if got := d.Digest.Algorithm().FromBytes(data); got != d.Digest || int64(len(data)) != d.Size {
		return nil, fmt.Errorf("got digest %s and %d bytes, want %s and %d", got, len(data), d.Digest, d.Size)
	}
	return data, nil
}

func (l *layout) check(ctx context.Context, d descriptor) error {
	f, err := l.files.open(blobPath(d.Digest))
	if err != nil {
		return err
	}
	defer f.Close()
	got, size, err := hashStream(ctx, f, d.Digest.Algorithm(), l.meter)
	if err != nil {
		return bare(err)
	}
	if got != d.Digest || size != d.Size {
		return fmt.Errorf("got digest %s and %d bytes, want %s and %d", got, size, d.Digest, d.Size)
	}
	return nil
}

func (l *layout) read(name string) ([]byte, error) {
	f, err := l.files.open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := readBounded(f, maxMetadata)
	return data, bare(err)
}

// errSavedImage is for what `docker save` wrote before version 25.
var errSavedImage = errors.New("is a `docker save` archive without an OCI index: it has no manifest, so no registry will ever serve it by a digest that could be sealed; " +
	"push the image and give oci://HOST/NAME@DIGEST, or build it with `docker buildx build --output type=oci`")

// root gives the one image of the layout.
func (l *layout) root() (descriptor, error) {
	var marker struct {
		Version string `json:"imageLayoutVersion"`
	}
	data, err := l.read(layoutFile)
	if err == nil {
		err = strictjson.UnmarshalOpen(data, &marker)
	}
	if err == nil && marker.Version != "1.0.0" {
		err = fmt.Errorf("imageLayoutVersion %.40q, want %q", marker.Version, "1.0.0")
	}
	if err != nil {
		return descriptor{}, fmt.Errorf("%s: %w", layoutFile, err)
	}
	if data, err = l.read(indexFile); err != nil {
		return descriptor{}, fmt.Errorf("%s: %w", indexFile, err)
	}
	doc, err := parseImageDoc(data, "")
	switch {
	case err != nil:
		return descriptor{}, fmt.Errorf("%s: %w", indexFile, err)
	case !doc.isIndex() || len(doc.Manifests) != 1:
		return descriptor{}, fmt.Errorf("%s: %d images, want one: copy the one that is meant into its own layout, or give oci://HOST/NAME@DIGEST",
			indexFile, len(doc.Manifests))
	}
	return doc.Manifests[0], nil
}

// identify sets what the layout's image is; fallback names an image that does
// not name itself.
func (l *layout) identify(ctx context.Context, found *Found, fallback, kind string) error {
	root, err := l.root()
	if err != nil {
		return err
	}
	im, err := readImage(ctx, l, root)
	if err != nil {
		return err
	}
	setImage(found, root, kind)
	name, tag := splitTag(root.Annotations[keyImageName])
	refName, refTag := splitTag(root.Annotations[keyRefName])
	if tag == "" && refTag == "" && !strings.Contains(refName, "/") {
		refName, refTag = "", refName // a bare ref.name is a tag
	}
	return im.describe(ctx, found, cmp.Or(name, refName, fallback), cmp.Or(tag, refTag))
}

// identifyLayout reads an image layout in a directory.
func identifyLayout(ctx context.Context, dir string, found *Found, o Options) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return bare(err)
	}
	defer root.Close()
	name, err := baseName(dir)
	if err != nil {
		return err
	}
	l := &layout{files: layoutDir{root}, meter: newMeter(o.Progress, found.Ref, 0)}
	return l.identify(ctx, found, name, "OCI image layout")
}

// layoutDir is a layout in a directory.
type layoutDir struct{ root *os.Root }

func (l layoutDir) open(name string) (io.ReadCloser, error) {
	f, err := l.root.OpenFile(filepath.FromSlash(name), os.O_RDONLY|openNonblock, 0)
	if errors.Is(err, os.ErrNotExist) {
		return nil, errNoBlob
	}
	if err != nil {
		return nil, bare(err)
	}
	info, err := f.Stat()
	if err == nil {
		err = wantRegular(info)
	}
	if err != nil {
		return nil, errors.Join(bare(err), f.Close())
	}
	return f, nil
}

// layoutTar is a layout in a tarball that is not compressed: its files, in
// place.
type layoutTar map[string]*io.SectionReader

func (l layoutTar) open(name string) (io.ReadCloser, error) {
	s, ok := l[name]
	if !ok {
		return nil, errNoBlob
	}
	return io.NopCloser(io.NewSectionReader(s, 0, s.Size())), nil
}

// identifyImageTar reads an OCI image tarball: one walk to learn where the
// files are, then the layout in place.
func identifyImageTar(ctx context.Context, f *file, found *Found, o Options) error {
	section, l := f.section(), make(layoutTar)
	err := walkTar(ctx, section, func(name string, h *tar.Header, _ io.Reader) error {
		if h.Typeflag != tar.TypeReg {
			return nil
		}
		if _, twice := l[name]; twice {
			return fmt.Errorf("%.200q stands twice in the archive", name)
		}
		// The tar reader reads whole headers and nothing ahead: here is where
		// the content begins.
		at, err := section.Seek(0, io.SeekCurrent)
		l[name] = io.NewSectionReader(f, at, h.Size)
		return err
	})
	if err != nil {
		return err
	}
	if _, ok := l[indexFile]; !ok {
		if _, ok := l["manifest.json"]; ok {
			return errSavedImage
		}
		return errUnknown
	}
	name, err := baseName(f.Name())
	if err != nil {
		return err
	}
	store := &layout{files: l, meter: newMeter(o.Progress, found.Ref, f.size())}
	return store.identify(ctx, found, strings.TrimSuffix(name, ".tar"), "OCI image tarball")
}
