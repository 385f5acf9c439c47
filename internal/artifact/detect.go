package artifact

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/opencontainers/go-digest"

	"github.com/mcp-integrity/seal-action/seal"
)

// A container is what the first bytes of a file say, before anybody names its
// type.
type container int

const (
	unknown container = iota
	gzipped
	zipped
	tarred
	wasmModule
	executable
)

// sniffSize holds the header of a tar archive, the longest that is looked at.
const sniffSize = 512

// sniff tells the container from the first bytes of f.
func sniff(f *file) (container, error) {
	head := make([]byte, sniffSize)
	n, err := f.ReadAt(head, 0)
	if err != nil && err != io.EOF {
		return unknown, bare(err)
	}
	head = head[:n]
	switch {
	case bytes.HasPrefix(head, []byte("\x1f\x8b\x08")):
		return gzipped, nil
	case bytes.HasPrefix(head, []byte("PK\x03\x04")), bytes.HasPrefix(head, []byte("PK\x05\x06")):
		return zipped, nil
	case bytes.HasPrefix(head, []byte("\x00asm")):
		return wasmModule, nil
	case n == sniffSize && bytes.HasPrefix(head[257:], []byte("ustar")):
		return tarred, nil
	case isExecutable(f, head):
		return executable, nil
	}
	return unknown, nil
}

// isExecutable knows the formats that Linux, macOS and Windows start.
func isExecutable(f *file, head []byte) bool {
	if len(head) < 64 {
		return false
	}
	switch {
	case bytes.HasPrefix(head, []byte("\x7fELF")):
		return true
	case bytes.HasPrefix(head, []byte("MZ")):
		var sig [4]byte
		_, err := f.ReadAt(sig[:], int64(binary.LittleEndian.Uint32(head[0x3c:])))
		return err == nil && string(sig[:]) == "PE\x00\x00"
	}
	switch binary.BigEndian.Uint32(head) {
	case 0xfeedface, 0xfeedfacf, 0xcefaedfe, 0xcffaedfe:
		return true
	case 0xcafebabe, 0xcafebabf:
		// A Java class begins the same way; there these four bytes are its
		// version, 45 or greater, here the number of architectures.
		n := binary.BigEndian.Uint32(head[4:])
		return n > 0 && n < 45
	}
	return false
}

// errUnknown lists what is known.
var errUnknown = errors.New("is of an unknown kind: want an npm package (.tgz), a wheel, an sdist (.tar.gz), a crate, " +
	"an MCP bundle (.mcpb), a wasm module, an executable (ELF, Mach-O, PE), an OCI image (layout, tarball or oci:// reference) or a directory; " +
	"any other file needs --artifact-type")

// identifyFile says what f is, checks that o's type and scope fit, and hashes.
func identifyFile(ctx context.Context, f *file, ref string, o Options) (Found, error) {
	found := Found{Ref: ref, Path: ref, Size: f.size()}
	c, err := sniff(f)
	if err != nil {
		return found, err
	}
	found.File, err = f.digest(ctx, ref, o)
	if err != nil {
		return found, err
	}
	var entry entryHasher
	switch {
	case o.Type == seal.Binary || o.Type == seal.Source:
		entry, err = readAsIs(c, f, &found, o.Type)
	case c == gzipped:
		entry, err = identifyTarball(ctx, f, &found, o.Type)
	case c == zipped:
		entry, err = identifyZip(f, &found, o.Type)
	case c == tarred:
		err = identifyImageTar(ctx, f, &found, o)
	case c == wasmModule:
		err = readWasm(f, &found)
		entry = wholeFile(&found)
	case c == executable:
		entry, err = readAsIs(c, f, &found, seal.Binary)
	default:
		err = errUnknown
	}
	if err != nil {
		return found, err
	}
	return found, finish(ctx, &found, entry, o)
}

// An entryHasher hashes the main executable file of a package and sets
// Found.Entrypoint to the one that it took. It is nil where a kind has none.
type entryHasher func(ctx context.Context, alg digest.Algorithm) (digest.Digest, error)

// wholeFile is the entryHasher of a file that is its own entrypoint.
func wholeFile(found *Found) entryHasher {
	return func(context.Context, digest.Algorithm) (digest.Digest, error) { return found.File, nil }
}

// finish checks type and scope against what was found and sets the digest.
func finish(ctx context.Context, found *Found, entry entryHasher, o Options) error {
	a := &found.Artifact
	if o.Type != "" && o.Type != a.Type {
		return fmt.Errorf("is of type %q (%s), want %q", a.Type, found.Kind, o.Type)
	}
	a.Scope = o.Scope
	switch o.Scope {
	case seal.ScopePackage:
		if a.Digest == "" {
			a.Digest = found.File
		}
	case seal.ScopeBundle:
		if a.Type != seal.MCPB && a.Type != seal.Wasm && a.Type != seal.Binary {
			return fmt.Errorf("digest scope bundle: type %q (%s) does not carry all it needs, want mcpb, wasm or binary", a.Type, found.Kind)
		}
		a.Digest = found.File
	case seal.ScopeEntrypoint:
		if entry == nil {
			return fmt.Errorf("digest scope entrypoint: a package of type %q (%s) names no main executable file", a.Type, found.Kind)
		}
		d, err := entry(ctx, o.Algorithm)
		if err != nil {
			return fmt.Errorf("digest scope entrypoint: %w", err)
		}
		a.Digest = d
	}
	return nil
}

// readAsIs takes a file for a binary or for source because somebody said so, or
// because it is an executable: nothing in it is needed.
func readAsIs(c container, f *file, found *Found, t seal.ArtifactType) (entryHasher, error) {
	found.Artifact.Type, found.Kind = t, string(t)
	name, err := baseName(f.Name())
	if err != nil {
		return nil, err
	}
	found.Artifact.Identifier = strings.TrimSuffix(name, ".exe")
	if t == seal.Source {
		return nil, nil
	}
	if c == executable {
		readBuildInfo(f, found)
	}
	return wholeFile(found), nil
}

// identifyTarball tells npm packages, sdists and crates apart: by the name,
// where it is one that only one of them has, else by what is in it.
func identifyTarball(ctx context.Context, f *file, found *Found, want seal.ArtifactType) (entryHasher, error) {
	m, err := readTarball(ctx, f)
	if err != nil {
		return nil, err
	}
	found.InnerManifest = m.inner
	if want == "" {
		want = tarballType(f.Name(), m)
	}
	switch want {
	case seal.NPM:
		return readNPM(f, m, found)
	case seal.PyPI:
		return nil, readSdist(f, m, found)
	case seal.Crate:
		return nil, readCrate(m, found)
	case "":
		return nil, errUnknown
	}
	return nil, fmt.Errorf("is a gzipped file, which cannot be of type %q%s", want, gzipHint(want))
}

func gzipHint(want seal.ArtifactType) string {
	if want == seal.Docker {
		return ": gunzip it first, an image tarball is read in place"
	}
	return ""
}

// tarballType is "" where the file is none of them, or could be two.
func tarballType(name string, m *members) seal.ArtifactType {
	npm, sdist := m.has("package.json"), m.has("PKG-INFO")
	switch ext := strings.ToLower(filepath.Ext(name)); {
	case ext == ".crate":
		return seal.Crate
	case ext == ".tgz" && npm:
		return seal.NPM
	case sdist: // an sdist may well have a package.json; npm pack writes .tgz
		return seal.PyPI
	case npm:
		return seal.NPM
	}
	return ""
}

// identifyZip tells wheels and MCP bundles apart.
func identifyZip(f *file, found *Found, want seal.ArtifactType) (entryHasher, error) {
	z, err := openZip(f)
	if err != nil {
		return nil, err
	}
	m, err := readZip(z)
	if err != nil {
		return nil, err
	}
	found.InnerManifest = m.inner
	if want == "" {
		want = zipType(f.Name(), m)
	}
	switch want {
	case seal.PyPI:
		return nil, readWheel(f, m, found)
	case seal.MCPB:
		return readMCPB(z, m, found)
	case "":
		return nil, errUnknown
	}
	return nil, fmt.Errorf("is a zip file, which cannot be of type %q", want)
}

func zipType(name string, m *members) seal.ArtifactType {
	switch strings.ToLower(filepath.Ext(name)) {
	case ".whl":
		return seal.PyPI
	case ".mcpb", ".dxt":
		return seal.MCPB
	case ".zip":
		if m.has("manifest.json") {
			return seal.MCPB
		}
	}
	return ""
}
