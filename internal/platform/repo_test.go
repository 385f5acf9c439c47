package platform

import (
	"net/url"
	"strings"
	"testing"
)

func TestNormalizeRepoRefuses(t *testing.T) {
	const (
		local  = "a path of one machine"
		alias  = "no host that others can reach"
		host   = "no DNS name"
		part   = "no owner's or repository's name"
		scheme = "the scheme is none of"
	)
	for _, tt := range []struct{ raw, want string }{
		{"", local},
		{".", local},
		{"/srv/git/x.git", local},
		{"../x", local},
		{"owner/name", local},
		{"./user:secret@host/x", local},
		{`C:\src\x`, alias},
		{"C:/src/x", alias},
		{`\\server\share\x`, local},
		{"file:///srv/git/x.git", local},
		{"FILE:///srv/git/x.git", local},
		{"ftp://host/x/y", scheme},
		{"javascript://host/x", scheme},
		{"git+file:///x", local},
		{"ext://sh -c x", scheme},
		{"ext::sh -c x", alias},
		{"gh:owner/name", alias},
		{"github.com-work:owner/name.git", alias},
		{"git@github:owner/name.git", alias},
		{"user:secret@github.com:owner/name", alias},
		{"user.name:secret@github.com:owner/name", part},
		{"user.name:secret@github.com/owner/name", part},
		{"git@host.com:", part},
		{"git@host.com:/", part},
		{"https://", host},
		{"https:///owner/name", host},
		{"https://user:secret@/owner/name", host},
		{"https://host.com", part},
		{"https://host.com/", part},
		{"https://host.com/.git", part},
		{"https://host.com/a//b", part},
		{"https://host.com/a/../b", part},
		{"https://host.com/a/%2e%2e/b", part},
		{"https://host.com/a%2fb/c", part},
		{"https://host.com/a%00/c", part},
		{"https://host.com/a\n/c", part},
		{"https://host.com/a%zz/c", "escapes nothing"},
		{"https://host.com/a/b@secret", part},
		{"https://host.com/a/b:secret", part},
		{"https://user:se/cret@host.com/a/b", "port"},
		{"ssh://user:se/cret@host.com/a/b", part},
		{"https://host.com:0/a/b", "port"},
		{"https://host.com:65536/a/b", "port"},
		{"https://host.com:secret/a/b", "port"},
		{"http://host.com:8080/a/b", "http with a port"},
		{"https://[::1]/a/b", "port"},
		{"https://ho st/a/b", host},
		{"https://host_x/a/b", host},
		{"https://-host/a/b", host},
		{"https://host./a/b", host},
		{"https://höst.com/a/b", host},
		{"https://" + strings.Repeat("a", 254) + "/a/b", host},
		{"https://host.com/" + strings.Repeat("a/", 30), "24 at most"},
		{"https://host.com/" + strings.Repeat("a", 256), part},
		{"https://host.com/a/" + strings.Repeat("b", 3000), "2048 at most"},
	} {
		got, err := NormalizeRepo(tt.raw)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%.80q: %q, %v, want an error with %q", tt.raw, got, err, tt.want)
			continue
		}
		if got != "" || strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "cret@") {
			t.Errorf("%q: %q, error %q", tt.raw, got, err)
		}
	}
}

func TestNormalizeRepo(t *testing.T) {
	for _, tt := range []struct{ raw, want string }{
		{"https://github.com/Acme/x", "https://github.com/Acme/x"},
		{"https://github.com/Acme/x.git", "https://github.com/Acme/x"},
		{"https://github.com/Acme/x/", "https://github.com/Acme/x"},
		{"https://GitHub.com/Acme/x.git/", "https://github.com/Acme/x"},
		{"HTTPS://github.com/acme/x", "https://github.com/acme/x"},
		{"http://github.com/acme/x", "https://github.com/acme/x"},
		{"http://host.com:80/acme/x", "https://host.com/acme/x"},
		{"https://host.com:443/acme/x", "https://host.com/acme/x"},
		{"https://host.com:08443/acme/x", "https://host.com:8443/acme/x"},
		{"https://host.com:/acme/x", "https://host.com/acme/x"},
		{"https://user@host.com/acme/x", "https://host.com/acme/x"},
		{"https://user:secret@host.com/acme/x", "https://host.com/acme/x"},
		{"https://x-access-token:ghs_secret@github.com/acme/x.git", "https://github.com/acme/x"},
		{"https://gitlab-ci-token:glcbt-secret@gitlab.com/g/s/x.git", "https://gitlab.com/g/s/x"},
		{"https://user:se@cret@host.com/acme/x", "https://host.com/acme/x"},
		{"https://host.com/acme/x?private_token=secret", "https://host.com/acme/x"},
		{"https://host.com/acme/x#secret", "https://host.com/acme/x"},
		{"git+https://github.com/acme/x.git#v1", "https://github.com/acme/x"},
		{"git://github.com/acme/x.git", "https://github.com/acme/x"},
		{"git://host.com:9418/acme/x.git", "https://host.com/acme/x"},
		{"git@github.com:acme/x.git", "https://github.com/acme/x"},
		{"git@github.com:/acme/x.git", "https://github.com/acme/x"},
		{"org-123@github.com:acme/x.git", "https://github.com/acme/x"},
		{"github.com:acme/x", "https://github.com/acme/x"},
		{"git@10.0.0.1:acme/x", "https://10.0.0.1/acme/x"},
		{"git@xn--hst-sna.xn--p1ai:acme/x", "https://xn--hst-sna.xn--p1ai/acme/x"},
		{"ssh://git@github.com/acme/x.git", "https://github.com/acme/x"},
		{"ssh://git@host.com:2222/acme/x.git", "https://host.com/acme/x"},
		{"git+ssh://git@github.com/acme/x.git", "https://github.com/acme/x"},
		{"git+ssh://git@github.com:acme/x.git", "https://github.com/acme/x"},
		{"ssh+git://git@github.com/acme/x", "https://github.com/acme/x"},
		{"ssh://git@ssh.github.com:443/acme/x.git", "https://github.com/acme/x"},
		{"git@altssh.gitlab.com:acme/x.git", "https://gitlab.com/acme/x"},
		{"https://git.sr.ht/~acme/x", "https://git.sr.ht/~acme/x"},
		{"https://dev.azure.com/acme/My%20Project/_git/x", "https://dev.azure.com/acme/My%20Project/_git/x"},
		{"https://go.googlesource.com/tools", "https://go.googlesource.com/tools"},
		{"https://localhost/acme/x", "https://localhost/acme/x"},
		{"https://host.com/acme/x.git.git", "https://host.com/acme/x"},
		{"https://host.com/acme/c++.x", "https://host.com/acme/c++.x"},
	} {
		got, err := NormalizeRepo(tt.raw)
		if err != nil || got != tt.want {
			t.Errorf("%q: %q, %v, want %q", tt.raw, got, err, tt.want)
		}
	}
}

func TestNamespaceOf(t *testing.T) {
	for _, tt := range []struct{ repo, want string }{
		{"https://github.com/Acme/x", "io.github.acme"},
		{"git@github.com:acme-corp/x.git", "io.github.acme-corp"},
		{"https://github.com/octo_acme/x", "io.github.octo_acme"},
		{"https://gitlab.com/Group/sub/x", "io.gitlab.group"},
		{"https://gitlab.com/group/x", "io.gitlab.group"},
		{"https://gitlab.com/my.group/x", ""},
		{"https://gitlab.com/-/x", ""},
		{"https://gitlab.com/x", ""},
		{"https://github.com/acme", ""},
		{"https://github.com/acme/x/tree", ""},
		{"https://github.com/ac.me/x", ""},
		{"https://github.com/ac%20me/x", ""},
		{"https://github.com:8443/acme/x", ""},
		{"https://github.com.evil.com/acme/x", ""},
		{"https://www.github.com/acme/x", ""},
		{"https://github.acme.com/acme/x", ""},
		{"https://gitlab.acme.com/acme/x", ""},
		{"https://bitbucket.org/acme/x", ""},
		{"https://github.com@evil.com/acme/x", ""},
		{"", ""},
		{"/srv/git", ""},
	} {
		got, ok := NamespaceOf(tt.repo)
		if got != tt.want || ok != (tt.want != "") {
			t.Errorf("%q: %q, %t, want %q", tt.repo, got, ok, tt.want)
		}
	}
}

func TestLocalNamespace(t *testing.T) {
	for name, want := range map[string]string{
		"anna":                   "local.anna",
		"Anna":                   "local.anna",
		"anna.meier":             "local.anna-meier",
		`ACME\Anna`:              "local.anna",
		"jürgen":                 "local.j-rgen",
		"o_o-1":                  "local.o_o-1",
		"-rf":                    "local.rf",
		"":                       "local.user",
		"张":                      "local.user",
		"../../etc\n":            "local.etc",
		"io.github.acme":         "local.io-github-acme",
		"\xff\xfe":               "local.user",
		strings.Repeat("a", 200): "local." + strings.Repeat("a", 63),
	} {
		if got := LocalNamespace(name); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}

func FuzzNormalizeRepo(f *testing.F) {
	for _, s := range []string{
		"https://user:hunter22@host.com:8443/acme/x.git?token=hunter22#hunter22", "git@github.com:acme/x.git",
		"ssh://git@host.com:2222/acme/x.git", "git+ssh://git@github.com:acme/x.git", "user.name:hunter22@host.com:a/b",
		"https://dev.azure.com/acme/My%20Project/_git/x", `C:\x`, "file:///x", "https://a/.git/.git", "https://h/a/%2e", "http://h:80/x",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		got, err := NormalizeRepo(raw)
		if err != nil {
			// The words of the errors are ours alone: any secret would stand out.
			if got != "" || len(err.Error()) > 200 || strings.Contains(err.Error(), "hunter22") {
				t.Fatalf("%q: %q, %v", raw, got, err)
			}
			return
		}
		u, err := url.Parse(got)
		if err != nil || u.Scheme != "https" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.Hostname() == "" || len(u.Path) < 2 {
			t.Fatalf("%q became %q (%v)", raw, got, err)
		}
		if strings.ContainsAny(got, "@?#\\\n\r\t \"<>") || strings.Contains(u.Path, ":") || strings.HasSuffix(got, ".git") || strings.HasSuffix(got, "/") {
			t.Fatalf("%q became %q", raw, got)
		}
		if again, err := NormalizeRepo(got); err != nil || again != got {
			t.Fatalf("%q became %q, and that %q, %v", raw, got, again, err)
		}
		if ns, ok := NamespaceOf(raw); ok && strings.Count(ns, ".") != 2 {
			t.Fatalf("%q: namespace %q", raw, ns)
		}
	})
}
