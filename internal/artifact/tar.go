package artifact

import (
	"archive/tar"
	"bufio"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/opencontainers/go-digest"
)

// walkTar calls visit for every entry of the tar archive in r, with the path
// that it unpacks to. What follows the archive's end must be zeros: some
// readers go on there.
func walkTar(ctx context.Context, r io.Reader, visit func(name string, h *tar.Header, body io.Reader) error) error {
	archive := tar.NewReader(r)
	for n := 0; ; n++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		h, err := archive.Next()
		if err == io.EOF {
			return onlyZeros(r)
		}
		switch {
		case err != nil:
			return fmt.Errorf("tar: %w", err)
		case n == maxEntries:
			return fmt.Errorf("tar: more than %d entries", maxEntries)
		case len(h.Name) > maxName:
			return fmt.Errorf("tar: a path of %d bytes, want at most %d", len(h.Name), maxName)
		}
		if err := visit(entryName(h.Name), h, archive); err != nil {
			return err
		}
	}
}

// A boundReader fails once more than limit bytes came through it.
type boundReader struct {
	r           io.Reader
	limit, read int64
}

func (b *boundReader) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if b.read += int64(n); b.read > b.limit {
		return 0, fmt.Errorf("more than %d bytes", b.limit)
	}
	return n, err
}

func onlyZeros(r io.Reader) error {
	var buf [4096]byte
	for {
		n, err := r.Read(buf[:])
		for _, b := range buf[:n] {
			if b != 0 {
				return errors.New("tar: data behind the end of the archive")
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("tar: behind the end of the archive: %w", err)
		}
	}
}

// gunzip reads f's bytes unpacked, so long as ctx lasts.
func gunzip(ctx context.Context, f *file) (io.Reader, error) {
	z, err := gzip.NewReader(bufio.NewReaderSize(f.section(), hashBuffer))
	if err != nil {
		return nil, fmt.Errorf("gzip: %w", err)
	}
	return &boundReader{r: ctxReader{ctx, z}, limit: maxUnpacked}, nil
}

// packageFiles are the metadata files that a .tar.gz can hold below its one
// directory.
var packageFiles = []string{"package.json", "PKG-INFO", cargoFile}

// readTarball walks a .tar.gz once and keeps the metadata files of all kinds:
// the kind can depend on which are there. Package managers strip the first
// directory whatever its name, so it does not matter here.
func readTarball(ctx context.Context, f *file) (*members, error) {
	r, err := gunzip(ctx, f)
	if err != nil {
		return nil, err
	}
	m := newMembers()
	return m, walkTar(ctx, r, func(name string, h *tar.Header, body io.Reader) error {
		_, rest, ok := strings.Cut(name, "/")
		if !ok || strings.Contains(rest, "/") || h.Typeflag == tar.TypeDir {
			return nil
		}
		for _, want := range packageFiles {
			if strings.EqualFold(rest, want) {
				m.add(want, name, h.Typeflag == tar.TypeReg, body)
			}
		}
		m.lookInside(name, body)
		return nil
	})
}

// hashTarEntry hashes the regular file in a .tar.gz whose path without the
// first directory is the first of candidates that is there, and returns that
// path. Two entries of one path are refused.
func hashTarEntry(ctx context.Context, f *file, candidates []string, alg digest.Algorithm) (string, digest.Digest, error) {
	r, err := gunzip(ctx, f)
	if err != nil {
		return "", "", err
	}
	found := make(map[string]digest.Digest)
	err = walkTar(ctx, r, func(name string, h *tar.Header, body io.Reader) error {
		_, rest, _ := strings.Cut(name, "/") // "" is no candidate
		for _, c := range candidates {
			if rest != c || h.Typeflag == tar.TypeDir {
				continue
			}
			if _, twice := found[c]; twice {
				return fmt.Errorf("entrypoint %.200q stands twice in the archive", c)
			}
			if h.Typeflag != tar.TypeReg {
				return fmt.Errorf("entrypoint %.200q is a link or special file, want a regular file", c)
			}
			d, _, err := hashStream(ctx, body, alg, nil)
			if err != nil {
				return err
			}
			found[c] = d
		}
		return nil
	})
	if err != nil {
		return "", "", err
	}
	return firstOf(candidates, found)
}

// firstOf picks among the candidates for the entrypoint the first that is there.
func firstOf(candidates []string, found map[string]digest.Digest) (string, digest.Digest, error) {
	for _, c := range candidates {
		if d, ok := found[c]; ok {
			return c, d, nil
		}
	}
	return "", "", fmt.Errorf("has no file %.200q, which it names as its entrypoint", candidates[0])
}

// entryPath is a path that a package's metadata names, as members name theirs.
func entryPath(p string) string { return path.Clean("/" + p)[1:] }
