package publish

import (
	"fmt"
	"strings"
)

// opener makes a place of what stands behind its name's colon, "" where nothing
// does. An error is wrong use.
type opener func(rest string, env Env) (Place, error)

// places are all kinds, by what a target begins with.
var places = map[string]opener{
	"dir":                 openDir,
	"well-known":          openWellKnown,
	"https://":            openWeb,
	"http://":             openPlainWeb,
	"github-release":      openGitHubRelease,
	"github-attestations": openGitHubAttestations,
	"gitlab-release":      openGitLabRelease,
	"gitlab-packages":     openGitLabPackages,
	"oci://":              openOCI,
	"mcp-registry":        openMCPRegistry,
	"package":             openPackage,
	"registry":            openRegistry,
}

// Open makes a place of a target as people write it:
//
//	dir:PATH                            a directory
//	well-known:DIR                      a static host's directory
//	https://HOST/….json                 the same, as the host serves it (a source only)
//	github-release[:OWNER/NAME][@TAG]   a release of this or another repository
//	github-attestations[:OWNER/NAME]    the attestation store
//	gitlab-release[:GROUP/NAME][@TAG]   a release of this or another project
//	gitlab-packages[:GROUP/NAME]        its generic packages
//	oci://REFERENCE                     an image's referrers
//	mcp-registry[:URL][@NAME]           an MCP registry (default: the official one)
//	package:DIR                         a package's root, before its archive exists
//	registry:URL[@NAMESPACE/NAME]       MIS's own /v0/servers/<id>/integrity
//
// An error is wrong use; nothing is asked of the place.
func Open(target string, env Env) (Place, error) {
	if env.Stem == "" {
		env.Stem = DefaultStem
	}
	for name, open := range places {
		rest, ok := strings.CutPrefix(target, name)
		switch {
		case !ok:
		case strings.HasSuffix(name, "//"), rest == "":
			return open(rest, env)
		case rest[0] == ':':
			return open(rest[1:], env)
		case rest[0] == '@':
			return open(rest, env)
		}
	}
	return nil, fmt.Errorf("target %.200q: want dir:PATH, well-known:DIR, github-release, github-attestations, gitlab-release, gitlab-packages, oci://REFERENCE, mcp-registry, package:DIR or registry:URL", target)
}

// Known says that a name is a target, and neither a file nor a URL.
func Known(target string) bool {
	for name := range places {
		if name == "https://" || name == "http://" {
			continue
		}
		if rest, ok := strings.CutPrefix(target, name); ok && (rest == "" || strings.HasSuffix(name, "//") || rest[0] == ':' || rest[0] == '@') {
			return true
		}
	}
	return false
}

// KeepsHistory says that a place is where the releases before this one are kept.
// A package's root, made anew for each build, and a store of statements are not:
// that they have none says nothing of whether there was one.
func KeepsHistory(p Place) bool {
	switch p.(type) {
	case *packageRoot, *githubAttestations:
		return false
	}
	return true
}
