// Package slsa is the door to slsa-verifier, where it is good: provenance that
// other builders made, and Verification Summary Attestations (VSA).
//
// # Other builders' provenance
//
// slsa-verifier knows the reusable workflows of slsa-github-generator, npm's
// command line, and two workflows of the Bazel Central Registry, by a list that
// nobody can extend. [Recognise] says whether a provenance claims to be of one
// of them. If it does, slsa-verifier has the word on it: it knows what each of
// them vouches for. If it does not, our own verification has.
//
// The verifying half of slsa-verifier compiles with another sigstore-go than
// ours and is a program of its own, mcp-integrity-slsa, which stands beside
// mcp-integrity (its package comment has the protocol). A [Helper] runs it. Of
// slsa-verifier itself, this package has the names of its errors and its rules
// for builder ids and refs.
//
// # Verdicts
//
// [Helper.Check] returns nil when slsa-verifier accepts the provenance, a
// [*Refusal] when it refuses it, and a [*NotMadeError] when there is no verdict:
// the program is missing, offline, slow or broken. A check that was not made is
// never a pass and never a reason to blame an artifact.
//
// The program is ours, but a pass is not believed blindly: the answer names the
// hash of the very request, the statement that it returns is one that stood in
// the provenance and names the digest, and the builder is the expected one.
//
// # VSA
//
// [SignVSA] signs a summary as slsa-verifier's VerifyVSA reads it: a plain DSSE
// envelope under a key, which SLSA's page calls for and which differs from our
// own envelopes in three ways (base64, DER, no keyid).
package slsa
