package provenance

import (
	"strings"

	"github.com/mcp-integrity/seal-action/seal"
	"github.com/mcp-integrity/seal-action/seal/strictjson"
)

// certificate compares the whole predicate with what c makes of it.
func (f *findings) certificate(s *Statement, c seal.Certificate) {
	differs := func(field, got, want string) {
		f.add(Mismatch{Field: field, Got: got, Want: want, Against: AgainstCertificate})
	}
	want := factsOf(c)
	if want.platform == "" {
		differs("buildDefinition.buildType", show(s.buildType), "none: "+show(c.Issuer)+" is no issuer for "+show(c.SourceRepositoryURI))
		return
	}
	if name := want.lacking(); name != "" {
		differs(name, Absent, "an extension to compare the predicate with")
		return
	}
	if want.platform == GitLab {
		// The certificate does not have the runner's number, so the predicate's
		// is taken, where it is one.
		want.builder = s.builderID
		if n, ok := strings.CutPrefix(s.builderID, want.source+runnerPath); !ok || !numberForm.MatchString(n) {
			differs("runDetails.builder.id", show(s.builderID), want.source+runnerPath+"NUMBER")
		}
	}
	if s.Type != StatementType {
		differs("_type", show(s.Type), StatementType)
	}
	var got any
	if err := strictjson.DecodeOpen(s.Predicate, &got); err != nil {
		differs("predicate", err.Error(), "JSON") // Parse has refused it
		return
	}
	compare("", got, want.predicate(), differs)
}

// factsOf is what c says of the build whose job held its key. It has no
// platform where c's issuer does not speak for c's repository.
func factsOf(c seal.Certificate) facts {
	return facts{
		platform: issuerPlatform(c), source: c.SourceRepositoryURI, sourceID: c.SourceRepositoryID, ownerID: c.SourceOwnerID,
		ref: c.SourceRef, commit: c.SourceCommit, config: c.BuildConfigURI, signer: c.BuildSignerURI,
		trigger: c.BuildTrigger, runner: c.RunnerEnvironment, builder: c.BuildSignerURI, invocation: c.RunInvocationURI,
	}
}

// lacking names the first extension that a comparison needs and that the
// certificate does not have: nothing would equal nothing.
func (f facts) lacking() string {
	for _, e := range []struct{ name, value string }{
		{"source repository", f.source}, {"source repository identifier", f.sourceID},
		{"source repository owner identifier", f.ownerID}, {"source repository ref", f.ref},
		{"source repository digest", f.commit}, {"build config URI", f.path()}, {"build trigger", f.trigger},
		{"runner environment", f.runner}, {"build signer URI", f.builder}, {"run invocation URI", f.invocation},
	} {
		if e.value == "" {
			return e.name
		}
	}
	return ""
}

// issuerPlatform is the platform whose tokens c's issuer makes, where that
// issuer is the one of the server that holds c's repository: github.com,
// GitHub's tenants and one's own GitHub server, gitlab.com and one's own
// GitLab. Fulcio has issuers of other systems, which fill the same extensions.
func issuerPlatform(c seal.Certificate) Platform {
	home := server(c.SourceRepositoryURI)
	host := strings.TrimPrefix(home, "https://")
	switch {
	case home == "":
		return ""
	case c.Issuer == seal.GitHubIssuer && home == "https://github.com",
		strings.HasSuffix(host, ".ghe.com") && c.Issuer == "https://token.actions."+host,
		c.Issuer == home+"/_services/token":
		return GitHub
	case c.Issuer == home && home != "https://github.com":
		return GitLab
	}
	return ""
}
