package provenance

import (
	"net/url"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/mcp-integrity/seal-action/seal"
)

func TestResourceURI(t *testing.T) {
	sum := digest.FromString("x")
	for _, c := range []struct {
		a    seal.Artifact
		want string
	}{
		{seal.Artifact{Type: seal.NPM, Identifier: "file-tools", Version: "1.2.3"}, "pkg:npm/file-tools@1.2.3"},
		{seal.Artifact{Type: seal.NPM, Identifier: "@acme/file-tools", Version: "1.2.3-rc.1+b5"}, "pkg:npm/%40acme/file-tools@1.2.3-rc.1%2Bb5"},
		{seal.Artifact{Type: seal.NPM, Identifier: "@MyScope/MyPackage", Version: "1.0.0"}, "pkg:npm/%40myscope/mypackage@1.0.0"},
		{seal.Artifact{Type: seal.NPM, Identifier: "x"}, "pkg:npm/x"},
		{seal.Artifact{Type: seal.PyPI, Identifier: "My.PyPI_.--._Package", Version: "1.11.1.dev1"}, "pkg:pypi/my-pypi-package@1.11.1.dev1"},
		{seal.Artifact{Type: seal.PyPI, Identifier: "x", Version: "1!2.0"}, "pkg:pypi/x@1%212.0"},
		{seal.Artifact{Type: seal.Crate, Identifier: "Rand_core", Version: "0.7.2"}, "pkg:cargo/Rand_core@0.7.2"},
		{seal.Artifact{Type: seal.Docker, Identifier: "ghcr.io/Acme/tools", Version: "v1.2.3", Digest: sum},
			"pkg:oci/tools@" + string(sum) + "?repository_url=ghcr.io%2Facme%2Ftools&tag=v1.2.3"},
		{seal.Artifact{Type: seal.Docker, Identifier: "localhost:5000/tools", Digest: sum},
			"pkg:oci/tools@" + string(sum) + "?repository_url=localhost:5000%2Ftools"},
		{seal.Artifact{Type: seal.Docker, Identifier: "tools", Version: "1", Digest: sum}, "pkg:oci/tools@" + string(sum) + "?tag=1"},
		{seal.Artifact{Type: seal.Binary, Identifier: "github.com/acme/tools/cmd/x", Version: "v1.2.3"}, "pkg:generic/github.com/acme/tools/cmd/x@v1.2.3"},
		{seal.Artifact{Type: seal.MCPB, Identifier: "my tools?#%", Version: "1"}, "pkg:generic/my%20tools%3F%23%25@1"},
		{seal.Artifact{Type: seal.Wasm, Identifier: "öl", Version: ""}, "pkg:generic/%C3%B6l"},
		{seal.Artifact{Type: seal.Source, Identifier: "//a///b/", Version: "é"}, "pkg:generic/a/b@%C3%A9"},
	} {
		if got := ResourceURI(c.a); got != c.want {
			t.Errorf("%s %s: got %s, want %s", c.a.Type, c.a.Identifier, got, c.want)
		}
	}
}

func release() Target {
	return Target{Kind: GitHubRelease, Server: "https://github.com", Repository: "acme/file-tools", Tag: "v1.2.3", Name: "mcp-integrity.provenance.sigstore.json"}
}

func TestAttestationURI(t *testing.T) {
	const hub, lab = "https://github.com", "https://gitlab.com"
	sum := digest.FromString("x")
	for want, target := range map[string]Target{
		"https://github.com/acme/file-tools/releases/download/v1.2.3/mcp-integrity.provenance.sigstore.json": release(),
		"https://github.com/acme/file-tools/releases/download/tools%2Fv1.2.3%2B5/a%2Bb.json":                 {Kind: GitHubRelease, Server: hub, Repository: "acme/file-tools", Tag: "tools/v1.2.3+5", Name: "a+b.json"},
		"https://github.com/acme/file-tools/releases/download/%40acme%2Fx%401.2.3/p.json":                    {Kind: GitHubRelease, Server: hub, Repository: "acme/file-tools", Tag: "@acme/x@1.2.3", Name: "p.json"},
		"https://github.com/acme/file-tools/releases/download/%C3%B6%25%3F%23/p.json":                        {Kind: GitHubRelease, Server: hub, Repository: "acme/file-tools", Tag: "ö%?#", Name: "p.json"},
		"https://api.github.com/repos/acme/file-tools/attestations/" + string(sum):                           {Kind: GitHubAttestations, Server: hub, Repository: "acme/file-tools", Digest: sum},
		"https://api.acme.ghe.com/repos/acme/file-tools/attestations/" + string(sum):                         {Kind: GitHubAttestations, Server: "https://acme.ghe.com", Repository: "acme/file-tools", Digest: sum},
		"https://gitlab.com/acme/tools/x/-/releases/v1.2.3/downloads/p.json":                                 {Kind: GitLabRelease, Server: lab, Repository: "acme/tools/x", Tag: "v1.2.3", Name: "p.json"},
		"https://gitlab.com/api/v4/projects/acme%2Ftools%2Fx/packages/generic/seal/1.2.3/p.json":             {Kind: GitLabPackage, Server: lab, Repository: "acme/tools/x", Package: "seal", Tag: "1.2.3", Name: "p.json"},
		"https://git.acme.example/gitlab/api/v4/projects/acme%2Fx/packages/generic/seal/1.2.3/p.json":        {Kind: GitLabPackage, Server: "https://git.acme.example/gitlab", Repository: "acme/x", Package: "seal", Tag: "1.2.3", Name: "p.json"},
		"oci://ghcr.io/acme/file-tools@" + string(sum):                                                       {Kind: OCI, Repository: "ghcr.io/acme/file-tools", Digest: sum},
		"oci://localhost:5000/x@" + string(digest.SHA512.FromString("x")):                                    {Kind: OCI, Repository: "localhost:5000/x", Digest: digest.SHA512.FromString("x")},
		"https://git.acme.example:8443/acme/x/releases/download/v1/p.json":                                   {Kind: GitHubRelease, Server: "https://git.acme.example:8443", Repository: "acme/x", Tag: "v1", Name: "p.json"},
	} {
		got, err := AttestationURI(target)
		if err != nil || got != want {
			t.Errorf("got %q, %v, want %q", got, err, want)
		}
		if _, err := url.Parse(got); err != nil {
			t.Error(err)
		}
	}
}

func TestAttestationURIRefused(t *testing.T) {
	sum := digest.FromString("x")
	with := func(change func(*Target)) Target {
		target := release()
		change(&target)
		return target
	}
	for _, c := range []struct {
		target Target
		want   string
	}{
		{Target{}, "want one of"},
		{with(func(t *Target) { t.Server = "http://github.com" }), "server"},
		{with(func(t *Target) { t.Server = "https://me:pw@github.com" }), "server"},
		{with(func(t *Target) { t.Server = "https://github.com/" }), "server"},
		{with(func(t *Target) { t.Repository = "acme" }), "repository"},
		{with(func(t *Target) { t.Repository = "acme/../x" }), "repository"},
		{with(func(t *Target) { t.Repository = "acme/x?y" }), "repository"},
		{with(func(t *Target) { t.Tag = "" }), "tag: it is empty"},
		{with(func(t *Target) { t.Tag = "a/../b" }), "tag"},
		{with(func(t *Target) { t.Tag = ".." }), "tag"},
		{with(func(t *Target) { t.Tag = "a\r\nb" }), "tag"},
		{with(func(t *Target) { t.Name = "" }), "file name"},
		{with(func(t *Target) { t.Name = "a b.json" }), "file name"},
		{with(func(t *Target) { t.Name = ".hidden" }), "file name"},
		{with(func(t *Target) { t.Name = "a/b" }), "file name"},
		{with(func(t *Target) { t.Name = strings.Repeat("x", 256) }), "file name"},
		{with(func(t *Target) { t.Kind = GitLabPackage }), "package"},
		{Target{Kind: GitHubAttestations, Server: "https://github.com", Repository: "a/b"}, "digest"},
		{Target{Kind: GitHubAttestations, Server: "https://github.com", Repository: "a/b", Digest: digest.SHA512.FromString("x")}, "want a sha256"},
		{Target{Kind: GitHubAttestations, Server: "https://git.acme.example", Repository: "a/b", Digest: sum}, "keep no attestations"},
		{Target{Kind: OCI, Repository: "acme/tools", Digest: "sha256:x"}, "digest"},
		{Target{Kind: OCI, Repository: "ghcr.io/Acme/tools", Digest: sum}, "repository"},
		{Target{Kind: OCI, Repository: "ghcr.io", Digest: sum}, "repository"},
		{Target{Kind: OCI, Repository: "ghcr.io/acme/tools:v1", Digest: sum}, "repository"},
	} {
		if got, err := AttestationURI(c.target); err == nil || got != "" || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: got %q and %v, want an error with %q", c.target, got, err, c.want)
		}
	}
}

// FuzzURIs: what is escaped comes back, and nothing in it ends a part of a URI.
func FuzzURIs(f *testing.F) {
	f.Add("@acme/x", "1.2.3+a", "tools/v1.2.3")
	f.Add("%2e%2e", "?#", "é\x00")
	f.Fuzz(func(t *testing.T, name, version, tag string) {
		for _, kind := range seal.ArtifactTypes {
			uri := ResourceURI(seal.Artifact{Type: kind, Identifier: name, Version: version, Digest: digest.FromString("x")})
			if strings.ContainsAny(uri, " \"<>\\^`{|}#\x00\n") || strings.Count(uri, "@") > 1 {
				t.Errorf("%q %q: got %q", name, version, uri)
			}
		}
		target := release()
		target.Tag = tag
		got, err := AttestationURI(target)
		if err != nil {
			return
		}
		u, err := url.Parse(got)
		if err != nil || u.RawQuery != "" || u.Fragment != "" || u.Host != "github.com" ||
			u.Path != "/acme/file-tools/releases/download/"+tag+"/mcp-integrity.provenance.sigstore.json" {
			t.Errorf("%q: got %q, %v", tag, got, err)
		}
	})
}
