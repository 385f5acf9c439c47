// Command oci is what the story needs of registries, on this machine only.
//
//	oci serve PORT             a registry with the referrers API, in memory, on 127.0.0.1:PORT until it is stopped
//	oci pushimage REF FILE     push an image of one layer, FILE, to HOST:PORT/NAME:TAG, and print its digest
//
// PORT 0 takes a free one. serve prints its address when it listens.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"time"

	"github.com/opencontainers/go-digest"
	specs "github.com/opencontainers/image-spec/specs-go"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2/content"
	"oras.land/oras-go/v2/registry/remote"

	"github.com/mcp-integrity/seal-action/internal/fetch"
	"github.com/mcp-integrity/seal-action/internal/publish/ocitest"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "oci:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	switch {
	case len(args) == 2 && args[0] == "serve":
		return serve(args[1])
	case len(args) == 3 && args[0] == "pushimage":
		return pushImage(context.Background(), args[1], args[2])
	}
	return errors.New("want serve PORT, or pushimage REF FILE")
}

func serve(port string) error {
	listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", port))
	if err != nil {
		return err
	}
	fmt.Println(listener.Addr())
	server := http.Server{Handler: &ocitest.Registry{Referrers: true}, ReadHeaderTimeout: 10 * time.Second}
	return server.Serve(listener)
}

// pushImage pushes an index with one image for linux/amd64, as build tools do.
// The same file gives the same digest.
func pushImage(ctx context.Context, ref, file string) error {
	repo, err := remote.NewRepository(ref)
	if err != nil {
		return err
	}
	if repo.PlainHTTP = fetch.Loopback(&url.URL{Host: repo.Reference.Registry}); !repo.PlainHTTP {
		return fmt.Errorf("%s is not this machine", repo.Reference.Registry)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	layer, err := push(ctx, repo, v1.MediaTypeImageLayer, data)
	if err != nil {
		return err
	}
	platform := v1.Platform{Architecture: "amd64", OS: "linux"}
	config, err := pushJSON(ctx, repo, v1.MediaTypeImageConfig, v1.Image{
		Platform: platform, RootFS: v1.RootFS{Type: "layers", DiffIDs: []digest.Digest{layer.Digest}},
	})
	if err != nil {
		return err
	}
	image, err := pushJSON(ctx, repo, v1.MediaTypeImageManifest, v1.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: v1.MediaTypeImageManifest, Config: config, Layers: []v1.Descriptor{layer},
	})
	if err != nil {
		return err
	}
	image.Platform = &platform
	index, err := pushJSON(ctx, repo, v1.MediaTypeImageIndex, v1.Index{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: v1.MediaTypeImageIndex, Manifests: []v1.Descriptor{image},
	})
	if err != nil {
		return err
	}
	if err := repo.Tag(ctx, index, repo.Reference.Reference); err != nil {
		return err
	}
	fmt.Println(index.Digest)
	return nil
}

func pushJSON(ctx context.Context, repo *remote.Repository, mediaType string, v any) (v1.Descriptor, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return v1.Descriptor{}, err
	}
	return push(ctx, repo, mediaType, data)
}

func push(ctx context.Context, repo *remote.Repository, mediaType string, data []byte) (v1.Descriptor, error) {
	desc := content.NewDescriptorFromBytes(mediaType, data)
	if err := repo.Push(ctx, desc, bytes.NewReader(data)); err != nil {
		return desc, fmt.Errorf("push %s: %w", mediaType, err)
	}
	return desc, nil
}
