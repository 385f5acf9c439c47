package artifact

import (
	"context"
	"errors"
	"path/filepath"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	ggcrlayout "github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// What another writer makes of an image, in a directory and in a registry, has
// the digest that the writer says.
func TestImagesOfAnotherWriter(t *testing.T) {
	image, err := random.Image(2000, 3)
	mustDo(t, err)
	index, err := random.Index(2000, 2, 3)
	mustDo(t, err)
	host, _ := serve(t)

	check := func(what, ref string, want v1.Hash) {
		t.Helper()
		got := identifyOK(t, ref, Options{Anonymous: true})
		if string(got.Artifact.Digest) != want.String() {
			t.Errorf("%s: got %s, want %s", what, got.Artifact.Digest, want)
		}
	}
	imageDigest, err := image.Digest()
	mustDo(t, err)
	indexDigest, err := index.Digest()
	mustDo(t, err)

	dir := t.TempDir()
	l, err := ggcrlayout.Write(dir, empty.Index)
	mustDo(t, err)
	mustDo(t, l.AppendImage(image))
	check("image in a layout", dir, imageDigest)
	dir = t.TempDir()
	l, err = ggcrlayout.Write(dir, empty.Index)
	mustDo(t, err)
	mustDo(t, l.AppendIndex(index))
	check("index in a layout", dir, indexDigest)

	ref, err := name.ParseReference(host + "/acme/image:1")
	mustDo(t, err)
	mustDo(t, remote.Write(ref, image))
	check("image in a registry", remotePrefix+ref.String(), imageDigest)
	ref, err = name.ParseReference(host + "/acme/index:1")
	mustDo(t, err)
	mustDo(t, remote.WriteIndex(ref, index))
	check("index in a registry", remotePrefix+ref.String(), indexDigest)

	saved := filepath.Join(t.TempDir(), "saved.tar")
	mustDo(t, tarball.WriteToFile(saved, ref, image))
	if _, err := Identify(context.Background(), saved, Options{}); !errors.Is(err, errSavedImage) {
		t.Errorf("docker save: got %v, want %v", err, errSavedImage)
	}
}
