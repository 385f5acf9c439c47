package slsa

import (
	"errors"
	"fmt"

	serrors "github.com/slsa-framework/slsa-verifier/v2/errors"
)

// Reasons of ours; the program's own are in its reason.go.
const (
	// ReasonMissing: there is no program mcp-integrity-slsa.
	ReasonMissing = "helper_missing"
	// ReasonOffline: the run is offline, and the check needs TUF.
	ReasonOffline = "offline"
	// ReasonTimeout: there was no answer in time.
	ReasonTimeout = "timeout"
	// ReasonBroken: the program died, refused our request, or wrote what is no
	// answer to it.
	ReasonBroken = "helper_broken"
)

// A Refusal is slsa-verifier's "no" to a provenance. Behind it, where there is
// one, is slsa-verifier's own sentinel error.
type Refusal struct {
	// Reason is a stable name: the sentinel's in snake case, without "Error", or
	// one that the program lists.
	Reason string
	// Message is slsa-verifier's own text. It may quote the provenance.
	Message string
}

func (r *Refusal) Error() string {
	return fmt.Sprintf("slsa-verifier refuses it (%s): %s", r.Reason, r.Message)
}

func (r *Refusal) Unwrap() error { return sentinels[r.Reason] }

// refusal makes one of an error of slsa-verifier's small packages.
func refusal(err error) *Refusal {
	for reason, sentinel := range sentinels {
		if errors.Is(err, sentinel) {
			return &Refusal{Reason: reason, Message: err.Error()}
		}
	}
	return &Refusal{Reason: "unclassified", Message: err.Error()}
}

// A NotMadeError says that slsa-verifier was not asked, or had no verdict: the
// check counts as not made.
type NotMadeError struct {
	// Reason is one of ours, or the program's (trusted_root_unavailable,
	// rekor_search, unsupported_form, panic and others).
	Reason string
	// Err says what happened.
	Err error
}

// ErrNotMade is what every [NotMadeError] is.
var ErrNotMade = errors.New("the check counts as not made")

func (e *NotMadeError) Error() string {
	return fmt.Sprintf("slsa-verifier: %v (%s): %v", e.Err, e.Reason, ErrNotMade)
}

func (e *NotMadeError) Unwrap() []error { return []error{ErrNotMade, e.Err} }

func notMade(reason, format string, args ...any) *NotMadeError {
	return &NotMadeError{Reason: reason, Err: fmt.Errorf(format, args...)}
}

// sentinels are slsa-verifier's errors by the names that the program gives them.
// No error of its small packages wraps two.
var sentinels = map[string]error{
	"invalid_dsse_payload":        serrors.ErrorInvalidDssePayload,
	"mismatch_branch":             serrors.ErrorMismatchBranch,
	"mismatch_package_version":    serrors.ErrorMismatchPackageVersion,
	"mismatch_package_name":       serrors.ErrorMismatchPackageName,
	"mismatch_builder_id":         serrors.ErrorMismatchBuilderID,
	"invalid_builder_id":          serrors.ErrorInvalidBuilderID,
	"invalid_build_type":          serrors.ErrorInvalidBuildType,
	"mismatch_source":             serrors.ErrorMismatchSource,
	"mismatch_workflow_inputs":    serrors.ErrorMismatchWorkflowInputs,
	"malformed_uri":               serrors.ErrorMalformedURI,
	"mismatch_certificate":        serrors.ErrorMismatchCertificate,
	"invalid_certificate":         serrors.ErrorInvalidCertificate,
	"mismatch_tag":                serrors.ErrorMismatchTag,
	"invalid_recipe":              serrors.ErrorInvalidRecipe,
	"mismatch_versioned_tag":      serrors.ErrorMismatchVersionedTag,
	"invalid_semver":              serrors.ErrorInvalidSemver,
	"rekor_search":                serrors.ErrorRekorSearch,
	"mismatch_hash":               serrors.ErrorMismatchHash,
	"non_verifiable_claim":        serrors.ErrorNonVerifiableClaim,
	"mismatch_intoto":             serrors.ErrorMismatchIntoto,
	"invalid_ref":                 serrors.ErrorInvalidRef,
	"untrusted_reusable_workflow": serrors.ErrorUntrustedReusableWorkflow,
	"no_valid_rekor_entries":      serrors.ErrorNoValidRekorEntries,
	"verifier_not_supported":      serrors.ErrorVerifierNotSupported,
	"invalid_oidc_issuer":         serrors.ErrorInvalidOIDCIssuer,
	"not_supported":               serrors.ErrorNotSupported,
	"invalid_format":              serrors.ErrorInvalidFormat,
	"invalid_pem":                 serrors.ErrorInvalidPEM,
	"invalid_signature":           serrors.ErrorInvalidSignature,
	"no_valid_signature":          serrors.ErrorNoValidSignature,
	"mutable_image":               serrors.ErrorMutableImage,
	"image_hash":                  serrors.ErrorImageHash,
	"invalid_encoding":            serrors.ErrorInvalidEncoding,
	"internal":                    serrors.ErrorInternal,
	"invalid_rekor_entry":         serrors.ErrorInvalidRekorEntry,
	"rekor_pub_key":               serrors.ErrorRekorPubKey,
	"invalid_package_name":        serrors.ErrorInvalidPackageName,
	"invalid_subject":             serrors.ErrorInvalidSubject,
	"invalid_hash":                serrors.ErrorInvalidHash,
	"not_present":                 serrors.ErrorNotPresent,
	"invalid_public_key":          serrors.ErrorInvalidPublicKey,
	"invalid_verification_result": serrors.ErrorInvalidVerificationResult,
	"mismatch_verified_levels":    serrors.ErrorMismatchVerifiedLevels,
	"missing_subject_digest":      serrors.ErrorMissingSubjectDigest,
	"empty_required_field":        serrors.ErrorEmptyRequiredField,
	"mismatch_resource_uri":       serrors.ErrorMismatchResourceURI,
	"mismatch_verifier_id":        serrors.ErrorMismatchVerifierID,
	"invalid_slsa_level":          serrors.ErrorInvalidSLSALevel,
}
