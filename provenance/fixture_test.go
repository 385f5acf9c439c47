package provenance

import (
	"os"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/mcp-integrity/seal-action/seal"
	"github.com/mcp-integrity/seal-action/seal/strictjson"
)

const commit = "4d2e8c0f5b7a91c3e6d8f0a1b2c3d4e5f6a7b8c9"

var artifact = digest.FromString("file-tools-1.2.3.tgz")

func subjects() []Subject {
	return []Subject{{Name: "file-tools-1.2.3.tgz", Digest: map[string]string{"sha256": artifact.Encoded()}}}
}

// github is the build of a release by a workflow of the repository itself.
func github() Build {
	return Build{
		Platform: GitHub, ServerURL: "https://github.com",
		Repository: "acme/file-tools", RepositoryID: "74", OwnerID: "65", Owner: "acme",
		Ref: "refs/tags/v1.2.3", Commit: commit,
		WorkflowRef:    "acme/file-tools/.github/workflows/release.yml@refs/tags/v1.2.3",
		JobWorkflowRef: "acme/file-tools/.github/workflows/release.yml@refs/tags/v1.2.3",
		Event:          "push", RunnerEnvironment: "github-hosted", RunID: "30433642", RunAttempt: "2", Visibility: "public",
	}
}

// gitlab is the build of a branch in a subgroup's project.
func gitlab() Build {
	return Build{
		Platform: GitLab, ServerURL: "https://gitlab.com",
		Repository: "acme/tools/file-tools", RepositoryID: "20", OwnerID: "72", Owner: "acme/tools",
		Ref: "refs/heads/main", Commit: commit,
		WorkflowRef: "gitlab.com/acme/tools/file-tools//.gitlab-ci.yml@refs/heads/main",
		Event:       "push", RunnerEnvironment: "gitlab-hosted", JobID: "302", RunnerID: "12270837", Visibility: "public",
	}
}

// builds are one for each build type.
func builds() map[string]Build {
	event := github()
	event.Event, event.Ref = "schedule", "refs/heads/main"
	event.WorkflowRef = "acme/file-tools/.github/workflows/nightly.yml@refs/heads/main"
	event.JobWorkflowRef = event.WorkflowRef
	return map[string]Build{"github": github(), "github-event": event, "gitlab": gitlab()}
}

// certificateOf is what Fulcio's templates make of the token that b was read
// from (config/identity of Fulcio v1.8): written from the claims, not from what
// this package makes of them.
func certificateOf(b Build) seal.Certificate {
	url := "https://github.com"
	c := seal.Certificate{
		Issuer: seal.GitHubIssuer, SAN: url + "/" + b.JobWorkflowRef,
		BuildSignerURI: url + "/" + b.JobWorkflowRef, BuildConfigURI: url + "/" + b.WorkflowRef,
		RunInvocationURI: url + "/" + b.Repository + "/actions/runs/" + b.RunID + "/attempts/" + b.RunAttempt,
	}
	if b.Platform == GitLab {
		url = "https://gitlab.com"
		c = seal.Certificate{
			Issuer: seal.GitLabIssuer, SAN: "https://" + b.WorkflowRef,
			BuildSignerURI: "https://" + b.WorkflowRef, BuildConfigURI: "https://" + b.WorkflowRef,
			RunInvocationURI: url + "/" + b.Repository + "/-/jobs/" + b.JobID,
		}
	}
	c.SourceRepositoryURI, c.SourceRepositoryID = url+"/"+b.Repository, b.RepositoryID
	c.SourceOwnerURI, c.SourceOwnerID = url+"/"+b.Owner, b.OwnerID
	c.SourceRef, c.SourceCommit = b.Ref, b.Commit
	c.BuildTrigger, c.RunnerEnvironment, c.Visibility = b.Event, b.RunnerEnvironment, b.Visibility
	c.BuildSignerDigest, c.BuildConfigDigest = b.Commit, b.Commit
	return c
}

// manifestOf is what `seal` writes of b into the manifest.
func manifestOf(b Build) *seal.Provenance {
	return &seal.Provenance{
		SourceRepo: b.SourceRepo(), Commit: b.Commit, Branch: strings.TrimPrefix(b.Ref, "refs/heads/"),
		BuildSystem: b.BuildSystem(), BuilderID: b.BuilderID(), BuildWorkflow: b.BuildWorkflow(),
	}
}

func expected(b Build) Expected {
	return Expected{Certificate: certificateOf(b), Manifest: manifestOf(b), Artifacts: []digest.Digest{artifact}}
}

func mustNew(t testing.TB, b Build) []byte {
	t.Helper()
	payload, err := New(b, subjects())
	if err != nil {
		t.Fatal(err)
	}
	return payload
}

func mustParse(t testing.TB, payload []byte) *Statement {
	t.Helper()
	s, err := Parse(payload)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// golden returns the canonical bytes of a file that is laid out for people.
func golden(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	canonical, err := strictjson.Canonical(data)
	if err != nil {
		t.Fatal(err)
	}
	return canonical
}

// edit changes a statement as a tree, and returns its bytes.
func edit(t testing.TB, payload []byte, change func(statement object)) []byte {
	t.Helper()
	var tree object
	if err := strictjson.Unmarshal(payload, &tree); err != nil {
		t.Fatal(err)
	}
	change(tree)
	out, err := strictjson.Marshal(tree)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func canonical(t testing.TB, data []byte) string {
	t.Helper()
	out, err := strictjson.Canonical(data)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}
