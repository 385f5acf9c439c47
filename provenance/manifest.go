package provenance

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"

	"github.com/mcp-integrity/seal-action/seal"
	"github.com/mcp-integrity/seal-action/seal/strictjson"
)

// manifest compares the members of the predicate with the manifest's.
func (f *findings) manifest(s *Statement, m *seal.Provenance) {
	if m == nil {
		return
	}
	var p madeHere
	if err := strictjson.DecodeOpen(s.Predicate, &p); err != nil {
		f.add(Mismatch{Field: "predicate", Got: err.Error(), Want: "members of their kinds", Against: AgainstManifest})
		return
	}
	source, ref, path := p.Build.External.Workflow.Repository, p.Build.External.Workflow.Ref, p.Build.External.Workflow.Path
	if platformOf(s.buildType) == GitLab {
		source, ref, path = p.Build.External.Source, p.Build.External.Ref, p.Build.External.EntryPoint
	}
	commit := ""
	if len(s.dependencies) == 1 {
		commit = s.dependencies[0].Digest["gitCommit"]
	}
	f.stated("source_repo", source, m.SourceRepo, sameRepository)
	f.stated("commit", commit, m.Commit, equal)
	f.stated("build_system", buildSystems[platformOf(s.buildType)], m.BuildSystem, equal)
	f.stated("builder_id", s.builderID, m.BuilderID, equal)
	f.stated("build_workflow", path, m.BuildWorkflow, equal)
	f.stated("branch", ref, m.Branch, mayBeOf)
}

// madeHere are the external parameters of our three build types.
type madeHere struct {
	Build struct {
		External struct {
			Workflow struct {
				Repository string `json:"repository"`
				Ref        string `json:"ref"`
				Path       string `json:"path"`
			} `json:"workflow"`
			Source     string `json:"source"`
			Ref        string `json:"ref"`
			EntryPoint string `json:"entryPoint"`
		} `json:"externalParameters"`
	} `json:"buildDefinition"`
}

// stated compares a member of the manifest; one that it leaves out contradicts
// nothing.
func (f *findings) stated(field, got, want string, same func(got, want string) bool) {
	if want != "" && !same(got, want) {
		f.add(Mismatch{Field: field, Got: show(got), Want: show(want), Against: AgainstManifest})
	}
}

func equal(got, want string) bool { return got == want }

// sameRepository compares two URLs of repositories as their hosts do: without
// regard to case, and with or without the .git that git itself appends.
func sameRepository(got, want string) bool {
	plain := func(url string) string {
		return strings.TrimSuffix(strings.TrimSuffix(strings.TrimPrefix(url, "git+"), "/"), ".git")
	}
	return strings.EqualFold(plain(got), plain(want))
}

// mayBeOf says whether ref may be of branch. A tag is of no branch, or of
// several: it neither says nor denies what the manifest does. The trial merge
// of a pull request is on none.
func mayBeOf(ref, branch string) bool {
	return ref == "refs/heads/"+branch || strings.HasPrefix(ref, "refs/tags/")
}

// foreignSource compares the manifest's source with the first dependency that
// comes from git: builders put the source there, as git+URL@REF with a gitCommit
// or, in older versions, a sha1. The others are what the build took besides.
func (f *findings) foreignSource(s *Statement, m *seal.Provenance) {
	var repository, commit string
	if n := slices.IndexFunc(s.dependencies, func(d dependency) bool { return strings.HasPrefix(d.URI, "git+") }); n >= 0 {
		source := s.dependencies[n]
		repository, _, _ = strings.Cut(source.URI, "@refs/")
		commit = cmp.Or(source.Digest["gitCommit"], source.Digest["sha1"])
	}
	f.stated("source_repo", repository, m.SourceRepo, sameRepository)
	f.stated("commit", commit, m.Commit, equal)
}

// artifacts looks each digest up among the subjects.
func (f *findings) artifacts(s *Statement, want []digest.Digest) {
	subjects := map[digest.Digest]bool{}
	for _, subject := range s.Subjects {
		for name, value := range subject.Digest {
			subjects[digest.NewDigestFromEncoded(digest.Algorithm(name), value)] = true
		}
	}
	got := fmt.Sprintf("%d others", len(s.Subjects))
	if len(s.Subjects) == 1 {
		for _, name := range slices.Sorted(maps.Keys(s.Subjects[0].Digest)) {
			got = show(name + ":" + s.Subjects[0].Digest[name])
			break
		}
	}
	if len(want) == 0 {
		f.add(Mismatch{Field: "subject", Got: got, Want: "an artifact to compare it with", Against: AgainstArtifact})
	}
	for _, d := range want {
		if !subjects[d] {
			f.add(Mismatch{Field: "subject", Got: got, Want: show(string(d)), Against: AgainstArtifact})
		}
	}
}
