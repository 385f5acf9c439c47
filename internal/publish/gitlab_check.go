package publish

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// gitlabDeveloper is the role that uploads packages and makes releases
// (docs.gitlab.com/user/permissions; docs.gitlab.com/api/access_requests, Valid access levels).
const gitlabDeveloper = 30

// gitlabProject is what a project says of the one who asks.
type gitlabProject struct {
	Permissions struct {
		Project gitlabAccess `json:"project_access"`
		Group   gitlabAccess `json:"group_access"`
	} `json:"permissions"`
	Packages string `json:"package_registry_access_level"`
	Releases string `json:"releases_access_level"`
	Archived bool   `json:"archived"`
}

// gitlabAccess is a membership; level 0 where there is none, or none is told.
type gitlabAccess struct {
	Level int `json:"access_level"`
}

// checkRights asks what a personal, group or project token may do. A job's token
// cannot ask this (docs.gitlab.com/ci/jobs/ci_job_token, Job token access).
func (g *gitlab) checkRights(ctx context.Context) error {
	var self struct {
		Scopes []string `json:"scopes"`
	}
	op := "look at the token's scopes"
	body, _, err := g.do(ctx, gitlabCall{op: op, method: http.MethodGet, url: g.server + "/api/v4/personal_access_tokens/self", limit: maxWhole})
	switch {
	case gitlabHasStatus(err, http.StatusUnauthorized):
		return err
	case err == nil && g.decode(op, body, &self) == nil && gitlabLacksAPI(self.Scopes):
		return &Error{Place: g.place, Op: op, Err: fmt.Errorf("got %.100q, want \"api\"", strings.Join(self.Scopes, " ")), Hint: fmt.Sprintf("make a token with scope api and role Developer for %s", g.token.variable)}
	}
	var project gitlabProject
	op = "look at the project"
	if _, err := g.ask(ctx, op, "", nil, &project); err != nil {
		return err
	}
	return g.judge(op, project)
}

// gitlabLacksAPI says that scopes allow no writing. A fine-grained token has "granular",
// and says elsewhere what it may do.
func gitlabLacksAPI(scopes []string) bool {
	return len(scopes) > 0 && !slices.Contains(scopes, "api") && !slices.Contains(scopes, "granular")
}

// judge says what of a project keeps its user from publishing.
func (g *gitlab) judge(op string, p gitlabProject) error {
	fail := func(what, hint string) error {
		return &Error{Place: g.place, Op: op, Err: errors.New(what), Hint: hint}
	}
	level := max(p.Permissions.Project.Level, p.Permissions.Group.Level)
	switch features := "Settings > General > Visibility, project features, permissions"; {
	case p.Archived:
		return fail("it is archived", "Settings > General > Advanced > Unarchive project")
	case p.Packages == "disabled":
		return fail("its package registry is off", features+" > Package registry")
	case p.Releases == "disabled" && g.tag != "":
		return fail("its releases are off", features+" > Releases")
	case level > 0 && level < gitlabDeveloper:
		return fail(fmt.Sprintf("the user of %s has access level %d, want %d", g.token.variable, level, gitlabDeveloper), "the role Developer in "+g.project+" is needed: Manage > Members")
	}
	return nil
}

// checkTag says whether there is a tag to make a release for.
func (g *gitlab) checkTag(ctx context.Context) error {
	if g.tagIsOurs {
		return nil
	}
	var tags []struct {
		Name      string `json:"name"`
		Protected bool   `json:"protected"`
	}
	op := "look for the tag"
	const page = 100
	// Job tokens may list tags, and ask for none by its name.
	_, err := g.ask(ctx, op, "/repository/tags", url.Values{"search": {"^" + g.tag}, "per_page": {"100"}}, &tags)
	if err != nil {
		return gitlabIgnore(err, http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound)
	}
	for _, t := range tags {
		if t.Name == g.tag {
			if t.Protected {
				g.notify(fmt.Sprintf("%s: the tag is protected, so its release takes the right to create it: Settings > Repository > Protected tags", g.place))
			}
			return nil
		}
	}
	if len(tags) >= page {
		return nil
	}
	return &Error{Place: g.place, Op: op, Err: fmt.Errorf("there is no tag %.100q", g.tag), Hint: fmt.Sprintf("git push origin %.100s: a release is never made with a tag of our own", g.tag)}
}

// gitlabIgnore leaves out what says only that one may not ask.
func gitlabIgnore(err error, statuses ...int) error {
	if slices.ContainsFunc(statuses, func(s int) bool { return gitlabHasStatus(err, s) }) {
		return nil
	}
	return err
}
