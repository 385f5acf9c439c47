package provenance

import (
	"strings"
	"time"

	"github.com/mcp-integrity/seal-action/seal/strictjson"
)

// BuildSystem is the platform that s was built on, by its name in MIS §12.2: as
// the build type says, and for another builder's as the host of the builder's id
// does. It is "" for a platform that is not known here.
func (s *Statement) BuildSystem() string {
	if name := buildSystems[platformOf(s.buildType)]; name != "" {
		return name
	}
	for host, platform := range map[string]Platform{"https://github.com/": GitHub, "https://gitlab.com/": GitLab} {
		if strings.HasPrefix(s.builderID, host) {
			return buildSystems[platform]
		}
	}
	return ""
}

// BuiltAt is when the build ended, or began where that is all it says: the
// builder's word in the predicate's metadata
// (https://slsa.dev/spec/v1.1/provenance#BuildMetadata, and that of v0.2). It is
// zero where the predicate does not say, or says what is no RFC 3339 time.
func (s *Statement) BuiltAt() time.Time {
	var p struct {
		Run struct {
			Metadata struct {
				Started  string `json:"startedOn"`
				Finished string `json:"finishedOn"`
			} `json:"metadata"`
		} `json:"runDetails"`
		Metadata struct {
			Started  string `json:"buildStartedOn"`
			Finished string `json:"buildFinishedOn"`
		} `json:"metadata"`
	}
	if err := strictjson.DecodeOpen(s.Predicate, &p); err != nil {
		return time.Time{} // metadata is not required, nor is its form
	}
	for _, text := range []string{p.Run.Metadata.Finished, p.Metadata.Finished, p.Run.Metadata.Started, p.Metadata.Started} {
		if at, err := time.Parse(time.RFC3339, text); err == nil {
			return at.UTC()
		}
	}
	return time.Time{}
}
