package main

import (
	"errors"
	"strings"

	serrors "github.com/slsa-framework/slsa-verifier/v2/errors"
)

// Reasons of this program's own.
const (
	// reasonPanic: the library panicked; it does on several malformed inputs.
	reasonPanic = "panic"
	// reasonTimeout: the check took longer than this program gives it.
	reasonTimeout = "timeout"
	// reasonTrustedRoot: Sigstore's or npm's keys could not be had by TUF.
	reasonTrustedRoot = "trusted_root_unavailable"
	// reasonUnsupported: a form that slsa-verifier v2.7.1 cannot verify, such as
	// an entry of Rekor v2, or a bundle with members that it does not know.
	reasonUnsupported = "unsupported_form"
	// reasonUnclassified: an error of the library that no table here knows.
	reasonUnclassified = "unclassified"
	// reasonMalformed: the provenance is no JSON that has one reading.
	reasonMalformed = "malformed_provenance"
	// reasonNpm: the list is not one provenance and one publish attestation.
	reasonNpm = "npm_attestations"
	// reasonNpmKey: the publish attestation names no key of the registry's.
	reasonNpmKey = "npm_key"
	// reasonLogEntry: the log's entry is not of this envelope.
	reasonLogEntry = "mismatch_log_entry"
)

var (
	errMalformed       = errors.New("the provenance is not one strict JSON value")
	errNpmAttestations = errors.New("the npm attestations")
	errTrustedRoot     = errors.New("the trusted root of Sigstore cannot be had")
	errNoStatement     = errors.New("slsa-verifier accepted the provenance and returned no statement")
)

// own are the errors of this program and what they mean.
var own = []struct {
	err             error
	verdict, reason string
}{
	{errMalformed, verdictFail, reasonMalformed},
	{errNpmAttestations, verdictFail, reasonNpm},
	{errTrustedRoot, verdictUndecided, reasonTrustedRoot},
	{errNoStatement, verdictUndecided, reasonUnclassified},
}

// texts are how errors begin that the library makes without a sentinel, or with
// one that says both "it is wrong" and "nobody answered". Its version is pinned,
// and a test finds each text in its source.
var texts = []struct{ text, verdict, reason string }{
	{"creating SigstoreTuf client: ", verdictUndecided, reasonTrustedRoot},
	{"could not get the target from the tuf root", verdictUndecided, reasonTrustedRoot},
	{"could not parse keys file content", verdictUndecided, reasonTrustedRoot},
	{"could not find a key with the specified 'keyId' and 'keyUsage'", verdictFail, reasonNpmKey},
	{"invalid npm attestations", verdictFail, reasonNpm},

	{"github attestations must be signed by Sigstore", verdictUndecided, reasonUnsupported},
	{"unmarshaling bundle: ", verdictUndecided, reasonUnsupported},
	{"unexpected tlog entry type", verdictUndecided, reasonUnsupported},
	{"error retrieving Rekor public keys: Rekor log ID not found in trusted root", verdictFail, "rekor_pub_key"},
	{"error retrieving Rekor public keys: rekor public key is not an ECDSA key", verdictUndecided, reasonUnsupported},
	{"bundle missing offline tlog verification material", verdictUndecided, reasonUnsupported},

	{"bundle tlog entry does not match signature", verdictFail, reasonLogEntry},
	{"bundle tlog entry and envelope have an unequal number of signatures", verdictFail, reasonLogEntry},
	{"unexpected layout of the bundle tlog entry body", verdictFail, reasonLogEntry},
	{"envolope has no signatures", verdictFail, "no_valid_signature"},
	{"missing signing certificate in bundle", verdictFail, "invalid_certificate"},
	{"x509: ", verdictFail, "invalid_certificate"}, // crypto/x509's own
	{"could not verify envelope: ", verdictFail, "no_valid_signature"},
	{"error getting certificate from provenance: ", verdictFail, "invalid_certificate"},
	{"error unmarshaling certificate from pem", verdictFail, "invalid_certificate"},
	{"expected DSSE bundle content", verdictFail, "invalid_dsse_payload"},

	{"error searching rekor entries: no matching rekor entries", verdictFail, "rekor_search"},
	{"error searching rekor entries: no matching entries found", verdictFail, "rekor_search"},
}

// wrappers are what the library puts before some of those.
var wrappers = []string{"matching bundle entry with content: ", "error verifying tlog entry: "}

// undecided are sentinels that say nothing against the provenance: somebody did
// not answer, or the library does not know the case.
var undecided = map[string]bool{
	"rekor_search":           true,
	"rekor_pub_key":          true,
	"no_valid_rekor_entries": true, // its text may hold a failed request
	"image_hash":             true,
	"internal":               true,
	"not_supported":          true,
	"verifier_not_supported": true,
}

// explain finds verdict and reason of a check's error. A sentinel that speaks
// for itself comes before the texts, which a stranger's words might imitate. An
// error that nothing here knows is no verdict.
func explain(err error) (verdict, reason string) {
	for _, o := range own {
		if errors.Is(err, o.err) {
			return o.verdict, o.reason
		}
	}
	verdict, reason = verdictUndecided, reasonUnclassified
	for _, s := range sentinels {
		if !errors.Is(err, s.err) {
			continue
		}
		if !undecided[s.reason] {
			return verdictFail, s.reason
		}
		reason = s.reason
	}
	text := err.Error()
	for _, w := range wrappers {
		text = strings.TrimPrefix(text, w)
	}
	for _, t := range texts {
		if strings.HasPrefix(text, t.text) {
			return t.verdict, t.reason
		}
	}
	return verdict, reason
}

// sentinels are all of the library's, in its order; a test holds the list to
// its source. Where an error wraps several, the first here names it.
var sentinels = []struct {
	reason string
	err    error
}{
	{"invalid_dsse_payload", serrors.ErrorInvalidDssePayload},
	{"mismatch_branch", serrors.ErrorMismatchBranch},
	{"mismatch_package_version", serrors.ErrorMismatchPackageVersion},
	{"mismatch_package_name", serrors.ErrorMismatchPackageName},
	{"mismatch_builder_id", serrors.ErrorMismatchBuilderID},
	{"invalid_builder_id", serrors.ErrorInvalidBuilderID},
	{"invalid_build_type", serrors.ErrorInvalidBuildType},
	{"mismatch_source", serrors.ErrorMismatchSource},
	{"mismatch_workflow_inputs", serrors.ErrorMismatchWorkflowInputs},
	{"malformed_uri", serrors.ErrorMalformedURI},
	{"mismatch_certificate", serrors.ErrorMismatchCertificate},
	{"invalid_certificate", serrors.ErrorInvalidCertificate},
	{"mismatch_tag", serrors.ErrorMismatchTag},
	{"invalid_recipe", serrors.ErrorInvalidRecipe},
	{"mismatch_versioned_tag", serrors.ErrorMismatchVersionedTag},
	{"invalid_semver", serrors.ErrorInvalidSemver},
	{"rekor_search", serrors.ErrorRekorSearch},
	{"mismatch_hash", serrors.ErrorMismatchHash},
	{"non_verifiable_claim", serrors.ErrorNonVerifiableClaim},
	{"mismatch_intoto", serrors.ErrorMismatchIntoto},
	{"invalid_ref", serrors.ErrorInvalidRef},
	{"untrusted_reusable_workflow", serrors.ErrorUntrustedReusableWorkflow},
	{"no_valid_rekor_entries", serrors.ErrorNoValidRekorEntries},
	{"verifier_not_supported", serrors.ErrorVerifierNotSupported},
	{"invalid_oidc_issuer", serrors.ErrorInvalidOIDCIssuer},
	{"not_supported", serrors.ErrorNotSupported},
	{"invalid_format", serrors.ErrorInvalidFormat},
	{"invalid_pem", serrors.ErrorInvalidPEM},
	{"invalid_signature", serrors.ErrorInvalidSignature},
	{"no_valid_signature", serrors.ErrorNoValidSignature},
	{"mutable_image", serrors.ErrorMutableImage},
	{"image_hash", serrors.ErrorImageHash},
	{"invalid_encoding", serrors.ErrorInvalidEncoding},
	{"internal", serrors.ErrorInternal},
	{"invalid_rekor_entry", serrors.ErrorInvalidRekorEntry},
	{"rekor_pub_key", serrors.ErrorRekorPubKey},
	{"invalid_package_name", serrors.ErrorInvalidPackageName},
	{"invalid_subject", serrors.ErrorInvalidSubject},
	{"invalid_hash", serrors.ErrorInvalidHash},
	{"not_present", serrors.ErrorNotPresent},
	{"invalid_public_key", serrors.ErrorInvalidPublicKey},
	{"invalid_verification_result", serrors.ErrorInvalidVerificationResult},
	{"mismatch_verified_levels", serrors.ErrorMismatchVerifiedLevels},
	{"missing_subject_digest", serrors.ErrorMissingSubjectDigest},
	{"empty_required_field", serrors.ErrorEmptyRequiredField},
	{"mismatch_resource_uri", serrors.ErrorMismatchResourceURI},
	{"mismatch_verifier_id", serrors.ErrorMismatchVerifierID},
	{"invalid_slsa_level", serrors.ErrorInvalidSLSALevel},
}
