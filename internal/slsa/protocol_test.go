package slsa

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// protocol is where both sides of the pipe keep what they write, for the other
// side's test to read: requests from here, answers from the program.
var protocol = filepath.Join("..", "..", "cmd", "mcp-integrity-slsa", "testdata", "protocol")

// questions have every member that a request can have.
func questions() map[string]Request {
	artifact, npm, vsa := question(), question(), question()
	artifact.Branch, artifact.Tag, artifact.VersionedTag = "main", "v1.2.3", "v1.2"
	npm.Kind, npm.Digest = KindNpm, "sha512:"+strings.Repeat("ab", 64)
	npm.BuilderID, npm.Package = npmRunner+"/github-hosted", &Package{Name: "@acme/tools", Version: "1.2.3"}
	vsa.Kind, vsa.SourceURI, vsa.BuilderID = KindVSA, "", ""
	vsa.VSA = &VSA{
		VerifierID: "https://mcp-integrity.org/verifier", ResourceURI: "pkg:npm/tools@1.2.3",
		VerifiedLevels: []string{"SLSA_BUILD_LEVEL_2"}, PublicKey: "-----BEGIN PUBLIC KEY-----", KeyID: "k",
	}
	return map[string]Request{"artifact": artifact, "npm": npm, "vsa": vsa}
}

func TestRequestsForTheProgram(t *testing.T) {
	for name, q := range questions() {
		want, err := q.marshal()
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(protocol, name+".request.json")
		if *update {
			if err := os.MkdirAll(protocol, 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, want, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		got, err := os.ReadFile(path)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is stale (%v): go test ./internal/slsa -run %s -update, and then -update in cmd/mcp-integrity-slsa", path, err, t.Name())
		}
	}
}

// TestAnswersOfTheProgram reads what the program wrote to these requests.
func TestAnswersOfTheProgram(t *testing.T) {
	q := questions()["artifact"]
	sent, err := q.marshal()
	if err != nil {
		t.Fatal(err)
	}
	answer := func(name string) []byte {
		data, err := os.ReadFile(filepath.Join(protocol, name+".answer.json"))
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	got, err := q.read(sent, answer("pass"), exitVerdict)
	if err != nil || got.BuilderID != goBuilder+"@refs/tags/v1.10.0" || len(got.Statement) == 0 {
		t.Errorf("pass: %+v, %v", got, err)
	}
	var no *Refusal
	if _, err = q.read(sent, answer("fail"), exitVerdict); !errors.As(err, &no) || no.Reason != "mismatch_hash" {
		t.Errorf("fail: %v", err)
	}
	var not *NotMadeError
	if _, err = q.read(sent, answer("undecided"), exitUndecided); !errors.As(err, &not) || not.Reason != "trusted_root_unavailable" {
		t.Errorf("undecided: %v", err)
	}
}
