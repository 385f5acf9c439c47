package slsa

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	serrors "github.com/slsa-framework/slsa-verifier/v2/errors"

	"github.com/mcp-integrity/seal-action/seal/strictjson"
)

// An answer counts only as an answer to the very question.
func TestReadRefuses(t *testing.T) {
	q := question()
	sent, err := q.marshal()
	if err != nil {
		t.Fatal(err)
	}
	other := question()
	other.Digest = "sha256:" + strings.Repeat("cd", 32)
	otherSent, err := other.marshal()
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name   string
		change func(*answer)
		exit   int
		want   string
	}{
		{"another version", func(a *answer) { a.SchemaVersion = "2" }, 0, "schema_version"},
		{"no version", func(a *answer) { a.SchemaVersion = "" }, 0, "schema_version"},
		{"another digest", func(a *answer) { a.Digest = other.Digest }, 0, "another question"},
		{"another request", func(a *answer) { a.Request = passing(other, otherSent).Request }, 0, "another question"},
		{"another kind", func(a *answer) { a.Kind = KindVSA }, 0, "another question"},
		{"no verdict", func(a *answer) { a.Verdict = "" }, 0, "verdict"},
		{"another verdict", func(a *answer) { a.Verdict = "PASS" }, 0, "verdict"},
		{"pass with the exit code of undecided", func(*answer) {}, exitUndecided, "exit code"},
		{"undecided with the exit code of a verdict", func(a *answer) { a.Verdict, a.Reason = "undecided", "panic" }, 0, "exit code"},
		{"fail with the exit code of undecided", func(a *answer) { a.Verdict, a.Reason = "fail", "mismatch_hash" }, exitUndecided, "exit code"},
		{"fail without a reason", func(a *answer) { a.Verdict = "fail" }, 0, "reason"},
		{"no statement", func(a *answer) { a.Statement = nil }, 0, "not in the provenance"},
		{"another statement", func(a *answer) { a.Statement = append(bytes.Clone(a.Statement), ' ') }, 0, "not in the provenance"},
		{"no builder", func(a *answer) { a.BuilderID = "" }, 0, "builder"},
		{"another builder", func(a *answer) { a.BuilderID = bcrPublish }, 0, "builder"},
		{"a builder of two refs", func(a *answer) { a.BuilderID += "@x" }, 0, "builder"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := passing(q, sent)
			tt.change(&a)
			data, err := strictjson.Marshal(a)
			if err != nil {
				t.Fatal(err)
			}
			got, err := q.read(sent, data, tt.exit)
			var not *NotMadeError
			if !errors.As(err, &not) || not.Reason != ReasonBroken || !strings.Contains(err.Error(), tt.want) || got.Statement != nil {
				t.Errorf("%+v, %v, want %q", got, err, tt.want)
			}
		})
	}
}

// A digest that the statement does not name cannot have been compared.
func TestReadWantsTheDigest(t *testing.T) {
	for _, digest := range []string{"sha256:" + strings.Repeat("cd", 32), "sha512:" + strings.Repeat("ab", 32), "sha256:", ""} {
		q := question()
		q.Digest = digest
		sent, err := q.marshal()
		if err != nil {
			t.Fatal(err)
		}
		data, err := strictjson.Marshal(passing(q, sent))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := q.read(sent, data, 0); err == nil || !strings.Contains(err.Error(), "does not name") {
			t.Errorf("%q: %+v, %v", digest, got, err)
		}
	}
}

// Where any builder of slsa-verifier's will do, one must still be named.
func TestReadWantsABuilder(t *testing.T) {
	q := question()
	q.BuilderID = ""
	sent, err := q.marshal()
	if err != nil {
		t.Fatal(err)
	}
	a := passing(q, sent)
	for builder, want := range map[string]bool{goBuilder + "@refs/tags/v1.10.0": true, "": false} {
		a.BuilderID = builder
		data, err := strictjson.Marshal(a)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := q.read(sent, data, exitVerdict); (err == nil) != want {
			t.Errorf("builder %q: %+v, %v", builder, got, err)
		}
	}
}

func TestReadVerdicts(t *testing.T) {
	q := question()
	sent, err := q.marshal()
	if err != nil {
		t.Fatal(err)
	}
	a := passing(q, sent)
	a.Verdict, a.Reason, a.Message, a.Statement = "fail", "mismatch_hash", "artifact hash", nil
	data, _ := strictjson.Marshal(a)
	_, err = q.read(sent, data, exitVerdict)
	var no *Refusal
	if !errors.As(err, &no) || no.Reason != "mismatch_hash" || !errors.Is(err, serrors.ErrorMismatchHash) || errors.Is(err, ErrNotMade) {
		t.Errorf("%v, want a refusal", err)
	}
	a.Verdict, a.Reason = "undecided", "trusted_root_unavailable"
	data, _ = strictjson.Marshal(a)
	_, err = q.read(sent, data, exitUndecided)
	var not *NotMadeError
	if !errors.As(err, &not) || not.Reason != a.Reason || !errors.Is(err, ErrNotMade) || errors.As(err, &no) && no == nil {
		t.Errorf("%v, want a check not made", err)
	}
}

// FuzzRead: no answer of other bytes than those of the one that passes makes
// another builder or statement pass.
func FuzzRead(f *testing.F) {
	q := question()
	sent, err := q.marshal()
	if err != nil {
		f.Fatal(err)
	}
	want := passing(q, sent)
	good, err := strictjson.Marshal(want)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good, 0)
	f.Add(bytes.Replace(good, []byte(`"pass"`), []byte(`"undecided","reason":"x"`), 1), exitUndecided)
	f.Add([]byte("{}"), 0)
	f.Fuzz(func(t *testing.T, data []byte, exit int) {
		got, err := q.read(sent, data, exit)
		if err != nil {
			return
		}
		if exit != exitVerdict || !bytes.Equal(got.Statement, want.Statement) || !strings.HasPrefix(got.BuilderID, goBuilder) {
			t.Fatalf("%s passes with exit code %d", data, exit)
		}
	})
}
