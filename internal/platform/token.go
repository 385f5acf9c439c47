package platform

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/mcp-integrity/seal-action/provenance"
)

// The variables by which a job gets identity tokens. Whoever reads one of the
// first three can sign as this job.
const (
	requestURLVariable   = "ACTIONS_ID_TOKEN_REQUEST_URL"
	requestTokenVariable = "ACTIONS_ID_TOKEN_REQUEST_TOKEN"
	idTokenVariable      = "SIGSTORE_ID_TOKEN"
)

// sigstoreAudience is whom a signing token is for: Fulcio's client ID at every
// instance that takes tokens of CI jobs. On GitLab it is the only audience
// there is, so the facts are read from that token, too.
const sigstoreAudience = "sigstore"

// readAudience is for the token that is only read. No service takes a token
// for nobody, so it can sign nothing; GitHub's own attest action asks for the
// same one.
const readAudience = "nobody"

// TokenOptions are the effects of a [TokenSource].
type TokenOptions struct {
	// Transport sends the requests. Nil is Go's own, with the proxy and the
	// certificate authorities of the environment (HTTPS_PROXY, SSL_CERT_FILE).
	// Where one is given, as by tests, an issuer may be on this machine without
	// TLS; otherwise it is reached over https only.
	Transport http.RoundTripper
	// Commands must lead to the runner that reads workflow commands, and to
	// nothing else: on GitHub each token is masked by a line there. It is
	// required on GitHub and not used elsewhere (GitLab masks its tokens
	// itself). Nobody may have sent a stop-commands there.
	Commands io.Writer
	// Notify gets a line when a service does not answer and is asked again, for
	// the person who waits. It holds no secret. Nil: nobody is told.
	Notify func(line string)
	// Patience is how long one service that does not answer is asked again;
	// zero is three minutes.
	Patience time.Duration
	// Now is the clock; nil is the real one.
	Now func() time.Time
	// Wait returns after d, or with ctx's error. Nil is a timer that adds up to
	// a quarter, so that the jobs of one outage do not come back all at once.
	Wait func(ctx context.Context, d time.Duration) error
}

func (o TokenOptions) orDefaults() TokenOptions {
	if o.Notify == nil {
		o.Notify = func(string) {}
	}
	if o.Patience == 0 {
		o.Patience = defaultPatience
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Wait == nil {
		o.Wait = wait
	}
	return o
}

// A TokenSource is where this job's identity tokens come from. Its methods may
// be called from several goroutines.
type TokenSource struct {
	kind   Kind
	getenv func(string) string
	opts   TokenOptions
	// transport is opts.Transport or the default.
	transport http.RoundTripper
	// requestURL and requestToken are GitHub's; idToken is everybody else's.
	requestURL, requestToken, idToken string
}

// Tokens returns the source of identity tokens that the environment names, or
// an error with Kind [ErrNoToken] whose hint tells how to get one. It asks
// nobody for anything: by rule 1 of the house the tool server runs, and is
// gone, before [TokenSource.Token] or [TokenSource.Facts] is called.
func Tokens(getenv func(string) string, o TokenOptions) (*TokenSource, error) {
	s := &TokenSource{kind: kindOf(getenv), getenv: getenv, opts: o.orDefaults(), transport: o.Transport}
	if s.transport == nil {
		s.transport = defaultTransport()
	}
	if s.kind != GitHub {
		if s.idToken = strings.TrimSpace(getenv(idTokenVariable)); s.idToken == "" {
			return nil, noToken(s.kind)
		}
		return s, nil
	}
	s.requestURL, s.requestToken = getenv(requestURLVariable), getenv(requestTokenVariable)
	if s.requestURL == "" || s.requestToken == "" {
		return nil, noToken(s.kind)
	}
	return s, nil
}

func noToken(kind Kind) error {
	e := &TokenError{Kind: ErrNoToken}
	switch kind {
	case GitHub:
		e.Err = fmt.Errorf("the job has no right to an identity token: %s is not set", requestURLVariable)
		e.Hint = hintPermission
	case GitLab:
		e.Err = fmt.Errorf("the job has no identity token: %s is not set", idTokenVariable)
		e.Hint = hintIDTokens
	default:
		e.Err = fmt.Errorf("there is no identity token here: %s is not set", idTokenVariable)
		e.Hint = "sign in a GitHub or GitLab job, or with --key FILE"
	}
	return e
}

const (
	hintPermission = "permissions: {id-token: write} on the job, or on the job that calls this workflow; a pull request of a fork never gets it"
	hintIDTokens   = "id_tokens: {SIGSTORE_ID_TOKEN: {aud: sigstore}} on the job"
)

// ClaimedVisibility is what a token that is at hand says of its repository:
// "public", "private" or "internal", "" where it says nothing or is still to be
// asked for. It is not verified, which is enough to keep a name out of a public
// log when the variables that would say so are not to be believed.
func (s *TokenSource) ClaimedVisibility() string {
	c, err := look(s.idToken)
	if err != nil {
		return ""
	}
	for _, name := range []string{"repository_visibility", "project_visibility"} {
		if v, err := c.scalar(name); err == nil {
			return v
		}
	}
	return ""
}

// Platform is the kind of place that the tokens come from.
func (s *TokenSource) Platform() Kind { return s.kind }

// Token returns an identity token for audience, such as "sigstore". On GitHub
// a new one is asked for, over minutes if need be, and masked before it is
// returned; elsewhere there is the one of the environment, which cannot be
// renewed. It is a JWT of the right audience that has not expired, as far as
// can be seen without a key: the signature is the business of who accepts it.
//
// Errors are [TokenError]s, or ctx's; none holds any part of a token.
func (s *TokenSource) Token(ctx context.Context, audience string) (string, error) {
	token, from, err := s.take(ctx, audience)
	if err != nil {
		return "", err
	}
	c, err := look(token)
	if err != nil {
		return "", refusedf("%s: %w", from, err)
	}
	if err := c.checkAudience(audience); err != nil {
		return "", s.withHint(refusedf("%s: %w", from, err))
	}
	if err := c.checkTimes(s.opts.Now()); err != nil {
		return "", s.withHint(refusedf("%s: %w", from, err))
	}
	return token, nil
}

// take gets a token from its place, unread, and says which place that is.
func (s *TokenSource) take(ctx context.Context, audience string) (token, from string, err error) {
	if s.kind != GitHub {
		return s.idToken, idTokenVariable, ctx.Err()
	}
	token, err = s.requestGitHub(ctx, audience)
	return token, "the token of GitHub's token service", err
}

// Facts returns what the platform's issuer says of this build: the claims of a
// token that was verified against the issuer's published keys, and never an
// environment variable, which any step could have set. The environment is
// compared with it, since the manifest's own facts came from there, and a
// difference is an error of Kind [ErrContradiction] that names both.
//
// Where no platform vouches for builds (a desk, another CI, a GitHub server
// that no Sigstore knows) the error's Kind is [ErrNoFacts].
func (s *TokenSource) Facts(ctx context.Context) (provenance.Build, error) {
	switch s.kind {
	case GitHub:
		return s.factsOfGitHub(ctx)
	case GitLab:
		return s.factsOfGitLab(ctx)
	}
	return provenance.Build{}, &TokenError{
		Kind: ErrNoFacts,
		Err:  fmt.Errorf("a token that was made outside GitHub Actions and GitLab CI says nothing of a build"),
		Hint: "--built-elsewhere",
	}
}

// agreement is one thing that a variable and a claim both say.
type agreement struct {
	variable, claim string
	// fold compares without regard to case, as the platform does for names.
	fold bool
}

// compare holds the environment against verified claims. A variable that is
// not set says nothing, and contradicts nothing.
func (s *TokenSource) compare(c claims, want []agreement) error {
	for _, a := range want {
		env := s.getenv(a.variable)
		claim, err := c.scalar(a.claim)
		if env == "" || err != nil {
			continue // a claim that the facts need was found missing already
		}
		if env == claim || a.fold && strings.EqualFold(env, claim) {
			continue
		}
		return &TokenError{
			Kind: ErrContradiction,
			Err:  fmt.Errorf("%s is %.200q, but the verified identity token's %s is %.200q", a.variable, env, a.claim, claim),
			Hint: s.contradictionHint(),
		}
	}
	return nil
}

func (s *TokenSource) contradictionHint() string {
	if s.kind == GitLab && strings.HasPrefix(s.getenv("CI_PIPELINE_SOURCE"), "merge_request") {
		return "a merge request of a fork has the fork's identity: seal in a pipeline of the branch or tag"
	}
	return "do not set the platform's own variables in the job"
}

// Withhold takes the variables that sign as this job out of the environment,
// by unset, and returns a getenv that still knows them. A program calls it
// first in main, with [os.Getenv] and [os.Unsetenv]: what it starts afterwards
// cannot inherit them by mistake. What it cannot do stands in the package
// comment.
func Withhold(getenv func(string) string, unset func(string) error) (func(string) string, error) {
	held := map[string]string{}
	for _, name := range credentials {
		if held[name] = getenv(name); held[name] == "" {
			continue
		}
		if err := unset(name); err != nil {
			return nil, fmt.Errorf("take %s out of the environment: %w", name, err)
		}
	}
	return func(name string) string {
		if slices.Contains(credentials, name) {
			return held[name]
		}
		return getenv(name)
	}, nil
}

// credentials are the variables by which a stranger could act as this job: its
// identity, and the runner's token for caches, artifacts and results.
var credentials = []string{requestURLVariable, requestTokenVariable, idTokenVariable, "ACTIONS_RUNTIME_TOKEN"}

// Exposed says whether what signs as this job has been in the environment from
// the start, a token itself or the right to ask for one: whatever else runs in
// the job as the same user, or as root, may have read it from a process that
// had it before us.
func Exposed(getenv func(string) string) bool {
	return getenv(idTokenVariable) != "" || getenv(requestTokenVariable) != ""
}
