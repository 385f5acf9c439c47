package artifact

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"strings"

	"github.com/opencontainers/go-digest"
)

// openZip reads the directory of a zip file. archive/zip keeps all of it in
// memory and believes the number of entries that the file claims, so both are
// bounded first.
func openZip(f *file) (*zip.Reader, error) {
	if err := checkZipEnd(f, f.size()); err != nil {
		return nil, fmt.Errorf("zip: %w", err)
	}
	budget := &readBudget{r: f, left: maxDirectory}
	z, err := zip.NewReader(budget, f.size())
	if err != nil {
		return nil, fmt.Errorf("zip: %w", err)
	}
	if len(z.File) > maxEntries {
		return nil, fmt.Errorf("zip: %d entries, want at most %d", len(z.File), maxEntries)
	}
	budget.left = math.MaxInt64 // members are bounded one by one
	return z, nil
}

// A readBudget is a ReaderAt that fails once left bytes were asked of it.
type readBudget struct {
	r    io.ReaderAt
	left int64
}

func (b *readBudget) ReadAt(p []byte, off int64) (int, error) {
	if b.left -= int64(len(p)); b.left < 0 {
		return 0, errors.New("more to read than its bound allows")
	}
	return b.r.ReadAt(p, off)
}

// The end record of a zip file and its 64-bit companion (APPNOTE 4.3.14 to
// 4.3.16).
const (
	zipEndSize       = 22
	zip64LocatorSize = 20
	zipMaxComment    = 1<<16 - 1
)

// checkZipEnd bounds the number of entries that a zip file claims, which
// archive/zip allocates room for. It takes the greater of the claims of both end
// records, whichever counts.
func checkZipEnd(r io.ReaderAt, size int64) error {
	tail := make([]byte, min(size, zip64LocatorSize+zipEndSize+zipMaxComment))
	if _, err := r.ReadAt(tail, size-int64(len(tail))); err != nil && err != io.EOF {
		return err
	}
	end := bytes.LastIndex(tail, []byte("PK\x05\x06"))
	if end < 0 || len(tail)-end < zipEndSize {
		return errors.New("no end record")
	}
	records := uint64(binary.LittleEndian.Uint16(tail[end+10:]))
	if at := end - zip64LocatorSize; at >= 0 && bytes.HasPrefix(tail[at:], []byte("PK\x06\x07")) {
		var record [56]byte
		if _, err := r.ReadAt(record[:], int64(binary.LittleEndian.Uint64(tail[at+8:])&math.MaxInt64)); err != nil {
			return fmt.Errorf("64-bit end record: %w", err)
		}
		records = max(records, binary.LittleEndian.Uint64(record[32:]))
	}
	if records > maxEntries {
		return fmt.Errorf("%d entries, want at most %d", records, maxEntries)
	}
	return nil
}

// readZip keeps the metadata files of a wheel and of an MCP bundle.
func readZip(z *zip.Reader) (*members, error) {
	m := newMembers()
	for _, e := range z.File {
		if len(e.Name) > maxName {
			return nil, fmt.Errorf("zip: a path of %d bytes, want at most %d", len(e.Name), maxName)
		}
		name := entryName(e.Name)
		dir, base, _ := strings.Cut(name, "/")
		switch {
		case e.FileInfo().IsDir() || strings.Contains(base, "/"):
		case strings.EqualFold(name, "manifest.json"):
			addZip(m, "manifest.json", name, e)
		case strings.EqualFold(base, "METADATA") && strings.HasSuffix(strings.ToLower(dir), ".dist-info"):
			addZip(m, "METADATA", name, e)
		case strings.HasSuffix(name, manifestName):
			if body, err := e.Open(); err == nil {
				m.lookInside(name, body)
				body.Close()
			}
		}
	}
	return m, nil
}

func addZip(m *members, want, name string, e *zip.File) {
	body, err := e.Open()
	if err != nil {
		m.byName[want] = &member{path: name, err: err}
		return
	}
	defer body.Close()
	m.add(want, name, e.Mode().IsRegular(), body)
}

// hashZipEntry hashes the regular file at name. Two entries of one path are
// refused.
func hashZipEntry(ctx context.Context, z *zip.Reader, name string, alg digest.Algorithm) (digest.Digest, error) {
	var entry *zip.File
	for _, e := range z.File {
		if entryName(e.Name) != name || e.Mode().IsDir() {
			continue
		}
		if entry != nil {
			return "", fmt.Errorf("entrypoint %.200q stands twice in the archive", name)
		}
		entry = e
	}
	switch {
	case entry == nil:
		return "", fmt.Errorf("has no file %.200q, which it names as its entrypoint", name)
	case !entry.Mode().IsRegular():
		return "", fmt.Errorf("entrypoint %.200q is a link or special file (%s), want a regular file", name, entry.Mode()&fs.ModeType)
	}
	body, err := entry.Open()
	if err != nil {
		return "", fmt.Errorf("entrypoint %.200q: %w", name, err)
	}
	defer body.Close()
	d, _, err := hashStream(ctx, &boundReader{r: body, limit: maxUnpacked}, alg, nil)
	return d, err
}
