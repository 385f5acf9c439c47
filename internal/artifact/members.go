package artifact

import (
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/mcp-integrity/seal-action/seal"
)

// A member is a metadata file of an archive.
type member struct {
	path string // its cleaned path in the archive
	data []byte
	err  error // why it cannot be used; matters only to who wants it
}

// members are the metadata files that one walk over an archive found, by the
// name they are wanted by ("package.json", "PKG-INFO", …).
type members struct {
	byName map[string]*member
	inner  []string // Sealed Manifests at the package's root
}

func newMembers() *members { return &members{byName: map[string]*member{}} }

// entryName is the path that a package manager unpacks an entry to: without
// "./", "//" and "..", and with "/" for the "\" of Windows. Two entries of one
// such path overwrite each other, whatever their spelling.
func entryName(name string) string {
	return path.Clean("/" + strings.ReplaceAll(name, `\`, "/"))[1:]
}

// add keeps body as the file that is wanted as name. A second one, or one that
// a file system without case takes for it, makes the file unusable: which of
// them counts would depend on who unpacks.
func (m *members) add(name, entry string, regular bool, body io.Reader) {
	if first, ok := m.byName[name]; ok {
		first.err = fmt.Errorf("stands twice in the archive: %.200q and %.200q", first.path, entry)
		return
	}
	got := &member{path: entry}
	m.byName[name] = got
	switch {
	case path.Base(entry) != name:
		got.err = fmt.Errorf("%.200q differs from %q by case, want %q", entry, path.Base(entry), name)
	case !regular:
		got.err = fmt.Errorf("%.200q is a link or special file, want a regular file", entry)
	default:
		got.data, got.err = readBounded(body, maxMetadata)
	}
}

// has says whether the archive has a file that is wanted as name.
func (m *members) has(name string) bool { return m.byName[name] != nil }

// get returns the file that was wanted as name.
func (m *members) get(name string) (*member, error) {
	got := m.byName[name]
	if got == nil {
		return nil, fmt.Errorf("has no %s", name)
	}
	if got.err != nil {
		return nil, fmt.Errorf("%s: %w", name, got.err)
	}
	return got, nil
}

// readBounded reads r to its end, which must come within limit bytes.
func readBounded(r io.Reader, limit int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("more than %d bytes", limit)
	}
	return data, nil
}

// manifestName is where MIS §18.4 looks for a Sealed Manifest in a package.
const manifestName = "mcp-integrity.json"

// lookInside keeps entry's name where it is a Sealed Manifest. The callers ask
// for entries at the package's root only: further down it is that of a bundled
// dependency and speaks of that one.
func (m *members) lookInside(entry string, body io.Reader) {
	if path.Base(entry) != manifestName {
		return
	}
	if data, err := readBounded(body, seal.MaxEnvelopeSize); err == nil && isEnvelope(data) {
		m.inner = append(m.inner, entry)
	}
}

// isEnvelope says whether data is, by its own word, a DSSE envelope with a
// Sealed Manifest in it. It need not be a valid one to mislead.
func isEnvelope(data []byte) bool {
	var e struct {
		PayloadType string `json:"payloadType"`
	}
	lax := json.JoinOptions(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	return json.Unmarshal(data, &e, lax) == nil && e.PayloadType == seal.PayloadType
}

// CheckInner returns an error where f is an archive that holds a Sealed
// Manifest for itself: a manifest is made after the archive's digest and cannot
// stand among the bytes that the digest covers, so it is another release's.
// With the scope entrypoint it is not among them. Sealing asks; verifying need
// not.
func CheckInner(f Found) error {
	if len(f.InnerManifest) == 0 || f.Artifact.Scope == seal.ScopeEntrypoint {
		return nil
	}
	return fmt.Errorf("artifact %.200q: holds the sealed manifest %.200q, which cannot hold the digest of the archive it is in: "+
		"leave it out of the archive and put it beside it, or seal with --digest-scope entrypoint", f.Ref, f.InnerManifest[0])
}
