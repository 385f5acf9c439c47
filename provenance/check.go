package provenance

import (
	"errors"
	"fmt"
	"strings"

	"github.com/opencontainers/go-digest"

	"github.com/mcp-integrity/seal-action/seal"
)

// Expected is what a provenance is compared with.
type Expected struct {
	// Certificate is the verified certificate of the key that signed it.
	Certificate seal.Certificate
	// Manifest is the provenance that the manifest states; nil is not compared,
	// nor is a member that it leaves out. Its slsa_level is not compared either:
	// the least counts (decision 15), and [WarrantedBy] says what of.
	Manifest *seal.Provenance
	// Artifacts are the digests of which each must be a subject. None is a
	// mismatch: a provenance about nothing that is at hand proves nothing.
	Artifacts []digest.Digest
}

// Against says what a provenance disagrees with.
type Against string

// What a provenance is compared with.
const (
	AgainstCertificate Against = "certificate"
	AgainstManifest    Against = "manifest"
	AgainstArtifact    Against = "artifact"
	// AgainstVerifier is another verifier, which knows a foreign builder.
	AgainstVerifier Against = "verifier"
)

// Mismatch is one disagreement.
type Mismatch struct {
	// Field is the predicate's member, as buildDefinition.buildType, or the
	// manifest's, or subject.
	Field string
	// Got is what the provenance says and Want what Against says, strings as
	// they are and other values as JSON, cut where they are long. Both may be a
	// stranger's text.
	Got, Want string
	Against   Against
	// Err is [ErrForeignBuilder], or nil.
	Err error
}

// ErrForeignBuilder says that another builder made a provenance, whose build
// type is not described here: it may be true, and another verifier must say so.
var ErrForeignBuilder = errors.New("another builder's provenance, which only a verifier of that builder can check")

func (m Mismatch) Error() string {
	text := fmt.Sprintf("%s: got %q, want %q as the %s says", m.Field, m.Got, m.Want, m.Against)
	if m.Err != nil {
		text += ": " + m.Err.Error()
	}
	return text
}

func (m Mismatch) Unwrap() error { return m.Err }

// Absent stands in a mismatch for a member that is not there.
const Absent = "(absent)"

// Check compares s with e, and returns every disagreement, in the order of the
// predicate, the manifest and the artifacts; nothing means that all hold. The
// predicate must be, member by member and with nothing besides, what the
// certificate's build type makes of the certificate. Of another builder's
// provenance only the artifacts are compared, and one mismatch wraps
// [ErrForeignBuilder].
//
// Whose certificate it is, [seal.Identity] says and Check does not.
func Check(s *Statement, e Expected) []Mismatch {
	var all findings
	if s.Foreign() {
		all.add(Mismatch{
			Field: "buildDefinition.buildType", Got: show(s.buildType), Want: show(factsOf(e.Certificate).buildType()),
			Against: AgainstCertificate, Err: ErrForeignBuilder,
		})
	} else {
		all.certificate(s, e.Certificate)
		all.manifest(s, e.Manifest)
	}
	all.artifacts(s, e.Artifacts)
	return all.list()
}

// CheckForeign compares what another verifier has accepted as builder's: the
// statement must name that builder, the manifest must say the same of source,
// commit and builder, and each artifact must be a subject. Nothing means that
// all hold.
func CheckForeign(s *Statement, builder string, manifest *seal.Provenance, artifacts []digest.Digest) []Mismatch {
	var all findings
	if !sameBuilder(s.builderID, builder) {
		all.add(Mismatch{Field: "runDetails.builder.id", Got: show(s.builderID), Want: show(builder), Against: AgainstVerifier})
	}
	if manifest != nil {
		all.foreignSource(s, manifest)
		all.stated("builder_id", s.builderID, manifest.BuilderID, equal)
	}
	all.artifacts(s, artifacts)
	return all.list()
}

// findings collects mismatches up to a bound.
type findings struct {
	all  []Mismatch
	more int
}

func (f *findings) add(m Mismatch) {
	if len(f.all) == maxMismatches {
		f.more++
		return
	}
	f.all = append(f.all, m)
}

func (f *findings) list() []Mismatch {
	if f.more > 0 {
		last := &f.all[len(f.all)-1]
		last.Field += fmt.Sprintf(" (and %d more)", f.more)
	}
	return f.all
}

// sameBuilder compares two builder ids. Either may leave its version out, and
// refs/tags/v1.2.3 is the version v1.2.3: the verifier's is that of the
// certificate, which it has compared with the predicate by the same rules.
func sameBuilder(got, want string) bool {
	name, version, _ := strings.Cut(got, "@")
	wantName, wantVersion, _ := strings.Cut(want, "@")
	if version == "" || wantVersion == "" {
		return name == wantName
	}
	return name == wantName && strings.TrimPrefix(version, "refs/tags/") == strings.TrimPrefix(wantVersion, "refs/tags/")
}
