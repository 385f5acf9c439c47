package provenance

import (
	"regexp"
	"strings"

	"github.com/mcp-integrity/seal-action/seal"
)

// ResourceURI is the package URL of a (https://github.com/package-url/purl-spec):
// pkg:npm, pkg:pypi and pkg:cargo for packages of those registries, pkg:oci for
// images by their digest with the place that they are in, and pkg:generic for
// everything that no registry names. A consumer writes it by hand: it has the
// version and nothing that must be looked up, but for an image's digest.
func ResourceURI(a seal.Artifact) string {
	switch a.Type {
	case seal.NPM:
		return purl("npm", strings.ToLower(a.Identifier), a.Version)
	case seal.PyPI:
		// PEP 503: any run of these is one hyphen.
		return purl("pypi", pypiRuns.ReplaceAllString(strings.ToLower(a.Identifier), "-"), a.Version)
	case seal.Crate:
		return purl("cargo", a.Identifier, a.Version)
	case seal.Docker:
		return image(a)
	}
	return purl("generic", a.Identifier, a.Version)
}

var pypiRuns = regexp.MustCompile(`[-_.]+`)

// image is an OCI purl: its name is the last part of the repository, its version
// the digest; registry and path go into a qualifier, and so does the tag.
func image(a seal.Artifact) string {
	repository := strings.ToLower(strings.Trim(a.Identifier, "/"))
	uri := purl("oci", repository[strings.LastIndex(repository, "/")+1:], string(a.Digest))
	separator := "?"
	if strings.Contains(repository, "/") {
		uri += "?repository_url=" + escape(repository, ":")
		separator = "&"
	}
	if a.Version != "" {
		uri += separator + "tag=" + escape(a.Version, ":")
	}
	return uri
}

// purl joins the parts. All but the last segment of name is its namespace.
func purl(kind, name, version string) string {
	var segments []string
	for segment := range strings.SplitSeq(name, "/") {
		if segment != "" {
			segments = append(segments, escape(segment, ":"))
		}
	}
	uri := "pkg:" + kind + "/" + strings.Join(segments, "/")
	if version != "" {
		uri += "@" + escape(version, ":")
	}
	return uri
}

// escape percent-encodes whatever is neither unreserved in RFC 3986 §2.3 nor in
// keep: no character that is left has a meaning in any part of a URI.
func escape(s, keep string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9',
			strings.IndexByte("-._~", c) >= 0, strings.IndexByte(keep, c) >= 0:
			b.WriteByte(c)
		default:
			b.Write([]byte{'%', hex[c>>4], hex[c&15]})
		}
	}
	return b.String()
}
