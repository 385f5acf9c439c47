package provenance

import (
	"testing"
	"time"
)

// TestAdopted: what a manifest takes from the provenance of its artifact's builder.
func TestAdopted(t *testing.T) {
	noon := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for name, tt := range map[string]struct {
		statement Statement
		system    string
		at        time.Time
	}{
		"ours":         {Statement{buildType: BuildTypeGitHub, builderID: "https://github.com/acme/x/.github/workflows/a.yml@refs/tags/v1", Predicate: []byte(`{}`)}, "github-actions", time.Time{}},
		"GitLab's":     {Statement{buildType: BuildTypeGitLab, Predicate: []byte(`{}`)}, "gitlab-ci", time.Time{}},
		"another's":    {Statement{buildType: "https://example.com/t", builderID: "https://github.com/slsa-framework/g@refs/tags/v2", Predicate: []byte(`{"runDetails":{"metadata":{"startedOn":"2026-03-01T11:00:00Z","finishedOn":"2026-03-01T13:00:00+01:00"}}}`)}, "github-actions", noon},
		"v0.2":         {Statement{builderID: "https://gitlab.com/x", Predicate: []byte(`{"metadata":{"buildStartedOn":"2026-03-01T12:00:00Z"}}`)}, "gitlab-ci", noon},
		"a look-alike": {Statement{builderID: "https://github.com.evil.example/x", Predicate: []byte(`{"runDetails":{"metadata":{"finishedOn":"yesterday"}}}`)}, "", time.Time{}},
		"odd":          {Statement{Predicate: []byte(`{"metadata":7}`)}, "", time.Time{}},
	} {
		if got := tt.statement.BuildSystem(); got != tt.system {
			t.Errorf("%s: build system: got %q, want %q", name, got, tt.system)
		}
		if got := tt.statement.BuiltAt(); !got.Equal(tt.at) {
			t.Errorf("%s: built at %s, want %s", name, got, tt.at)
		}
	}
}
