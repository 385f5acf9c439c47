package doctor

import (
	"context"
	"errors"
	"fmt"

	"github.com/mcp-integrity/seal-action/internal/platform"
	"github.com/mcp-integrity/seal-action/provenance"
)

// sigstoreAudience is whom a token is for that signs.
const sigstoreAudience = "sigstore"

func (e *examination) ci() bool { return e.Kind == platform.GitHub || e.Kind == platform.GitLab }

// identity looks for a token, and takes the facts from it.
func (e *examination) identity(ctx context.Context) {
	switch {
	case e.Identity == nil && e.Key:
		e.found("token", OK, "none, and none is needed: the key signs", "")
	case e.Identity == nil && e.Kind == platform.Desk:
		e.found("token", OK, "none at a desk: the local key signs, for this machine alone", "mcp-integrity keygen makes a key that others can check")
	case e.Identity == nil:
		e.notToken(e.NoIdentity)
	case e.ci():
		e.readFacts(ctx)
	default:
		e.readToken(ctx)
	}
}

func (e *examination) readFacts(ctx context.Context) {
	facts, err := e.Identity.Facts(ctx)
	if err != nil {
		e.notToken(err)
		return
	}
	e.facts, e.known = facts, true
	e.found("token", OK, fmt.Sprintf("the identity token verifies: %s at %s, commit %s", facts.SourceRepo(), facts.Ref, facts.Commit), "")
}

// readToken looks at a token that no platform made.
func (e *examination) readToken(ctx context.Context) {
	if _, err := e.Identity.Token(ctx, sigstoreAudience); err != nil {
		e.notToken(err)
		return
	}
	e.found("token", OK, "there is an identity token for Sigstore, which no platform vouches for", "")
}

// notToken says why there is none to use. An outage may pass, and a mistake in
// the job will not.
func (e *examination) notToken(err error) {
	if err == nil {
		err = platform.ErrNoToken
	}
	status, hint := Fail, ""
	if t, ok := errors.AsType[*platform.TokenError](err); ok {
		hint = t.Hint
	}
	passing := errors.Is(err, platform.ErrOutage) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
	switch {
	case passing:
		status = Unknown
	case e.Key:
		status = Warn // the key signs; the token would have proved the build
	}
	e.found("token", status, err.Error(), hint)
}

// build judges what the facts say. Where a platform should have said them, and
// did not, the checks are there, and unknown; a desk has none.
func (e *examination) build(s Signing) {
	if !e.known {
		if e.ci() && !e.Key {
			for _, name := range [...]string{"event", "runner"} {
				e.found(name, Unknown, "only the identity token would say", "")
			}
		}
		e.visibility(s)
		e.level()
		return
	}
	e.event()
	e.runner()
	e.visibility(s)
	e.level()
}

func (e *examination) event() {
	switch provenance.BuildTypeOf(e.facts) {
	case provenance.BuildTypeGitHub:
		e.found("event", OK, fmt.Sprintf("%q is an event of GitHub's own build type", e.facts.Event), "")
	case provenance.BuildTypeGitHubEvent:
		e.found("event", Warn, fmt.Sprintf("%q is no event of GitHub's own build type: the provenance will have ours, %s, which other verifiers may not know", e.facts.Event, provenance.BuildTypeGitHubEvent),
			"seal on: push, release, create or workflow_dispatch")
	default:
		e.found("event", OK, fmt.Sprintf("%q, described by our build type %s", e.facts.Event, provenance.BuildTypeOf(e.facts)), "")
	}
}

func (e *examination) runner() {
	if provenance.SituationOf(e.facts).Hosted {
		e.found("runner", OK, "the platform hosts it ("+e.facts.RunnerEnvironment+")", "")
		return
	}
	hint := "runs-on: ubuntu-latest"
	if e.facts.Platform == provenance.GitLab {
		hint = "tags: [saas-linux-small-amd64] on gitlab.com"
	}
	e.found("runner", Warn, fmt.Sprintf("neither GitHub nor GitLab hosts it (%s, of %s): verifiers ask for --allow-self-hosted", e.facts.RunnerEnvironment, e.facts.ServerURL), hint)
}

// visibility tells whether signing would tell the world more than it knows.
func (e *examination) visibility(s Signing) {
	switch {
	case !e.known && !s.Public:
		if e.ci() && !e.Key {
			e.found("visibility", Unknown, "only the identity token would say", "")
		}
	case !e.known && e.ci():
		e.found("visibility", Unknown, "signing is public, and only the identity token would say whether the repository is", "")
	case !e.known && e.Identity != nil:
		e.found("visibility", Warn, "signing is public: whom the identity token names, an e-mail address perhaps, will stand in a log for ever", "--key FILE signs without a log")
	case !e.known:
	case e.facts.Visibility == "public":
		e.found("visibility", OK, "the repository is public", "")
	case !s.Public:
		e.found("visibility", OK, fmt.Sprintf("the repository is %s, and nothing of it reaches a public log", e.facts.Visibility), "")
	case e.AllowPublicLog:
		e.found("visibility", Warn, fmt.Sprintf("the repository is %s, and the name %s will stand in a public log for ever, as --allow-public-log says", e.facts.Visibility, e.facts.Repository), "")
	default:
		e.found("visibility", Fail, fmt.Sprintf("the repository is %s, and the name %s would stand in a public log for ever", e.facts.Visibility, e.facts.Repository),
			"--signing-config FILE names another Sigstore, --key FILE signs without a log, --allow-public-log permits it")
	}
}

// level says what the situation warrants at most; a lower one is no fault, but
// the third trust level of MIS §15 needs 2.
func (e *examination) level() {
	if !e.known && e.ci() && !e.Key {
		e.found("level", Unknown, "only the identity token would say", "")
		return
	}
	s := provenance.SituationOf(e.facts)
	s.BuiltHere = !e.BuiltElsewhere
	level, reason := provenance.Warranted(s)
	detail := fmt.Sprintf("SLSA Build level %d at most: %s", level, reason)
	if e.ci() && !e.known {
		detail = "SLSA Build level 0: a key alone says nothing of the build"
	}
	if level < 2 && e.ci() {
		e.found("level", Warn, detail, "")
		return
	}
	e.found("level", OK, detail, "")
}
