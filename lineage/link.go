package lineage

import (
	"errors"
	"fmt"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/mcp-integrity/seal-action/seal"
)

// Ancestor is a release that was verified, and that another may follow.
type Ancestor struct {
	Manifest *seal.Manifest
	// Digest is that of its payload, SHA-256 (decision 9).
	Digest digest.Digest
	// Ref says where it was found, for people; it may be empty.
	Ref string
}

// Link is what a release says of the one before it. All its tools that say
// anything say the same (decision 20): a server is released as a whole.
type Link struct {
	// Absent says that there is none: it is a first release (MIS §13.5), or one
	// that begins a new chain. The other members are empty then.
	Absent bool
	// PreviousVersion is lineage.previous_version.
	PreviousVersion string
	// Digest is lineage.previous_manifest_digest: that of the predecessor's
	// payload.
	Digest digest.Digest
}

// Lineage returns the lineage object of one tool, with what changed in it; nil
// for a first release.
func (l Link) Lineage(changes []seal.Change) *seal.Lineage {
	if l.Absent {
		return nil
	}
	return &seal.Lineage{PreviousVersion: &l.PreviousVersion, PreviousManifestDigest: l.Digest, Changes: changes}
}

// The reasons why a release may not follow another. They come wrapped, with what
// was got and what was wanted.
var (
	// ErrItself: it is the same release, perhaps made once more. A rerun reuses
	// the payload of the release that stands (decision 20).
	ErrItself = errors.New("it is the same release")
	// ErrSameVersion: the package's version was released already, with other
	// content.
	ErrSameVersion = errors.New("this package version is released already, with other content")
	// ErrNewerVersion: the predecessor's package version is the newer one.
	ErrNewerVersion = errors.New("the release before has a newer package version")
	// ErrIssuedLater: the predecessor was issued later.
	ErrIssuedLater = errors.New("the release before was issued later")
	// ErrOtherPublisher: the predecessor is of another namespace.
	ErrOtherPublisher = errors.New("the release before is another publisher's")
	// ErrOtherServer: the predecessor is of another server.
	ErrOtherServer = errors.New("the release before is another server's")
	// ErrOtherRepository: the predecessor came from another source repository.
	ErrOtherRepository = errors.New("the release before came from another source repository")
	// ErrNoLink: a manifest's tools do not name one predecessor.
	ErrNoLink = errors.New("the tools do not name one predecessor")
)

// Next returns the link from current, which has none yet, to the release before
// it. An error wraps one of the errors above, and says that current must not
// follow previous; the first that applies is given.
func Next(previous Ancestor, current *seal.Manifest) (Link, error) {
	if d := previous.Digest; d.Validate() != nil || d.Algorithm() != digest.SHA256 {
		return Link{}, fmt.Errorf("the release before: digest %.100q, want that of its payload, sha256 and 64 hex digits", d)
	}
	if err := next(previous.Manifest, current); err != nil {
		if previous.Ref != "" {
			err = fmt.Errorf("%.200s: %w", previous.Ref, err)
		}
		return Link{}, err
	}
	return Link{PreviousVersion: VersionOf(previous.Manifest), Digest: previous.Digest}, nil
}

func next(previous, current *seal.Manifest) error {
	if err := CheckSource(previous, current); err != nil {
		return err
	}
	where := Difference(previous, current)
	if where == "" {
		return fmt.Errorf("%w: %.100q, issued at %s", ErrItself, VersionOf(previous), previous.IssuedAt.Format(time.RFC3339))
	}
	_, err := CheckOrder(previous, current)
	if errors.Is(err, ErrSameVersion) {
		return fmt.Errorf("%w; the first difference is %s", err, where)
	}
	return err
}

// LinkOf reads the link of a manifest. It fails with [ErrNoLink] where tools
// name different predecessors, or where one names a version and no digest, or a
// digest and no version. A tool without a link says nothing of the release: one
// that is new in it has no predecessor (MIS §13.5).
func LinkOf(m *seal.Manifest) (Link, error) {
	link, first := Link{Absent: true}, ""
	for i := range m.Tools {
		l, err := linkOf(&m.Tools[i])
		switch {
		case err != nil:
			return Link{}, err
		case l.Absent:
		case link.Absent:
			link, first = l, m.Tools[i].Name
		case l != link:
			return Link{}, fmt.Errorf("%w: tool %.100q names %s, tool %.100q %s", ErrNoLink, first, link, m.Tools[i].Name, l)
		}
	}
	return link, nil
}

func linkOf(t *seal.Tool) (Link, error) {
	switch l := t.Lineage; {
	case l == nil, l.PreviousVersion == nil && l.PreviousManifestDigest == "":
		return Link{Absent: true}, nil
	case l.PreviousVersion == nil:
		return Link{}, fmt.Errorf("%w: tool %.100q: lineage: got previous_manifest_digest %s and no previous_version", ErrNoLink, t.Name, l.PreviousManifestDigest)
	case l.PreviousManifestDigest == "":
		return Link{}, fmt.Errorf("%w: tool %.100q: lineage: got previous_version %.100q and no previous_manifest_digest", ErrNoLink, t.Name, *l.PreviousVersion)
	case l.PreviousManifestDigest.Validate() != nil:
		return Link{}, fmt.Errorf("%w: tool %.100q: lineage: previous_manifest_digest: got %.150q, want sha256 or sha512 in hex", ErrNoLink, t.Name, l.PreviousManifestDigest)
	default:
		return Link{PreviousVersion: *l.PreviousVersion, Digest: l.PreviousManifestDigest}, nil
	}
}

// String names the predecessor, for people.
func (l Link) String() string {
	if l.Absent {
		return "none"
	}
	return fmt.Sprintf("%.100q (%s)", l.PreviousVersion, l.Digest)
}

// VersionOf is the version of a release as a whole: that of its tools, which is
// the artifact's, else the server's (of the first tool that has one).
func VersionOf(m *seal.Manifest) string {
	for i := range m.Tools {
		if v := m.Tools[i].Version; v != "" {
			return v
		}
	}
	return m.Server.Version
}

// Names reports whether l's previous_version is a version of m: that of the
// release, of any tool, or of the server. Whose digest it is, it does not say.
func (l Link) Names(m *seal.Manifest) bool {
	if l.PreviousVersion == VersionOf(m) || l.PreviousVersion == m.Server.Version {
		return true
	}
	for i := range m.Tools {
		if m.Tools[i].Version == l.PreviousVersion {
			return true
		}
	}
	return false
}
