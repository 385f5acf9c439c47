// Package provenance says how something was built, and checks what somebody
// else says about that.
//
// What is written is an in-toto Statement v1 with a SLSA provenance v1
// predicate (https://slsa.dev/spec/v1.1/provenance): subjects are artifacts by
// their digests, the predicate is the facts of a [Build] in the form that a
// build type lays down. There are three (buildtypes.md has the members):
//
//   - [BuildTypeGitHub], GitHub's own, for the four events that it allows;
//   - [BuildTypeGitHubEvent], ours, for every other run on GitHub;
//   - [BuildTypeGitLab], ours, for GitLab.
//
// A valid signature says nothing about a predicate: a step of the job that holds
// the signing key can have any predicate signed, and such forgeries are public.
// So [Check] asks the certificate what the predicate must be, with the very code
// that [New] writes one with, and compares the two member by member. A member
// that differs, lacks, or is there beyond what the build type has is a
// [Mismatch]. What is left to the signer's word is listed in buildtypes.md.
//
//	payload, err := provenance.New(build, subjects)    // to be signed
//
//	statement, err := provenance.Parse(payload)        // verified bytes only
//	mismatches := provenance.Check(statement, provenance.Expected{…})
//
// No SLSA level stands in a statement: [Warranted] and [WarrantedBy] say which
// one the situation of a build supports. [NewVSA] writes a verifier's summary.
package provenance

// Bounds of what is read and written.
const (
	// MaxStatement is the greatest statement in bytes: GitHub takes predicates
	// of 16 MiB, and nobody needs more.
	MaxStatement = 16 << 20
	// MaxSubjects and MaxDigests are the greatest numbers of subjects, and of
	// digests of one: Sigstore's own verifiers stop there.
	MaxSubjects = 1024
	MaxDigests  = 32
	// maxDependencies bounds resolvedDependencies. A large container build has
	// some thousands.
	maxDependencies = 100_000
	// maxName bounds a subject's name in bytes: no path is longer on any system.
	maxName = 4096
	// maxFact bounds a fact of a build in bytes: a ref has 250, a workflow's
	// path and ref together rarely more.
	maxFact = 2048
	// maxMismatches bounds the answer of a check. A reader needs the first few;
	// the last one says how many more there are.
	maxMismatches = 100
	// maxShown bounds each value of a mismatch in bytes.
	maxShown = 300
)
