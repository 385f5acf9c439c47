package cli

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"

	"github.com/mcp-integrity/seal-action/internal/artifact"
	"github.com/mcp-integrity/seal-action/seal"
)

func TestSubjectNames(t *testing.T) {
	found := func(ref, content string) artifact.Found {
		return artifact.Found{Ref: ref, Artifact: seal.Artifact{Digest: digest.FromString(content)}}
	}
	for name, tt := range map[string]struct {
		found []artifact.Found
		want  []string
	}{
		"a file, an image": {[]artifact.Found{found("./dist/a.tgz", "a"), found("oci://ghcr.io/acme/tools@sha256:00", "i")}, []string{"a.tgz", "ghcr.io/acme/tools"}},
		"one name, two files": {
			[]artifact.Found{found("dist/linux/tool", "l"), found("./dist/darwin/tool", "d"), found("b.tgz", "b")},
			[]string{"dist/linux/tool", "dist/darwin/tool", "b.tgz"},
		},
		"the same file twice": {[]artifact.Found{found("a/x", "x"), found("b/x", "x")}, []string{"x", "x"}},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, s := range subjectsOf(tt.found) {
				got = append(got, s.Name)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("names (-want +got):\n%s", diff)
			}
		})
	}
}
