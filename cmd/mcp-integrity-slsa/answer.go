package main

import (
	"context"
	"fmt"
	"strings"
	"unicode"
)

// The verdicts.
const (
	verdictPass      = "pass"
	verdictFail      = "fail"
	verdictUndecided = "undecided"
)

// maxMessage bounds the library's words: they quote the provenance.
const maxMessage = 1000

// An answer is what is written; the package comment says what the members mean.
type answer struct {
	SchemaVersion string `json:"schema_version"`
	Verdict       string `json:"verdict"`
	Kind          string `json:"kind"`
	Digest        string `json:"digest"`
	Request       string `json:"request"`
	BuilderID     string `json:"builder_id,omitzero"`
	Statement     []byte `json:"statement,omitempty"`
	Reason        string `json:"reason,omitzero"`
	Message       string `json:"message,omitzero"`
}

// A finding is what a check has verified.
type finding struct {
	statement []byte
	builderID string
}

// A checker verifies what a request asks, and returns an error that [explain]
// knows.
type checker func(context.Context, request) (finding, error)

// decide has the request checked within ctx. The check runs beside, because the
// library does not stop when ctx does; the program ends without it.
func decide(ctx context.Context, req request, check checker) answer {
	done := make(chan answer, 1)
	go func() {
		defer func() {
			if p := recover(); p != nil {
				done <- answer{Verdict: verdictUndecided, Reason: reasonPanic, Message: shorten(fmt.Sprint("slsa-verifier panicked: ", p))}
			}
		}()
		done <- judge(check(ctx, req))
	}()
	select {
	case a := <-done:
		return a
	case <-ctx.Done():
		return answer{Verdict: verdictUndecided, Reason: reasonTimeout, Message: "no answer in time: " + ctx.Err().Error()}
	}
}

// judge turns what a check returns into a verdict. A pass without the verified
// bytes would leave the caller with nothing to compare.
func judge(f finding, err error) answer {
	if err == nil && len(f.statement) == 0 {
		err = errNoStatement
	}
	if err == nil {
		return answer{Verdict: verdictPass, BuilderID: f.builderID, Statement: f.statement}
	}
	verdict, reason := explain(err)
	return answer{Verdict: verdict, Reason: reason, Message: shorten(err.Error())}
}

// shorten makes a stranger's text one printable line.
func shorten(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, strings.ToValidUTF8(s, "\uFFFD"))
	if len(s) > maxMessage {
		s = strings.ToValidUTF8(s[:maxMessage], "") + " …"
	}
	return s
}
