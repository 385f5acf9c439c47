package artifact

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/mcp-integrity/seal-action/seal"
)

// readWasm reads a WebAssembly module or component. Its name is that of the
// custom section "name" ("component-name" in a component), else the file's; its
// version and source are the custom sections "version" and "source" that
// wasm-tools writes, and absent in most.
func readWasm(f *file, found *Found) error {
	found.Artifact.Type, found.Kind = seal.Wasm, "wasm module"
	sections, err := customSections(f.section())
	if err != nil {
		return fmt.Errorf("wasm: %w", err)
	}
	for _, s := range []string{"name", "component-name"} {
		if found.Artifact.Identifier == "" {
			found.Artifact.Identifier = moduleName(sections[s])
		}
	}
	if found.Artifact.Identifier == "" {
		name, err := baseName(f.Name())
		if err != nil {
			return err
		}
		found.Artifact.Identifier = strings.TrimSuffix(name, ".wasm")
	}
	found.Artifact.Version = string(sections["version"])
	found.License = string(sections["licenses"])
	found.Revision = string(sections["revision"])
	found.Repository = repositoryURL(string(sections["source"]))
	return nil
}

// wantedSections are the custom sections that are kept, and how much of them.
var wantedSections = map[string]int64{
	"name": maxMetadata, "component-name": maxMetadata,
	"version": maxFact, "source": maxFact, "licenses": maxFact, "revision": maxFact,
}

// customSections walks the sections of a module (core specification 5.5) and
// returns the wanted custom ones. One of them that stands twice is refused.
func customSections(r *io.SectionReader) (map[string][]byte, error) {
	var head [8]byte
	if _, err := io.ReadFull(r, head[:]); err != nil || string(head[:4]) != "\x00asm" {
		return nil, errors.New("header is cut short")
	}
	// 1 is a core module; components count their drafts from 13 and set the layer.
	if v, layer := binary.LittleEndian.Uint16(head[4:]), binary.LittleEndian.Uint16(head[6:]); layer > 1 || v == 0 {
		return nil, fmt.Errorf("version %d, layer %d, want a module or a component", v, layer)
	}
	found := make(map[string][]byte)
	b := &byteCounter{r: r, at: 8}
	for n := 0; b.at < r.Size(); n++ {
		if n == maxSections {
			return nil, fmt.Errorf("more than %d sections", maxSections)
		}
		id, err := b.ReadByte()
		if err != nil {
			return nil, err
		}
		size, err := b.uint32()
		if err != nil {
			return nil, fmt.Errorf("section %d: size: %w", n, err)
		}
		if int64(size) > r.Size()-b.at {
			return nil, fmt.Errorf("section %d: %d bytes, want at most the %d that are left", n, size, r.Size()-b.at)
		}
		body := io.NewSectionReader(r, b.at, int64(size))
		if id == 0 {
			if err := keepSection(found, body); err != nil {
				return nil, fmt.Errorf("section %d: %w", n, err)
			}
		}
		b.at += int64(size)
	}
	return found, nil
}

// keepSection reads the name of a custom section, and its content where it is
// a wanted one.
func keepSection(found map[string][]byte, body *io.SectionReader) error {
	b := &byteCounter{r: body}
	name, err := b.name(maxFact)
	if err != nil {
		return fmt.Errorf("name: %w", err)
	}
	limit, wanted := wantedSections[name]
	if !wanted {
		return nil
	}
	if _, twice := found[name]; twice {
		return fmt.Errorf("custom section %q stands twice", name)
	}
	found[name], err = readBounded(io.NewSectionReader(body, b.at, body.Size()-b.at), limit)
	if err != nil {
		return fmt.Errorf("custom section %q: %w", name, err)
	}
	return nil
}

// moduleName is subsection 0 of a name section; "" where there is none.
func moduleName(section []byte) string {
	r := bytes.NewReader(section)
	b := &byteCounter{r: r}
	if id, err := b.ReadByte(); err != nil || id != 0 {
		return ""
	}
	if _, err := b.uint32(); err != nil {
		return ""
	}
	name, err := b.name(maxFact)
	if err != nil {
		return ""
	}
	return name
}

// A byteCounter reads wasm's numbers and names at a known offset.
type byteCounter struct {
	r  io.ReaderAt
	at int64
}

func (b *byteCounter) ReadByte() (byte, error) {
	var p [1]byte
	if _, err := b.r.ReadAt(p[:], b.at); err != nil {
		return 0, io.ErrUnexpectedEOF
	}
	b.at++
	return p[0], nil
}

// uint32 reads an unsigned LEB128 of at most 32 bits.
func (b *byteCounter) uint32() (uint32, error) {
	v, err := binary.ReadUvarint(b)
	if err != nil {
		return 0, err
	}
	if v > 1<<32-1 {
		return 0, fmt.Errorf("%d, want 32 bits", v)
	}
	return uint32(v), nil
}

// name reads a length and so many bytes.
func (b *byteCounter) name(limit uint32) (string, error) {
	n, err := b.uint32()
	if err != nil {
		return "", err
	}
	if n > limit {
		return "", fmt.Errorf("%d bytes, want at most %d", n, limit)
	}
	p := make([]byte, n)
	if _, err := b.r.ReadAt(p, b.at); err != nil && n > 0 {
		return "", io.ErrUnexpectedEOF
	}
	b.at += int64(n)
	return string(p), nil
}
