package trust

import (
	"context"
	"path/filepath"

	"github.com/mcp-integrity/seal-action/internal/keys"
)

// Sources is the [Loader] that these tests have: a trust file on disk, as the command
// line reads it with its own messages.
type Sources struct {
	// Dir is the absolute path of the trust file's directory, from which the
	// files in it are named.
	Dir string
	// Documents remembers key documents, and with them revocations.
	Documents *keys.Documents
	// Fetcher gets documents by URL; nil is a run without network.
	Fetcher keys.Fetcher
	// Loaded is told of every document, to report a stale one and one that lost a
	// revocation; nil tells nobody. Several goroutines call it at once.
	Loaded func(source string, d keys.Document)
}

// Key implements [Loader].
func (s Sources) Key(path string) (keys.PublicKey, error) { return keys.ReadPublic(s.file(path)) }

// Set implements [Loader].
func (s Sources) Set(ctx context.Context, source string, known []keys.PublicKey) (keys.Set, error) {
	if !isURL(source) {
		source = s.file(source)
	}
	d, err := s.Documents.Load(ctx, source, s.Fetcher, known...)
	if err != nil {
		return keys.Set{}, err
	}
	if s.Loaded != nil {
		s.Loaded(source, d)
	}
	return d.Set, nil
}

// Revoked implements [Loader].
func (s Sources) Revoked(ctx context.Context, all []keys.PublicKey) (keys.Set, error) {
	return s.Documents.Revoked(ctx, all...)
}

// file is the path of a file that the trust file names, with either slash.
func (s Sources) file(path string) string {
	path = filepath.FromSlash(path)
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(s.Dir, path)
}
