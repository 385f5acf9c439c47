package scan

import (
	"encoding/hex"
	"net/url"
	"strings"
)

// Target is something that a report says its tool looked at.
type Target struct {
	Name   string `json:"name,omitzero"`
	Digest string `json:"digest,omitzero"` // "sha256:" and hex
}

// Naming says whether a report names an artifact.
type Naming string

// What [Report.Names] returns. Contradicted is for reports that identify what they
// are about (trivy and grype do, for images): they are about something else.
const (
	Named        Naming = "named"
	Unnamed      Naming = "unnamed"
	Contradicted Naming = "contradicted"
)

// Names reports whether the report names the artifact with any of the given
// SHA-256 digests, in hex with or without "sha256:". An image has several: of its
// index, of the manifest for a platform, and of its configuration; a caller that
// knows them gives them all, since a report may name just one.
func (r Report) Names(digests ...string) Naming {
	for _, d := range digests {
		if sum := sha256Of(d); sum != "" && r.named[sum] {
			return Named
		}
	}
	if r.identity {
		return Contradicted
	}
	return Unnamed
}

// sha256Of returns the 64 lower-case digits in "sha256:…", "name@sha256:…" or
// bare hex, and nothing for any other text.
func sha256Of(text string) string {
	_, after, ok := strings.Cut(text, "@")
	if ok {
		text = after
	}
	sum := strings.ToLower(strings.TrimPrefix(text, "sha256:"))
	if raw, err := hex.DecodeString(sum); err != nil || len(raw) != 32 {
		return ""
	}
	return sum
}

// target notes that the tool looked at name, whose digest is as sha256Of takes
// it, or is not known. whole says that it is the digest of the whole artifact.
func (r *reader) target(name, digest string, whole bool) {
	t := Target{Name: publicName(name)}
	if sum := sha256Of(digest); sum != "" {
		t.Digest = "sha256:" + sum
		r.identity = r.identity || whole
		if r.named == nil {
			r.named = map[string]bool{}
		}
		if len(r.named) < maxDigests {
			r.named[sum] = true
		}
	}
	if t == (Target{}) || r.seen[t] {
		return
	}
	if len(r.seen) < maxItems {
		r.seen[t] = true
	}
	r.TargetsTotal++
	if len(r.Targets) < maxTargets {
		r.Targets = append(r.Targets, t)
	}
}

// publicName is what a public statement may say of a name: a path on the machine
// of the scan can name its user, and a URL or a command line can hold a password.
// A name with characters that cannot be seen is left out.
func publicName(name string) string {
	name, _, _ = strings.Cut(strings.TrimSpace(name), "@sha256:")
	word, _, more := strings.Cut(name, " ")
	switch u, err := url.Parse(word); {
	case absolute(name):
		// A path with a space, or a command by its path: which, nobody knows.
		if name = lastElement(name); more {
			name = ""
		}
	case err == nil && u.Host != "":
		u.User, u.RawQuery, u.ForceQuery, u.Fragment, u.RawFragment = nil, "", false, "", ""
		name = u.String()
	case strings.Contains(word, "://"):
		name = "" // no URL that can be read
	default:
		name = withoutUser(word)
	}
	if printable(name, maxTargetName) != nil {
		return ""
	}
	return name
}

// absolute says whether name is an absolute path, of Unix or Windows, or one from
// somebody's home.
func absolute(name string) bool {
	if len(name) > 2 && name[1] == ':' && (name[2] == '\\' || name[2] == '/') {
		return true
	}
	return strings.HasPrefix(name, "file:") || name != "" && strings.Contains(`/\~`, name[:1])
}

func lastElement(path string) string {
	path = strings.TrimRight(path, `/\`)
	return path[strings.LastIndexAny(path, `/\`)+1:]
}

// withoutUser cuts "user:password@" from a location without scheme. Before the @
// of a package's scope or version there is no colon, or a path.
func withoutUser(name string) string {
	if i := strings.LastIndexByte(name, '@'); i > 0 && strings.Contains(name[:i], ":") && !strings.Contains(name[:i], "/") {
		return name[i+1:]
	}
	return name
}
