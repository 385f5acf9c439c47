package keyless

import (
	"errors"
	"fmt"
	"strings"

	"github.com/mcp-integrity/seal-action/seal"
)

// Stage is the part of a bundle at which verification ended. Its value is a
// word for people, and stable.
type Stage string

// The stages, in the order in which they are reached.
const (
	// StageBundle: it is no bundle of a form that we read.
	StageBundle Stage = "bundle"
	// StagePayload: it signs something else than an in-toto statement, or than
	// what the caller asked about.
	StagePayload Stage = "payload"
	// StageKey: its key is none that MIS allows.
	StageKey Stage = "key"
	// StageAuthority: no trusted root names the authority that issued the
	// certificate.
	StageAuthority Stage = "authority"
	// StageLog: the transparency log does not vouch for it.
	StageLog Stage = "log"
	// StageTime: nobody trusted vouches for its time.
	StageTime Stage = "time"
	// StageCertificate: the certificate does not hold at that time.
	StageCertificate Stage = "certificate"
	// StageSCT: the certificate was not shown to a certificate transparency log.
	StageSCT Stage = "certificate timestamp"
	// StageSignature: the signature is of other bytes or by another key.
	StageSignature Stage = "signature"
)

// stages is their order: the further a bundle came, the more its error says.
var stages = []Stage{
	StageBundle, StagePayload, StageKey, StageAuthority, StageLog, StageTime, StageCertificate, StageSCT, StageSignature,
}

// Error says why a bundle was refused.
type Error struct {
	Stage Stage
	Err   error
}

// maxReason keeps a stranger's text, which libraries quote, from filling ours.
const maxReason = 400

func (e *Error) Error() string {
	// sigstore-go prints a nil cause so where no timestamp failed: there was none.
	text := strings.ReplaceAll(e.Err.Error(), "; error: %!w(<nil>)", "")
	// One error is one line: a line feed in what a library quotes would begin a
	// line of ours.
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > maxReason {
		text = strings.ToValidUTF8(text[:maxReason/2], "") + " … " + strings.ToValidUTF8(text[len(text)-maxReason/2:], "")
	}
	return fmt.Sprintf("sigstore bundle: %s: %s", e.Stage, text)
}

func (e *Error) Unwrap() error { return e.Err }

// Code is the result code of MIS §23 for e: an authority that nobody trusts is
// a key not found, everything else an invalid signature.
func (e *Error) Code() seal.Code {
	if e.Stage == StageAuthority {
		return seal.CodeSignatureKeyNotFound
	}
	return seal.CodeSignatureInvalid
}

func failf(s Stage, format string, args ...any) *Error {
	return &Error{Stage: s, Err: fmt.Errorf(format, args...)}
}

// prefixes are how sigstore-go begins the errors of each stage: they have no
// types of their own.
var prefixes = []struct {
	prefix string
	stage  Stage
}{
	{"failed to verify log inclusion: ", StageLog},
	{"failed to verify timestamps: ", StageTime},
	{"failed to summarize certificate: ", StageCertificate},
	{"failed to verify leaf certificate: ", StageCertificate},
	{"failed to verify signed certificate timestamp: ", StageSCT},
	{"failed to get signature verifier: ", StageSignature},
	{"failed to verify signature: ", StageSignature},
	{"failed to fetch envelope statement: ", StagePayload},
}

// classify gives an error of sigstore-go its stage.
func classify(err error) *Error {
	for _, p := range prefixes {
		if strings.HasPrefix(err.Error(), p.prefix) {
			return &Error{Stage: p.stage, Err: &worded{strings.TrimPrefix(err.Error(), p.prefix), err}}
		}
	}
	return &Error{Stage: StageBundle, Err: err}
}

// worded is an error in other words; the error itself is behind it.
type worded struct {
	text string
	err  error
}

func (w *worded) Error() string { return w.text }

func (w *worded) Unwrap() error { return w.err }

// further is the one of two errors that says more.
func further(a, b *Error) *Error {
	if a == nil || reached(b.Stage) > reached(a.Stage) {
		return b
	}
	return a
}

func reached(s Stage) int {
	for n, stage := range stages {
		if stage == s {
			return n
		}
	}
	return -1
}

// CodeOf is the result code of err where it is a refused bundle, an error with
// a code of its own, or else fallback.
func CodeOf(err error, fallback seal.Code) seal.Code {
	var e *Error
	if errors.As(err, &e) {
		return e.Code()
	}
	return seal.CodeOf(err, fallback)
}
