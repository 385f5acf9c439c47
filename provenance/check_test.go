package provenance

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/mcp-integrity/seal-action/seal"
)

func TestCheckAcceptsOurOwn(t *testing.T) {
	for name, b := range builds() {
		if m := Check(mustParse(t, mustNew(t, b)), expected(b)); m != nil {
			t.Errorf("%s: %v", name, m)
		}
	}
}

// leaf is a place in a tree: its path, and a function that replaces it.
type leaf struct {
	path string
	set  func(value any)
	drop func()
}

// leaves lists every value of a tree, inner ones too.
func leaves(at string, tree any, visit func(leaf)) {
	switch tree := tree.(type) {
	case object:
		for _, name := range slices.Sorted(maps.Keys(tree)) {
			path := at + "." + name
			visit(leaf{path, func(v any) { tree[name] = v }, func() { delete(tree, name) }})
			leaves(path, tree[name], visit)
		}
	case []any:
		for n := range tree {
			path := fmt.Sprintf("%s[%d]", at, n)
			visit(leaf{path, func(v any) { tree[n] = v }, nil})
			leaves(path, tree[n], visit)
		}
	}
}

// refused says whether a changed statement fails to parse or to agree.
func refused(payload []byte, e Expected) bool {
	s, err := Parse(payload)
	return err != nil || len(Check(s, e)) > 0
}

// TestTamperEachMember changes, removes and adds at every place of a predicate.
// Whoever can sign can write any of these; the certificate alone must tell.
func TestTamperEachMember(t *testing.T) {
	replacements := []any{"", "other", nil, 7.0, true, []any{}, object{}, "  ", Absent}
	for name, b := range builds() {
		e, payload := expected(b), mustNew(t, b)
		e.Manifest = nil
		tried := 0
		try := func(what string, change func(predicate object)) {
			tried++
			changed := edit(t, payload, func(s object) { change(s["predicate"].(object)) })
			if !refused(changed, e) {
				t.Errorf("%s: %s: it passes", name, what)
			}
		}
		var paths []string
		edit(t, payload, func(s object) { leaves("", s["predicate"], func(l leaf) { paths = append(paths, l.path) }) })
		for _, path := range paths {
			at := func(do func(leaf)) func(object) {
				return func(p object) {
					leaves("", p, func(l leaf) {
						if l.path == path {
							do(l)
						}
					})
				}
			}
			for _, r := range replacements {
				try(fmt.Sprintf("%s = %v", path, r), at(func(l leaf) { l.set(r) }))
			}
			try(path+" removed", at(func(l leaf) {
				if l.drop != nil {
					l.drop()
				} else {
					l.set(nil)
				}
			}))
		}
		eachObject(payload, t, func(path string) {
			for _, member := range []string{"extra", "startedOn", "id ", "Workflow", "\u202e"} {
				try("a member "+member+" in "+path, func(p object) { in(p, path)[member] = "x" })
			}
		})
		try("a second dependency", func(p object) {
			d := p["buildDefinition"].(object)
			d["resolvedDependencies"] = append(d["resolvedDependencies"].([]any), object{"uri": "git+https://github.com/a/b"})
		})
		if tried < 150 {
			t.Errorf("%s: only %d changes were tried", name, tried)
		}
	}
}

// eachObject calls visit with the path of every object of a predicate.
func eachObject(payload []byte, t *testing.T, visit func(path string)) {
	visit("")
	var paths []string
	edit(t, payload, func(s object) {
		leaves("", s["predicate"], func(l leaf) { paths = append(paths, l.path) })
		paths = slices.DeleteFunc(paths, func(path string) bool { return in(s["predicate"].(object), path) == nil })
	})
	for _, path := range paths {
		visit(path)
	}
}

// in returns the object at path, nil where there is none.
func in(tree object, path string) object {
	found := tree
	if path != "" {
		found = nil
		var walk func(at string, v any)
		walk = func(at string, v any) {
			o, ok := v.(object)
			if ok && at == path {
				found = o
			}
			for name, child := range o {
				walk(at+"."+name, child)
			}
			if list, ok := v.([]any); ok {
				for n, child := range list {
					walk(fmt.Sprintf("%s[%d]", at, n), child)
				}
			}
		}
		walk("", tree)
	}
	return found
}

// TestTamperStatement: the type beside the predicate is part of what is checked.
func TestTamperStatement(t *testing.T) {
	for name, b := range builds() {
		payload := edit(t, mustNew(t, b), func(s object) { s["_type"] = "https://in-toto.io/Statement/v0.1" })
		if m := Check(mustParse(t, payload), expected(b)); len(m) != 1 || m[0].Field != "_type" {
			t.Errorf("%s: got %v", name, m)
		}
	}
}

// TestAbsentMember: what lacks is called absent.
func TestAbsentMember(t *testing.T) {
	payload := edit(t, mustNew(t, github()), func(s object) { delete(in(s["predicate"].(object), ".runDetails.metadata"), "invocationId") })
	m := Check(mustParse(t, payload), expected(github()))
	if len(m) != 1 || m[0].Field != "runDetails.metadata.invocationId" || m[0].Got != Absent || m[0].Want != github().InvocationID() {
		t.Errorf("got %v", m)
	}
}

// TestSplice takes every single value of another true predicate: what a job of
// one repository writes about another.
func TestSplice(t *testing.T) {
	other := github()
	other.Repository, other.RepositoryID, other.OwnerID, other.Owner = "evil/twin", "99", "98", "evil"
	other.Ref, other.Commit, other.Event, other.RunnerEnvironment = "refs/heads/main", strings.Repeat("e", 40), "release", "self-hosted"
	other.WorkflowRef = "evil/twin/.github/workflows/evil.yml@refs/heads/main"
	other.JobWorkflowRef, other.RunID = other.WorkflowRef, "666"
	s := mustParse(t, mustNew(t, github()))
	mismatches := Check(s, Expected{Certificate: certificateOf(other), Artifacts: expected(other).Artifacts})
	want := []string{
		"buildDefinition.externalParameters.workflow.path",
		"buildDefinition.externalParameters.workflow.ref",
		"buildDefinition.externalParameters.workflow.repository",
		"buildDefinition.internalParameters.github.event_name",
		"buildDefinition.internalParameters.github.repository_id",
		"buildDefinition.internalParameters.github.repository_owner_id",
		"buildDefinition.internalParameters.github.runner_environment",
		"buildDefinition.resolvedDependencies[0].digest.gitCommit",
		"buildDefinition.resolvedDependencies[0].uri",
		"runDetails.builder.id",
		"runDetails.metadata.invocationId",
	}
	var got []string
	for _, m := range mismatches {
		got = append(got, m.Field)
		if m.Against != AgainstCertificate || m.Got == m.Want {
			t.Errorf("%v", m)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if text := mismatches[2].Error(); text != `buildDefinition.externalParameters.workflow.repository: got "https://github.com/acme/file-tools", want "https://github.com/evil/twin" as the certificate says` {
		t.Error(text)
	}
}

// TestEachExtension: a certificate that says something else, or nothing, in an
// extension that the predicate has, never agrees.
func TestEachExtension(t *testing.T) {
	// unused are those that no predicate has; who signs is seal.Identity's.
	unused := map[string]bool{"SAN": true, "BuildSignerDigest": true, "BuildConfigDigest": true, "SourceOwnerURI": true, "Visibility": true}
	for name, b := range builds() {
		s := mustParse(t, mustNew(t, b))
		kind := reflect.TypeFor[seal.Certificate]()
		for n := range kind.NumField() {
			field := kind.Field(n).Name
			if unused[field] || field == "BuildSignerURI" && b.Platform == GitLab {
				continue
			}
			for _, value := range []string{"", "x", "https://github.com/x/y"} {
				e := Expected{Certificate: certificateOf(b), Artifacts: expected(b).Artifacts}
				reflect.ValueOf(&e.Certificate).Elem().Field(n).SetString(value)
				if len(Check(s, e)) == 0 {
					t.Errorf("%s: %s = %q passes", name, field, value)
				}
			}
		}
	}
}

// TestNothingEqualsNothing: an empty member is not what an absent extension says.
func TestNothingEqualsNothing(t *testing.T) {
	e := expected(github())
	e.Certificate.SourceRepositoryID, e.Manifest = "", nil
	payload := edit(t, mustNew(t, github()), func(s object) {
		in(s["predicate"].(object), ".buildDefinition.internalParameters.github")["repository_id"] = ""
	})
	if m := Check(mustParse(t, payload), e); len(m) != 1 || m[0].Field != "source repository identifier" {
		t.Errorf("got %v", m)
	}
	// A workflow without a ref has no path, either.
	e = expected(github())
	e.Certificate.BuildConfigURI, e.Manifest = "https://github.com/acme/file-tools", nil
	payload = edit(t, mustNew(t, github()), func(s object) {
		in(s["predicate"].(object), ".buildDefinition.externalParameters.workflow")["path"] = ""
	})
	if m := Check(mustParse(t, payload), e); len(m) != 1 || m[0].Field != "build config URI" {
		t.Errorf("got %v", m)
	}
}

// TestBuildTypeOfAnotherEvent: neither type may stand for the other's events.
func TestBuildTypeOfAnotherEvent(t *testing.T) {
	for _, event := range []string{"push", "pull_request"} {
		b := github()
		b.Event = event
		for _, buildType := range []string{BuildTypeGitHub, BuildTypeGitHubEvent, BuildTypeGitLab} {
			payload := edit(t, mustNew(t, b), func(s object) { in(s["predicate"].(object), ".buildDefinition")["buildType"] = buildType })
			if got, want := refused(payload, expected(b)), buildType != BuildTypeOf(b); got != want {
				t.Errorf("%s as %s: refused is %t, want %t", event, buildType, got, want)
			}
		}
	}
}

// TestIssuers: an issuer speaks for the repositories of its own server only.
func TestIssuers(t *testing.T) {
	for _, c := range []struct {
		issuer, repository string
		want               Platform
	}{
		{seal.GitHubIssuer, "https://github.com/a/b", GitHub},
		{seal.GitLabIssuer, "https://gitlab.com/a/b", GitLab},
		{"https://token.actions.acme.ghe.com", "https://acme.ghe.com/a/b", GitHub},
		{"https://git.acme.example/_services/token", "https://git.acme.example/a/b", GitHub},
		{"https://git.acme.example", "https://git.acme.example/a/b", GitLab},
		{"", "", ""},
		{"", "https://github.com/a/b", ""},
		{"https://github.com", "https://github.com/a/b", ""},
		{seal.GitHubIssuer, "https://gitlab.com/a/b", ""},
		{seal.GitHubIssuer, "https://github.com.evil.example/a/b", ""},
		{seal.GitHubIssuer, "http://github.com/a/b", ""},
		{seal.GitLabIssuer, "https://github.com/a/b", ""},
		{"https://token.actions.evil.ghe.com", "https://acme.ghe.com/a/b", ""},
		{"https://token.actions.acme.ghe.com", "https://github.com/a/b", ""},
		{"https://agent.buildkite.com", "https://github.com/a/b", ""},
		{"https://accounts.google.com", "", ""},
	} {
		if got := issuerPlatform(seal.Certificate{Issuer: c.issuer, SourceRepositoryURI: c.repository}); got != c.want {
			t.Errorf("%s for %s: got %q, want %q", c.issuer, c.repository, got, c.want)
		}
	}
	// Every value of the predicate is the certificate's, and yet it is no
	// GitHub run: another system's issuer has the same extensions.
	e := expected(github())
	e.Certificate.Issuer = "https://agent.buildkite.com"
	if m := Check(mustParse(t, mustNew(t, github())), e); len(m) != 1 || m[0].Field != "buildDefinition.buildType" {
		t.Errorf("got %v", m)
	}
}

func TestGitLabRunner(t *testing.T) {
	b := gitlab()
	for id, want := range map[string]bool{
		b.SourceRepo() + "/-/runners/1":                        true,
		b.SourceRepo() + "/-/runners/NUMBER":                   false,
		b.SourceRepo() + "/-/runners/":                         false,
		b.SourceRepo() + "/-/runners/1/x":                      false,
		"https://gitlab.com/acme/tools/other/-/runners/1":      false,
		"https://gitlab.com/acme/tools/file-tools2/-/runners/": false,
	} {
		e := expected(b)
		e.Manifest.BuilderID = id
		payload := edit(t, mustNew(t, b), func(s object) { in(s["predicate"].(object), ".runDetails.builder")["id"] = id })
		if got := !refused(payload, e); got != want {
			t.Errorf("%s: passes is %t, want %t", id, got, want)
		}
	}
}

func TestManifest(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*seal.Provenance)
		want   string // the field that differs, "" for none
	}{
		"nothing stated":           {func(p *seal.Provenance) { *p = seal.Provenance{} }, ""},
		"another repository":       {func(p *seal.Provenance) { p.SourceRepo = "https://github.com/acme/other" }, "source_repo"},
		"another host":             {func(p *seal.Provenance) { p.SourceRepo = "https://gitlab.com/acme/file-tools" }, "source_repo"},
		"a clone's URL":            {func(p *seal.Provenance) { p.SourceRepo = "https://github.com/Acme/File-Tools.git" }, ""},
		"another commit":           {func(p *seal.Provenance) { p.Commit = strings.Repeat("0", 40) }, "commit"},
		"a short commit":           {func(p *seal.Provenance) { p.Commit = commit[:7] }, "commit"},
		"another builder":          {func(p *seal.Provenance) { p.BuilderID += "x" }, "builder_id"},
		"another system":           {func(p *seal.Provenance) { p.BuildSystem = "gitlab-ci" }, "build_system"},
		"another workflow":         {func(p *seal.Provenance) { p.BuildWorkflow = ".github/workflows/x.yml" }, "build_workflow"},
		"a branch beside a tag":    {func(p *seal.Provenance) { p.Branch = "main" }, ""},
		"what is checked at large": {func(p *seal.Provenance) { p.SLSALevel = new(3) }, ""},
	} {
		e := expected(github())
		c.change(e.Manifest)
		m := Check(mustParse(t, mustNew(t, github())), e)
		if c.want == "" && len(m) > 0 || c.want != "" && (len(m) != 1 || m[0].Field != c.want || m[0].Against != AgainstManifest) {
			t.Errorf("%s: got %v, want %q", name, m, c.want)
		}
	}
	for branch, want := range map[string]bool{"main": true, "Main": false, "dev": false, "refs/heads/main": false} {
		e := expected(gitlab())
		e.Manifest.Branch = branch
		if got := len(Check(mustParse(t, mustNew(t, gitlab())), e)) == 0; got != want {
			t.Errorf("branch %q of %s: agrees is %t, want %t", branch, gitlab().Ref, got, want)
		}
	}
	b := github()
	b.Event, b.Ref = "pull_request", "refs/pull/7/merge"
	e := expected(b)
	e.Manifest.Branch = "main"
	if m := Check(mustParse(t, mustNew(t, b)), e); len(m) != 1 || m[0].Field != "branch" {
		t.Errorf("a pull request as main: got %v", m)
	}
}

func TestArtifacts(t *testing.T) {
	sum := digest.SHA512.FromString("file-tools-1.2.3.tgz")
	other := digest.FromString("other")
	s := mustParse(t, mustNew(t, github()))
	for _, c := range []struct {
		want []digest.Digest
		n    int
	}{
		{[]digest.Digest{artifact}, 0},
		{[]digest.Digest{artifact, artifact}, 0},
		{nil, 1},
		{[]digest.Digest{other}, 1},
		{[]digest.Digest{artifact, other, ""}, 2},
		{[]digest.Digest{sum}, 1},
		{[]digest.Digest{digest.Digest(strings.ToUpper(string(artifact)))}, 1},
		{[]digest.Digest{digest.Digest("sha512:" + artifact.Encoded())}, 1},
	} {
		e := expected(github())
		e.Artifacts = c.want
		m := Check(s, e)
		if len(m) != c.n || c.n > 0 && (m[0].Field != "subject" || m[0].Against != AgainstArtifact) {
			t.Errorf("%v: got %v, want %d", c.want, m, c.n)
		}
	}
}

// TestForeign: another builder's provenance is neither accepted nor called a lie.
func TestForeign(t *testing.T) {
	const builder = "https://github.com/slsa-framework/slsa-github-generator/.github/workflows/builder_go_slsa3.yml@refs/tags/v2.1.0"
	for name, payload := range map[string][]byte{
		"v1":   []byte(`{"_type":"https://in-toto.io/Statement/v1","subject":[{"name":"a","digest":{"sha256":"` + artifact.Encoded() + `"}}],"predicateType":"https://slsa.dev/provenance/v1","predicate":{"buildDefinition":{"buildType":"https://example.com/other/v1","externalParameters":{"x":1},"resolvedDependencies":[{"uri":"pkg:docker/x"},{"uri":"git+https://github.com/acme/file-tools@refs/tags/v1.2.3","digest":{"gitCommit":"` + commit + `"}},{"uri":"git+https://github.com/acme/lib@refs/tags/v9","digest":{"sha1":"` + strings.Repeat("9", 40) + `"}}]},"runDetails":{"builder":{"id":"` + builder + `"}}}}`),
		"v0.2": []byte(`{"_type":"https://in-toto.io/Statement/v0.1","subject":[{"name":"a","digest":{"sha256":"` + artifact.Encoded() + `"}}],"predicateType":"https://slsa.dev/provenance/v0.2","predicate":{"builder":{"id":"` + builder + `"},"buildType":"https://actions.github.io/buildtypes/workflow/v1","materials":[{"uri":"git+https://github.com/acme/file-tools@refs/tags/v1.2.3","digest":{"sha1":"` + commit + `"}},{"uri":"https://example.com/x"}]}}`),
	} {
		s := mustParse(t, payload)
		e := expected(github())
		m := Check(s, e)
		if !s.Foreign() || len(m) != 1 || !errors.Is(m[0], ErrForeignBuilder) || !strings.Contains(m[0].Error(), "another builder") {
			t.Errorf("%s: got %v", name, m)
		}
		e.Artifacts = []digest.Digest{digest.FromString("other")}
		if m := Check(s, e); len(m) != 2 {
			t.Errorf("%s: another artifact: got %v", name, m)
		}
		manifest := &seal.Provenance{SourceRepo: "https://github.com/acme/file-tools", Commit: commit, BuilderID: builder}
		for _, c := range []struct {
			what     string
			builder  string
			manifest *seal.Provenance
			artifact digest.Digest
			want     string
		}{
			{"all of it", builder, manifest, artifact, ""},
			{"no manifest", builder, nil, artifact, ""},
			{"short version", strings.Replace(builder, "refs/tags/", "", 1), manifest, artifact, ""},
			{"no version", builder[:strings.Index(builder, "@")], manifest, artifact, ""},
			{"another version", strings.Replace(builder, "v2.1.0", "v2.0.0", 1), manifest, artifact, "runDetails.builder.id"},
			{"another builder", "https://github.com/actions/runner", manifest, artifact, "runDetails.builder.id"},
			{"another builder of that version", strings.Replace(builder, "go_slsa3", "x_slsa3", 1), manifest, artifact, "runDetails.builder.id"},
			{"no builder", "", manifest, artifact, "runDetails.builder.id"},
			{"another artifact", builder, manifest, digest.FromString("other"), "subject"},
			{"a dependency as the source", builder, &seal.Provenance{SourceRepo: "https://github.com/acme/lib", Commit: strings.Repeat("9", 40)}, artifact, "source_repo"},
			{"another commit", builder, &seal.Provenance{SourceRepo: "https://github.com/acme/file-tools", Commit: strings.Repeat("9", 40)}, artifact, "commit"},
			{"another builder in the manifest", builder, &seal.Provenance{BuilderID: "x"}, artifact, "builder_id"},
		} {
			m := CheckForeign(s, c.builder, c.manifest, []digest.Digest{c.artifact})
			if c.want == "" && m != nil || c.want != "" && !slices.ContainsFunc(m, func(m Mismatch) bool { return m.Field == c.want }) {
				t.Errorf("%s: %s: got %v, want %q", name, c.what, m, c.want)
			}
		}
	}
}

// TestMismatchesAreBounded: a stranger's predicate cannot fill a log.
func TestMismatchesAreBounded(t *testing.T) {
	payload := edit(t, mustNew(t, github()), func(s object) {
		p := s["predicate"].(object)
		for n := range 5000 {
			p[fmt.Sprint("x", n)] = strings.Repeat("é", 1000)
		}
		p[strings.Repeat("\x1b", 1000)] = []any{1.0}
	})
	m := Check(mustParse(t, payload), expected(github()))
	if len(m) != maxMismatches || !strings.Contains(m[len(m)-1].Field, "(and 4901 more)") {
		t.Errorf("got %d, the last of which is %q", len(m), m[len(m)-1].Field)
	}
	for _, one := range m {
		if len(one.Got) > maxShown+4 || len(one.Field) > 500 || strings.ContainsRune(one.Field, '\x1b') {
			t.Errorf("got %d bytes in %q", len(one.Got), one.Field)
		}
	}
}
