package vault

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mcp-integrity/seal-action/seal/strictjson"
)

// heads says how often each file was written, and how large it is.
type heads struct {
	Files []head `json:"files"` // by name, in byte order
}

type head struct {
	File  string `json:"file"`
	Count int64  `json:"count"`
	Size  int64  `json:"size"`
	// Gone says that it was removed: a copy that is put back does not count.
	Gone bool `json:"gone,omitzero"`
}

// parseHeads reads the JSON of heads, whose HMAC fits.
func parseHeads(data []byte) (heads, error) {
	var h heads
	if err := strictjson.Unmarshal(data, &h); err != nil {
		return heads{}, err
	}
	if len(h.Files) > maxFiles {
		return heads{}, fmt.Errorf("got %d files, want at most %d", len(h.Files), maxFiles)
	}
	for i, e := range h.Files {
		if !isFileName(e.File) || e.Count < 1 || e.Size < 1 || i > 0 && h.Files[i-1].File >= e.File {
			return heads{}, fmt.Errorf("entry %d (%.80q) is out of order or range", i, e.File)
		}
	}
	return h, nil
}

func (h *heads) clone() heads { return heads{slices.Clone(h.Files)} }

func (h *heads) find(file string) (int, bool) {
	return slices.BinarySearchFunc(h.Files, file, func(e head, file string) int { return strings.Compare(e.File, file) })
}

func (h *heads) has(file string) bool {
	_, ok := h.find(file)
	return ok
}

// get returns a file's entry; its zero value where there is none.
func (h *heads) get(file string) head {
	if i, ok := h.find(file); ok {
		return h.Files[i]
	}
	return head{}
}

// set adds an entry, or replaces it.
func (h *heads) set(e head) {
	if i, ok := h.find(e.File); ok {
		h.Files[i] = e
	} else {
		h.Files = slices.Insert(h.Files, i, e)
	}
}

// total is how many bytes all files have but this one.
func (h *heads) total(but string) int64 {
	var n int64
	for _, e := range h.Files {
		if e.File != but && !e.Gone {
			n += e.Size
		}
	}
	return n
}
