package platform

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mcp-integrity/seal-action/provenance"
)

var githubBuildWant = provenance.Build{
	Platform: provenance.GitHub, ServerURL: "https://github.com", Repository: "Octo-Org/octo-repo",
	RepositoryID: "74", OwnerID: "65", Owner: "Octo-Org", Ref: "refs/tags/v1.2.3", Commit: sha1Hash,
	WorkflowRef:    "Octo-Org/octo-repo/.github/workflows/my release.yml@refs/tags/v1.2.3",
	JobWorkflowRef: "Octo-Org/ci/.github/workflows/build.yml@refs/tags/v4",
	Event:          "push", RunnerEnvironment: "github-hosted", RunID: "30433642", RunAttempt: "2", Visibility: "public",
}

var gitlabBuildWant = provenance.Build{
	Platform: provenance.GitLab, ServerURL: gitlabURL, Repository: "group/sub/x", RepositoryID: "20",
	OwnerID: "72", Owner: "group/sub", Ref: "refs/heads/main", Commit: sha1Hash,
	WorkflowRef: "gitlab.com/group/sub/x//.gitlab-ci.yml@refs/heads/main",
	Event:       "push", RunnerEnvironment: "gitlab-hosted", JobID: "302", RunnerID: "12270835", Visibility: "private",
}

// subject stands for any artifact: provenance must take the facts as they are.
var subject = []provenance.Subject{{Name: "a", Digest: map[string]string{"sha256": strings.Repeat("a", 64)}}}

func TestFacts(t *testing.T) {
	for _, tt := range []struct {
		name   string
		job    env
		claims object // nil: GitHub's
		want   func(b *provenance.Build)
		base   provenance.Build
	}{
		{"GitHub", githubJob, nil, nil, githubBuildWant},
		{"GitHub, bare environment", env{"GITHUB_ACTIONS": "true", "GITHUB_SERVER_URL": "https://github.com/", requestURLVariable: requestURL, requestTokenVariable: requestSecret},
			nil, nil, githubBuildWant},
		{"GitHub, tenant", githubJob.with(env{"GITHUB_SERVER_URL": "https://ACME.ghe.com"}), with(githubClaims("nobody"), object{"iss": tenantURL}),
			func(b *provenance.Build) { b.ServerURL = "https://acme.ghe.com" }, githubBuildWant},
		{"GitHub, self-hosted and private", githubJob, with(githubClaims("nobody"), object{"runner_environment": "self-hosted", "repository_visibility": "internal"}),
			func(b *provenance.Build) { b.RunnerEnvironment, b.Visibility = "self-hosted", "internal" }, githubBuildWant},
		{"GitHub, a minute late", githubJob, with(githubClaims("nobody"), object{"exp": epoch.Add(-leeway).Unix()}), nil, githubBuildWant},
		{"GitHub, a minute early", githubJob, with(githubClaims("nobody"), object{"iat": epoch.Add(leeway).Unix()}), nil, githubBuildWant},
		{"GitHub, audience in a list", githubJob, with(githubClaims("nobody"), object{"aud": []string{"x", "nobody"}}), nil, githubBuildWant},
		{"GitLab", gitlabJob, gitlabClaims(), nil, gitlabBuildWant},
		{"GitLab, tag", gitlabJob.with(env{"CI_COMMIT_REF_NAME": "v1"}), with(gitlabClaims(), object{"ref": "v1", "ref_type": "tag"}),
			func(b *provenance.Build) { b.Ref = "refs/tags/v1" }, gitlabBuildWant},
		// Fulcio's template knows branches, and takes all else for tags.
		{"GitLab, neither branch nor tag", gitlabJob, with(gitlabClaims(), object{"ref_type": "merge_request"}),
			func(b *provenance.Build) { b.Ref = "refs/tags/main" }, gitlabBuildWant},
		{"GitLab, self-managed under a path", gitlabJob.with(env{"CI_SERVER_URL": "https://git.acme.com/gitlab/"}), with(gitlabClaims(), object{"iss": "https://git.acme.com/gitlab"}),
			func(b *provenance.Build) { b.ServerURL = "https://git.acme.com/gitlab" }, gitlabBuildWant},
		{"GitLab, the runner's number as text", gitlabJob, with(gitlabClaims(), object{"runner_id": "12270835"}), nil, gitlabBuildWant},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			w.answer = underPath("/gitlab")
			if tt.job["GITLAB_CI"] != "" {
				tt.job = tt.job.with(env{idTokenVariable: signed(tt.claims)})
			} else if tt.claims != nil {
				w.token = func(string) string { return signed(tt.claims) }
			}
			got, err := w.tokensOf(tt.job).Facts(t.Context())
			w.wantNoSecrets(err)
			if err != nil {
				t.Fatal(err)
			}
			want := tt.base
			if tt.want != nil {
				tt.want(&want)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if _, err := provenance.New(got, subject); err != nil {
				t.Errorf("provenance refuses the facts: %v", err)
			}
		})
	}
}

// underPath serves an issuer whose URL has a path.
func underPath(prefix string) func(int, http.ResponseWriter, *http.Request) bool {
	return func(_ int, w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != prefix+"/.well-known/openid-configuration" {
			return false
		}
		w.Header().Set("Content-Type", "application/json")
		w.Write(asJSON(object{"issuer": "https://" + r.Host + prefix, "jwks_uri": "https://" + r.Host + "/jwks"}))
		return true
	}
}

// The token that is read is one that can sign nothing.
func TestFactsAskForNobodysToken(t *testing.T) {
	w := newWorld(t)
	var asked []string
	w.token = func(audience string) string {
		asked = append(asked, audience)
		return signed(githubClaims(audience))
	}
	if _, err := w.tokensOf(githubJob).Facts(t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"nobody"}, asked); diff != "" {
		t.Errorf("audiences (-want +got):\n%s", diff)
	}
	if !strings.Contains(w.commands.String(), "::add-mask::"+w.tokens[len(w.tokens)-1]) {
		t.Error("the token was not masked")
	}
}

func TestFactsOfTwoKeys(t *testing.T) {
	w := newWorld(t)
	w.jwks["k2"] = keys()[1]
	w.token = func(audience string) string {
		return jwt(keys()[1], object{"alg": "RS256", "kid": "k2"}, asJSON(githubClaims(audience)))
	}
	if _, err := w.tokensOf(githubJob).Facts(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestFactsOfABadToken(t *testing.T) {
	good := githubClaims("nobody")
	other := keys()[1]
	twice := strings.Replace(string(asJSON(good)), `{`, `{"Repository":"evil/evil","repository":"evil/evil",`, 1)
	spelt := strings.TrimSuffix(string(asJSON(with(good, object{"iss": "https://evil.example"}))), "}") + `,"Iss":"` + githubURL + `"}`
	for _, tt := range []struct{ name, token, text string }{
		{"alg none", b64(asJSON(object{"alg": "none"})) + "." + b64(asJSON(good)) + "." + b64([]byte("x")), "algorithm"},
		{"HS256 by the public key", hs256(good), "algorithm"},
		{"RS512 in the header", jwt(keys()[0], object{"alg": "RS512", "kid": "k1"}, asJSON(good)), "algorithm"},
		{"another key by the same name", jwt(other, rs256, asJSON(good)), "signature"},
		{"unknown key", jwt(other, object{"alg": "RS256", "kid": "k9"}, asJSON(good)), "signature"},
		{"known key by another name", jwt(keys()[0], object{"alg": "RS256", "kid": "k9"}, asJSON(good)), "signature"},
		{"key in the header", jwt(other, object{"alg": "RS256", "jwk": object{"kty": "RSA", "n": b64(other.N.Bytes()), "e": "AQAB"}}, asJSON(good)), "signature"},
		{"critical header", jwt(keys()[0], object{"alg": "RS256", "kid": "k1", "crit": []string{"x"}, "x": 1}, asJSON(good)), "signature"},
		{"payload changed", swapPayload(signed(good), with(good, object{"repository": "evil/evil"})), "signature"},
		{"another issuer", signed(with(good, object{"iss": "https://evil.example"})), `expected "` + githubURL + `" got "https://evil.example"`},
		{"issuer with a slash", signed(with(good, object{"iss": githubURL + "/"})), "expected"},
		{"an enterprise's own issuer", signed(with(good, object{"iss": githubURL + "/acme"})), "expected"},
		{"no issuer", signed(with(good, object{"iss": nil})), "expected"},
		{"issuer in other letters", signed(with(good, object{"iss": nil, "ISS": githubURL})), "issuer: got"},
		{"issuer in two spellings", jwt(keys()[0], rs256, []byte(spelt)), "issuer: got"},
		{"for signing", signed(with(good, object{"aud": "sigstore"})), `it is for another audience: got "sigstore", want "nobody"`},
		{"expired", signed(with(good, object{"exp": epoch.Add(-2 * time.Minute).Unix()})), "expired"},
		{"of the future", signed(with(good, object{"nbf": epoch.Add(2 * time.Minute).Unix()})), "not yet valid"},
		{"a claim twice", jwt(keys()[0], rs256, []byte(twice)), "no strict JSON"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			// None of these is a matter of patience, but for what is no JWT.
			w.token = func(string) string { return tt.token }
			_, err := w.tokensOf(githubJob).Facts(t.Context())
			kind := ErrRefused
			if tt.name == "a claim twice" {
				kind = ErrOutage // the token service sent no JWT, for as long as it was asked
			} else if len(w.waits) != 0 {
				t.Errorf("waited %v, want no waits", w.waits)
			}
			w.wantError(err, kind, tt.text)
		})
	}
}

func swapPayload(token string, claims object) string {
	parts := strings.Split(token, ".")
	return parts[0] + "." + b64(asJSON(claims)) + "." + parts[2]
}

// Every claim that is used is needed, and has a form.
func TestFactsOfClaims(t *testing.T) {
	github := []string{"repository", "repository_id", "repository_owner", "repository_owner_id", "repository_visibility", "ref", "sha",
		"workflow_ref", "job_workflow_ref", "event_name", "runner_environment", "run_id", "run_attempt"}
	gitlab := []string{"project_path", "project_id", "namespace_id", "namespace_path", "ref", "ref_type", "sha", "ci_config_ref_uri",
		"pipeline_source", "runner_environment", "job_id", "runner_id", "project_visibility"}
	facts := func(job env, claims object) (*world, error) {
		w := newWorld(t)
		w.token = func(string) string { return signed(claims) }
		if job["GITLAB_CI"] != "" {
			job = job.with(env{idTokenVariable: signed(claims)})
		}
		b, err := w.tokensOf(job).Facts(t.Context())
		if err != nil && b != (provenance.Build{}) {
			t.Errorf("facts %+v beside error %v", b, err)
		}
		return w, err
	}
	for _, platform := range []struct {
		job    env
		claims object
		names  []string
	}{{githubJob, githubClaims("nobody"), github}, {gitlabJob, gitlabClaims(), gitlab}} {
		for _, name := range platform.names {
			w, err := facts(platform.job, with(platform.claims, object{name: nil}))
			w.wantError(err, ErrRefused, `it has no claim "`+name+`"`)
			for _, bad := range []any{"", "a\nb", "a\u202eb/c@d", strings.Repeat("a", 2000), true, 1.5, -1, []string{"a"}, object{"a": "b"}} {
				w, err := facts(platform.job, with(platform.claims, object{name: bad}))
				w.wantError(err, ErrRefused, `claim "`+name+`" is `)
			}
		}
	}
	claims := gitlabClaims()
	claims["ci_config_ref_uri"] = object(nil) // null
	w, err := facts(gitlabJob, claims)
	w.wantError(err, ErrRefused, `it has no claim "ci_config_ref_uri"`)
}

func TestFactsAgainstTheEnvironment(t *testing.T) {
	for _, tt := range []struct{ name, variable, value, claim string }{
		{"GitHub", "GITHUB_REPOSITORY", "evil/evil", "repository"},
		{"GitHub", "GITHUB_REPOSITORY_ID", "7", "repository_id"},
		{"GitHub", "GITHUB_REPOSITORY_OWNER_ID", "7", "repository_owner_id"},
		{"GitHub", "GITHUB_SHA", strings.Repeat("0", 40), "sha"},
		{"GitHub", "GITHUB_REF", "refs/tags/v1.2.4", "ref"},
		{"GitHub", "GITHUB_WORKFLOW_REF", "Octo-Org/octo-repo/.github/workflows/x.yml@refs/tags/v1.2.3", "workflow_ref"},
		{"GitHub", "GITHUB_EVENT_NAME", "release", "event_name"},
		{"GitHub", "GITHUB_RUN_ID", "1", "run_id"},
		{"GitHub", "GITHUB_RUN_ATTEMPT", "1", "run_attempt"},
		{"GitLab", "CI_PROJECT_PATH", "group/sub/y", "project_path"},
		{"GitLab", "CI_PROJECT_ID", "21", "project_id"},
		{"GitLab", "CI_COMMIT_SHA", strings.Repeat("0", 40), "sha"},
		{"GitLab", "CI_COMMIT_REF_NAME", "Main", "ref"},
		{"GitLab", "CI_PIPELINE_SOURCE", "merge_request_event", "pipeline_source"},
		{"GitLab", "CI_PIPELINE_ID", "1", "pipeline_id"},
		{"GitLab", "CI_JOB_ID", "1", "job_id"},
		{"GitLab", "CI_RUNNER_ID", "1", "runner_id"},
	} {
		t.Run(tt.variable, func(t *testing.T) {
			job := githubJob
			if tt.name == "GitLab" {
				job = gitlabJob.with(env{idTokenVariable: signed(gitlabClaims())})
			}
			w := newWorld(t)
			_, err := w.tokensOf(job.with(env{tt.variable: tt.value})).Facts(t.Context())
			w.wantError(err, ErrContradiction, tt.variable+" is \""+tt.value+`", but the verified identity token's `+tt.claim+" is ")
			if hintOf(err) == "" {
				t.Error("there is no hint")
			}
		})
	}
}

func TestFactsWhereThereAreNone(t *testing.T) {
	token := env{idTokenVariable: signed(gitlabClaims())}
	for _, tt := range []struct {
		name string
		job  env
		text string
	}{
		{"desk", token, "outside GitHub Actions and GitLab CI"},
		{"another CI", token.with(env{"CI": "true"}), "outside GitHub Actions and GitLab CI"},
		{"GitHub Enterprise Server", githubJob.with(env{"GITHUB_SERVER_URL": "https://github.acme.com"}), `GITHUB_SERVER_URL is "https://github.acme.com"`},
		{"no server", githubJob.with(env{"GITHUB_SERVER_URL": ""}), `GITHUB_SERVER_URL is ""`},
		{"a tenant's look-alike", githubJob.with(env{"GITHUB_SERVER_URL": "https://evil.example#.ghe.com"}), "GITHUB_SERVER_URL is"},
		{"a tenant's name in another's", githubJob.with(env{"GITHUB_SERVER_URL": "https://acme.ghe.com.evil.example"}), "GITHUB_SERVER_URL is"},
		{"a tenant of a tenant", githubJob.with(env{"GITHUB_SERVER_URL": "https://a.b.ghe.com"}), "GITHUB_SERVER_URL is"},
		{"GitHub without TLS", githubJob.with(env{"GITHUB_SERVER_URL": "http://github.com"}), "GITHUB_SERVER_URL is"},
		{"GitLab without TLS", gitlabJob.with(token).with(env{"CI_SERVER_URL": "http://gitlab.com"}), "CI_SERVER_URL"},
		{"GitLab with a user", gitlabJob.with(token).with(env{"CI_SERVER_URL": "https://user:pw@gitlab.com"}), "CI_SERVER_URL"},
		{"GitLab with a query", gitlabJob.with(token).with(env{"CI_SERVER_URL": "https://gitlab.com?x"}), "CI_SERVER_URL"},
		{"no GitLab", gitlabJob.with(token).with(env{"CI_SERVER_URL": ""}), "CI_SERVER_URL"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			_, err := w.tokensOf(tt.job).Facts(t.Context())
			w.wantError(err, ErrNoFacts, tt.text)
			if len(w.count) != 0 {
				t.Errorf("requests %v, want none", w.count)
			}
		})
	}
}
