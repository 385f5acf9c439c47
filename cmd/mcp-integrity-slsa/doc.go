// Mcp-integrity-slsa judges provenance that slsa-github-generator's builders,
// npm and a few reusable workflows made, and Verification Summary Attestations
// (VSA), by the word of slsa-verifier. It is a program of its own because
// slsa-verifier's verifying half compiles with another sigstore-go than
// mcp-integrity uses; mcp-integrity runs it as a child (package internal/slsa).
//
//	mcp-integrity-slsa <request.json >answer.json
//
// It takes no arguments, reads one request on standard input, and writes one
// answer on standard output. Both are one JSON object: exact member names, no
// duplicates, no unknown members, nothing behind the value. Standard error is
// talk, for people.
//
// # Exit code
//
//	0  there is a verdict, "pass" or "fail"
//	2  wrong use: the request is none; nothing is on standard output
//	3  the check could not be made; the verdict is "undecided"
//
// Whatever else happens (a code of its own, no answer, half an answer) is no
// verdict, either. Go's runtime ends a crashed program with 2.
//
// # Request
//
//	{
//	  "schema_version": "1",
//	  "kind":           "artifact" | "npm" | "github-attestation" | "vsa",
//	  "digest":         "sha256:<64 hex>", or "sha512:<128 hex>" for npm and vsa
//	  "provenance":     "<base64 of the provenance file's bytes>",
//	  "source_uri":     "git+https://github.com/OWNER/NAME",  (not for vsa)
//	  "builder_id":     "https://github.com/…",    (needed for npm, github-attestation)
//	  "branch", "tag", "versioned_tag": "…",       (optional, without refs/…; only for
//	                                               builds by slsa-github-generator)
//	  "package":        {"name": "…", "version": "…"},        (npm alone, needed)
//	  "vsa":            {"verifier_id": "…", "resource_uri": "…",
//	                     "verified_levels": ["…"], "public_key": "<PEM>", "key_id": "…"}
//	}
//
// The kinds are slsa-verifier's entry points:
//
//   - artifact: a Sigstore bundle, or the DSSE envelope of slsa-github-generator.
//     Without a builder_id, its own trusted builders are accepted.
//   - npm: what the npm registry answers at /-/npm/v1/attestations: the
//     provenance, signed by Fulcio's certificate, and the publish attestation,
//     signed by the registry's key.
//   - github-attestation: a Sigstore bundle by one of the Bazel Central
//     Registry's workflows; slsa-verifier accepts no others.
//   - vsa: a DSSE envelope under a key of Ed25519 or ECDSA. The only kind that
//     needs no network.
//
// The provenance comes by value: a path could lead to other bytes than those
// that the caller has looked at.
//
// # Answer
//
//	{
//	  "schema_version": "1",
//	  "verdict":    "pass" | "fail" | "undecided",
//	  "kind":       as requested
//	  "digest":     as requested
//	  "request":    "sha256:<hex>", of the bytes of the request
//	  "builder_id": "…",      (pass: who built it; not for vsa)
//	  "statement":  "<base64>", (pass: the in-toto Statement whose signature was verified)
//	  "reason":     "…",      (fail, undecided: a stable name)
//	  "message":    "…"       (fail, undecided: slsa-verifier's own words)
//	}
//
// A caller compares request with what it sent, so that no answer can stand for
// another question. A reason is the name of slsa-verifier's sentinel error
// without its "Error", in snake case (mismatch_hash, untrusted_reusable_workflow),
// or one of this program's own, listed in reason.go.
//
// # Trust
//
// Signatures are checked against Sigstore's public instance alone, whose root
// comes by TUF at every run; there is no way to name another. Variables of the
// environment that would relax slsa-verifier's rules are removed first. A panic
// inside the library, which several malformed inputs cause, is "undecided".
package main
