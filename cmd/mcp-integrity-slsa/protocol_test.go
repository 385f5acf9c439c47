package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	serrors "github.com/slsa-framework/slsa-verifier/v2/errors"
)

var update = flag.Bool("update", false, "write the answers that internal/slsa reads in its tests")

// TestRequestsOfTheCaller reads what internal/slsa writes.
func TestRequestsOfTheCaller(t *testing.T) {
	for _, name := range []string{"artifact", "npm", "vsa"} {
		if _, err := parseRequest(testFile(t, "protocol", name+".request.json")); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAnswersForTheCaller(t *testing.T) {
	question := testFile(t, "protocol", "artifact.request.json")
	r, err := parseRequest(question)
	if err != nil {
		t.Fatal(err)
	}
	var e struct {
		Payload []byte `json:"payload"`
	}
	if err := json.Unmarshal(r.Provenance, &e); err != nil {
		t.Fatal(err)
	}
	for name, check := range map[string]checker{
		"pass":      answers(finding{statement: e.Payload, builderID: r.BuilderID + "@refs/tags/v1.10.0"}, nil),
		"fail":      answers(finding{}, fmt.Errorf("expected hash %q not found: %w", "ab", serrors.ErrorMismatchHash)),
		"undecided": answers(finding{}, fmt.Errorf("%w: no such host", errTrustedRoot)),
	} {
		var out bytes.Buffer
		run(t.Context(), nil, bytes.NewReader(question), &out, io.Discard, check)
		path := filepath.Join("testdata", "protocol", name+".answer.json")
		if *update {
			if err := os.WriteFile(path, out.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, out.Bytes()) {
			t.Errorf("%s is stale (%v): go test -run %s -update", path, err, t.Name())
		}
	}
}
