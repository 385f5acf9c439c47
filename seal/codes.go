package seal

import (
	"errors"
	"fmt"
)

// Code is a result code of MIS §23, or, at -33900 and below, one of our own.
type Code int

// The codes of MIS §23.
const (
	CodeManifestNotFound           Code = -33001
	CodeManifestParse              Code = -33002
	CodeManifestVersionUnsupported Code = -33003
	CodeSignatureInvalid           Code = -33010
	CodeSignatureKeyNotFound       Code = -33011
	CodeSignatureKeyRevoked        Code = -33012
	CodeSignatureExpired           Code = -33013
	CodeInterfaceMismatch          Code = -33020
	CodeDescriptionChanged         Code = -33021
	CodeSchemaChanged              Code = -33022
	CodeAnnotationsChanged         Code = -33023
	CodeUnknownTool                Code = -33024
	CodeArtifactMismatch           Code = -33030
	CodeArtifactUnverifiable       Code = -33031
	CodeChainBroken                Code = -33040
	CodeChainAbsent                Code = -33041
	CodeLevelClaimedNotMet         Code = -33050
	CodeManifestFetchFailed        Code = -33060
)

// Codes of our own, for what MIS §23 has no code for.
const (
	// CodeInterfaceExtension: the tool has annotations that the manifest does
	// not cover (MIS §9.5 names the advisory and gives it no code).
	CodeInterfaceExtension Code = -33901
	// CodeVersionMismatch: the manifest is for another server version (MIS §9.5).
	CodeVersionMismatch Code = -33902
	// CodeMissingTool: a sealed tool that the server does not list (decision 16).
	CodeMissingTool Code = -33903
	// CodeIdentityNotExpected: nobody said whose manifest this should be
	// (decision 12).
	CodeIdentityNotExpected Code = -33904
	// CodeIdentityMismatch: it is validly signed, but not by whom was expected.
	CodeIdentityMismatch Code = -33905
	// CodeAttestationUnbound: an attestation without a signed statement
	// (decision 10c).
	CodeAttestationUnbound Code = -33906
	// CodeUnknownMember: the manifest has members that MIS does not know.
	CodeUnknownMember Code = -33907
	// CodeManifestExpired: expires_at has passed; MIS §8.2 says it should be
	// fetched again.
	CodeManifestExpired Code = -33908
	// CodeInterfaceUnreadable: what the server sent is no tool list by decision 7.
	CodeInterfaceUnreadable Code = -33909
	// CodeServerMismatch: the server calls itself by another name.
	CodeServerMismatch Code = -33910
	// CodeNotObserved: no live server was there to compare with.
	CodeNotObserved Code = -33911
	// CodeSurfaceNotTied: the server that ran was not the artifact (decision 19).
	CodeSurfaceNotTied Code = -33912
	// CodeServerUnavailable: the server did not answer or died.
	CodeServerUnavailable Code = -33913
	// CodeArtifactUnknown: a file was given that the manifest does not name.
	CodeArtifactUnknown Code = -33914
	// CodeIssuedInFuture: issued_at lies ahead of the clock.
	CodeIssuedInFuture Code = -33915
	// CodeNotCounted: an attestation by a key that holds no such role.
	CodeNotCounted Code = -33916
	// CodeLevelBelowPolicy: the verified level is lower than the policy's.
	CodeLevelBelowPolicy Code = -33917
	// CodeProvenanceInvalid: no signature vouches for a provenance that was found.
	CodeProvenanceInvalid Code = -33918
	// CodeProvenanceMismatch: a signed provenance contradicts its certificate,
	// the manifest, or the artifact.
	CodeProvenanceMismatch Code = -33919
	// CodeProvenanceUnverifiable: there may be a provenance, and it could not be
	// checked here.
	CodeProvenanceUnverifiable Code = -33920
	// CodeSLSALevelNotMet: the manifest claims a higher SLSA level than
	// certificate, runner and builder warrant (decision 15).
	CodeSLSALevelNotMet Code = -33921
	// CodeSourceMismatch: the certificate was issued to another repository than
	// the manifest's source_repo.
	CodeSourceMismatch Code = -33922
	// CodeChainFork: a source shows more than one successor of a release.
	CodeChainFork Code = -33923
	// CodeChangesUnderstated: lineage.changes says less than changed (decision 14).
	CodeChangesUnderstated Code = -33924
	// CodeRollback: the manifest is older than one that was seen before, or than
	// one that its source shows.
	CodeRollback Code = -33925
	// CodeChainRerooted: the publisher began a new chain, and signed why.
	CodeChainRerooted Code = -33926
	// CodeChainPublisherChanged: a release in the chain is of another publisher,
	// server or repository, or of a name that was registered anew.
	CodeChainPublisherChanged Code = -33927
	// CodeChainSignerChanged: a release in the chain was signed by another key or
	// workflow of the same publisher.
	CodeChainSignerChanged Code = -33928
	// CodeChainOrder: time or package version goes backwards along the chain.
	CodeChainOrder Code = -33929
	// CodeAncestorUnverified: an ancestor's key is not known any more; its
	// successor vouches for its bytes (decision 17).
	CodeAncestorUnverified Code = -33930
	// CodeChainUnavailable: an ancestor could not be had.
	CodeChainUnavailable Code = -33931
	// CodeSideEffectsExpanded: a tool declares more effects than in the release
	// before (MIS §11.5).
	CodeSideEffectsExpanded Code = -33932
	// CodeMemoryUnreadable: what earlier runs verified cannot be used.
	CodeMemoryUnreadable Code = -33933
	// CodeFirstUse: a server without a manifest was met for the first time, and
	// what it serves is kept (MIS §20.2).
	CodeFirstUse Code = -33934
	// CodeFirstUseChanged: a server without a manifest serves other tools than
	// when it was first met, or accepted.
	CodeFirstUseChanged Code = -33935
	// CodeFirstUseBlocked: somebody blocked this server or tool.
	CodeFirstUseBlocked Code = -33936
	// CodeRuleBroken: a rule of the trust file does not hold.
	CodeRuleBroken Code = -33937
	// CodeNegativeFinding: somebody whom trust lists speaks against the release,
	// and has not taken it back (decision 10d).
	CodeNegativeFinding Code = -33938
	// CodeRevocationDropped: a key document lacks a revocation that it had
	// before; the notice keeps its effect (decision 17).
	CodeRevocationDropped Code = -33939
	// CodeKeyRetired: a signature by a key that was retired before it was made.
	CodeKeyRetired Code = -33940
	// CodeManifestElsewhere: a server that was met without a manifest had one
	// before, or another source has one.
	CodeManifestElsewhere Code = -33941
)

var codeNames = map[Code]string{
	CodeManifestNotFound:           "MANIFEST_NOT_FOUND",
	CodeManifestParse:              "MANIFEST_PARSE_ERROR",
	CodeManifestVersionUnsupported: "MANIFEST_VERSION_UNSUPPORTED",
	CodeSignatureInvalid:           "SIGNATURE_INVALID",
	CodeSignatureKeyNotFound:       "SIGNATURE_KEY_NOT_FOUND",
	CodeSignatureKeyRevoked:        "SIGNATURE_KEY_REVOKED",
	CodeSignatureExpired:           "SIGNATURE_EXPIRED",
	CodeInterfaceMismatch:          "INTERFACE_MISMATCH",
	CodeDescriptionChanged:         "INTERFACE_DESCRIPTION_CHANGED",
	CodeSchemaChanged:              "INTERFACE_SCHEMA_CHANGED",
	CodeAnnotationsChanged:         "INTERFACE_ANNOTATIONS_CHANGED",
	CodeUnknownTool:                "INTERFACE_UNKNOWN_TOOL",
	CodeArtifactMismatch:           "ARTIFACT_MISMATCH",
	CodeArtifactUnverifiable:       "ARTIFACT_UNVERIFIABLE",
	CodeChainBroken:                "CHAIN_BROKEN",
	CodeChainAbsent:                "CHAIN_ABSENT",
	CodeLevelClaimedNotMet:         "LEVEL_CLAIMED_NOT_MET",
	CodeManifestFetchFailed:        "MANIFEST_FETCH_FAILED",

	CodeInterfaceExtension:  "INTERFACE_EXTENSION",
	CodeVersionMismatch:     "VERSION_MISMATCH",
	CodeMissingTool:         "MISSING_TOOL",
	CodeIdentityNotExpected: "IDENTITY_NOT_EXPECTED",
	CodeIdentityMismatch:    "IDENTITY_MISMATCH",
	CodeAttestationUnbound:  "ATTESTATION_UNBOUND",
	CodeUnknownMember:       "UNKNOWN_MEMBER",
	CodeManifestExpired:     "MANIFEST_EXPIRED",
	CodeInterfaceUnreadable: "INTERFACE_UNREADABLE",
	CodeServerMismatch:      "SERVER_MISMATCH",
	CodeNotObserved:         "NOT_OBSERVED",
	CodeSurfaceNotTied:      "SURFACE_NOT_TIED",
	CodeServerUnavailable:   "SERVER_UNAVAILABLE",
	CodeArtifactUnknown:     "ARTIFACT_UNKNOWN",
	CodeIssuedInFuture:      "ISSUED_IN_FUTURE",
	CodeNotCounted:          "ATTESTATION_NOT_COUNTED",
	CodeLevelBelowPolicy:    "LEVEL_BELOW_POLICY",

	CodeProvenanceInvalid:      "PROVENANCE_INVALID",
	CodeProvenanceMismatch:     "PROVENANCE_MISMATCH",
	CodeProvenanceUnverifiable: "PROVENANCE_UNVERIFIABLE",
	CodeSLSALevelNotMet:        "SLSA_LEVEL_NOT_MET",
	CodeSourceMismatch:         "SOURCE_MISMATCH",

	CodeChainFork:             "CHAIN_FORK",
	CodeChangesUnderstated:    "CHANGES_UNDERSTATED",
	CodeRollback:              "ROLLBACK",
	CodeChainRerooted:         "CHAIN_REROOTED",
	CodeChainPublisherChanged: "CHAIN_PUBLISHER_CHANGED",
	CodeChainSignerChanged:    "CHAIN_SIGNER_CHANGED",
	CodeChainOrder:            "CHAIN_ORDER",
	CodeAncestorUnverified:    "ANCESTOR_UNVERIFIED",
	CodeChainUnavailable:      "CHAIN_UNAVAILABLE",
	CodeSideEffectsExpanded:   "SIDE_EFFECTS_EXPANDED",
	CodeMemoryUnreadable:      "MEMORY_UNREADABLE",
	CodeFirstUse:              "TOFU_FIRST_USE",
	CodeFirstUseChanged:       "TOFU_CHANGED",
	CodeFirstUseBlocked:       "TOFU_BLOCKED",
	CodeRuleBroken:            "RULE_BROKEN",
	CodeNegativeFinding:       "NEGATIVE_FINDING",
	CodeRevocationDropped:     "REVOCATION_DROPPED",
	CodeKeyRetired:            "KEY_RETIRED",
	CodeManifestElsewhere:     "MANIFEST_ELSEWHERE",
}

// Name is the code's name in MIS §23, or ours.
func (c Code) Name() string {
	if n, ok := codeNames[c]; ok {
		return n
	}
	return fmt.Sprintf("CODE_%d", int(c))
}

// ErrUnavailable says that a check could not be made: something did not answer,
// or died. It says nothing against the release.
var ErrUnavailable = errors.New("could not be observed")

// Error is something wrong with a manifest or an attestation, by its code.
type Error struct {
	Code Code
	Err  error
}

func (e *Error) Error() string { return fmt.Sprintf("%s: %v", e.Code.Name(), e.Err) }

func (e *Error) Unwrap() error { return e.Err }

func failf(c Code, format string, args ...any) *Error {
	return &Error{Code: c, Err: fmt.Errorf(format, args...)}
}

// CodeOf returns the code that err carries, or fallback.
func CodeOf(err error, fallback Code) Code {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return fallback
}
