package trust

import "testing"

// TestWorkflowInTheRoot: GitLab's stands there; a bare name of GitHub's is a slip.
func TestWorkflowInTheRoot(t *testing.T) {
	for workflow, want := range map[string]bool{".gitlab-ci.yml": true, "ci/release.yml": true, "release.yml": false, "./ci.yml": false} {
		_, err := Parse([]byte("scanners: [{name: a, identity: {issuer: https://gitlab.com, repository: https://gitlab.com/acme/scan, workflow: " + workflow + "}}]\n"))
		if (err == nil) != want {
			t.Errorf("%s: %v", workflow, err)
		}
	}
}
