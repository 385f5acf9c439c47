package provenance

import "slices"

// The build types; buildtypes.md describes ours.
const (
	// BuildTypeGitHub is GitHub's own, for the events that it allows.
	BuildTypeGitHub = "https://actions.github.io/buildtypes/workflow/v1"
	// BuildTypeGitHubEvent is for runs on GitHub that other events start.
	BuildTypeGitHubEvent = "https://mcp-integrity.org/buildtypes/github-event/v1"
	// BuildTypeGitLab is for jobs of GitLab CI/CD.
	BuildTypeGitLab = "https://mcp-integrity.org/buildtypes/gitlab-ci/v1"
)

// workflowEvents are the events that GitHub's build type allows, and no other:
// "This build type MUST NOT be used for any other event type".
var workflowEvents = []string{"create", "push", "release", "workflow_dispatch"}

// BuildTypeOf is the build type that describes b, "" where b has no platform.
func BuildTypeOf(b Build) string { return b.facts().buildType() }

func (f facts) buildType() string {
	switch {
	case f.platform == GitHub && slices.Contains(workflowEvents, f.trigger):
		return BuildTypeGitHub
	case f.platform == GitHub:
		return BuildTypeGitHubEvent
	case f.platform == GitLab:
		return BuildTypeGitLab
	}
	return ""
}

// platformOf is the platform that a build type of ours belongs to, "" for
// another builder's.
func platformOf(buildType string) Platform {
	switch buildType {
	case BuildTypeGitHub, BuildTypeGitHubEvent:
		return GitHub
	case BuildTypeGitLab:
		return GitLab
	}
	return ""
}

type object = map[string]any

// predicate is the whole SLSA v1 predicate of f: a tree of objects, arrays and
// strings. Numbers of the platform are strings in it, as readers of protobuf
// round them. No time stands in it: the token has none of the build's, and the
// signature has its own.
func (f facts) predicate() object {
	external, internal := f.parameters()
	return object{
		"buildDefinition": object{
			"buildType":          f.buildType(),
			"externalParameters": external,
			"internalParameters": internal,
			"resolvedDependencies": []any{object{
				"uri":    "git+" + f.source + "@" + f.ref,
				"digest": object{"gitCommit": f.commit},
			}},
		},
		"runDetails": object{
			"builder":  object{"id": f.builder},
			"metadata": object{"invocationId": f.invocation},
		},
	}
}

func (f facts) parameters() (external, internal object) {
	if f.platform == GitLab {
		external = object{"source": f.source, "ref": f.ref, "entryPoint": f.path(), "configRef": f.config}
		return external, object{"gitlab": object{
			"pipeline_source":    f.trigger,
			"project_id":         f.sourceID,
			"namespace_id":       f.ownerID,
			"runner_environment": f.runner,
		}}
	}
	external = object{"workflow": object{"ref": f.ref, "repository": f.source, "path": f.path()}}
	if f.buildType() == BuildTypeGitHubEvent {
		external["configRef"] = f.config
	}
	return external, object{"github": object{
		"event_name":          f.trigger,
		"repository_id":       f.sourceID,
		"repository_owner_id": f.ownerID,
		"runner_environment":  f.runner,
	}}
}
