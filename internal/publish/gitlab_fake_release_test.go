package publish

import (
	"encoding/json"
	"net/http"
	"slices"
)

type fakeGitLabRelease struct {
	Tag      string `json:"tag_name"`
	Upcoming bool   `json:"upcoming_release,omitempty"`
	Assets   struct {
		Links []gitlabLink `json:"links"`
	} `json:"assets"`
}

func (f *fakeGitLab) release(r *http.Request, s []string, body []byte) (int, any) {
	var sent struct {
		Tag    string `json:"tag_name"`
		Assets struct {
			Links []gitlabNewLink `json:"links"`
		} `json:"assets"`
		gitlabNewLink
	}
	if r.Method == http.MethodPost {
		if err := json.Unmarshal(body, &sent); err != nil {
			return 400, gitlabSays(err.Error())
		}
	}
	tag := sent.Tag
	if len(s) > 0 {
		tag = s[0]
	}
	i := slices.IndexFunc(f.releases, func(e *fakeGitLabRelease) bool { return e.Tag == tag })
	switch {
	case len(s) == 0 && r.Method == http.MethodGet:
		list := slices.Clone(f.releases)
		// By default it sorts by released_at, which anybody sets to anything.
		if q := r.URL.Query(); q.Get("order_by") == "created_at" && q.Get("sort") != "asc" {
			slices.Reverse(list)
		}
		return 200, gitlabPageOf(list, r.URL.Query())
	case len(s) == 0:
		return f.createRelease(tag, i >= 0, sent.Assets.Links)
	case i < 0:
		return 404, gitlabSays("404 Not Found")
	case len(s) == 1:
		return 200, f.releases[i]
	}
	return f.addLink(f.releases[i], sent.gitlabNewLink)
}

func (f *fakeGitLab) createRelease(tag string, exists bool, links []gitlabNewLink) (int, any) {
	if exists {
		return 409, gitlabSays("Release already exists")
	}
	if _, ok := f.tags[tag]; !ok {
		return 422, gitlabSays("Ref is not specified")
	}
	e := &fakeGitLabRelease{Tag: tag}
	e.Assets.Links = []gitlabLink{}
	for _, l := range links {
		if status, v := f.addLink(e, l); status != 201 {
			return status, v
		}
	}
	f.releases = append(f.releases, e)
	return 201, e
}

func (f *fakeGitLab) addLink(e *fakeGitLabRelease, l gitlabNewLink) (int, any) {
	for _, o := range e.Assets.Links {
		if o.Name == l.Name || o.URL == l.URL {
			return 400, map[string]any{"message": map[string]any{"name": []string{"has already been taken"}}}
		}
	}
	direct := f.URL + "/" + gitlabTestProject + "/-/releases/" + e.Tag + "/downloads" + l.Direct
	e.Assets.Links = append(e.Assets.Links, gitlabLink{Name: l.Name, URL: l.URL, Direct: direct})
	return 201, e.Assets.Links[len(e.Assets.Links)-1]
}
