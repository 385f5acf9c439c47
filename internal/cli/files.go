package cli

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/mcp-integrity/seal-action/internal/keys"
)

// readFile reads a file of at most limit bytes.
func readFile(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, undecidedf("there is no file %q", path)
		}
		return nil, undecidedf("%w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, undecidedf("read %s: %w", path, err)
	}
	if int64(len(data)) > limit {
		return nil, failsf("%s: more than %d bytes", path, limit)
	}
	return data, nil
}

// file is something to be written.
type file struct {
	path string
	data []byte
}

// writeFiles makes files appear by rename, in their order: the last one is the
// commit. When one cannot be written in full, none appears.
func writeFiles(files ...file) (err error) {
	var temps []string
	defer func() {
		for _, t := range temps {
			os.Remove(t)
		}
	}()
	for _, f := range files {
		temp, err := writeTemp(f)
		if err != nil {
			return undecidedf("write %s: %w", f.path, err)
		}
		temps = append(temps, temp)
	}
	for i, f := range files {
		if err := os.Rename(temps[i], f.path); err != nil {
			return undecidedf("write %s: %w", f.path, err)
		}
	}
	temps = nil
	return nil
}

func writeTemp(f file) (string, error) {
	if info, err := os.Stat(f.path); err == nil && !info.Mode().IsRegular() {
		return "", fmt.Errorf("it exists and is no regular file")
	}
	if _, err := keys.ReadPrivate(f.path); err == nil {
		return "", fmt.Errorf("it holds a private key, which nothing could bring back")
	}
	if !fileExists(filepath.Dir(f.path)) {
		return "", fmt.Errorf("there is no directory %q", filepath.Dir(f.path))
	}
	t, err := os.CreateTemp(filepath.Dir(f.path), "."+filepath.Base(f.path)+".*.tmp")
	if err != nil {
		return "", err
	}
	_, err = t.Write(f.data)
	// What is published is for everybody to read; CreateTemp makes 0600.
	err = errors.Join(err, t.Chmod(0o644), t.Sync(), t.Close())
	if err != nil {
		os.Remove(t.Name())
		return "", err
	}
	return t.Name(), nil
}

// sibling is a file beside the envelope, by its stem: mcp-integrity.json has
// mcp-integrity.interface.json.
func sibling(envelope, suffix string) string {
	return strings.TrimSuffix(envelope, ".json") + suffix
}

// The suffixes of what lies beside an envelope: the snapshot, and the bundle of
// the build provenance.
const (
	interfaceSuffix  = ".interface.json"
	provenanceSuffix = ".provenance.sigstore.json"
)

// print writes data where an option says: "-" is standard output.
func (i *invocation) print(path string, data []byte) error {
	if path == "-" || path == "" {
		_, err := i.Stdout.Write(data)
		if err != nil {
			return undecidedf("write: %w", err)
		}
		return nil
	}
	return writeFiles(file{path, data})
}
