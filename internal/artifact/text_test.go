package artifact

import (
	"strings"
	"testing"
)

func TestRepositoryURL(t *testing.T) {
	const want = "https://github.com/acme/tools"
	for _, s := range []string{
		"https://github.com/acme/tools", "https://github.com/acme/tools/", "https://github.com/acme/tools.git", "https://github.com/acme/tools.git/",
		"http://github.com/acme/tools", "http://www.github.com/acme/tools", "git+https://github.com/acme/tools.git", "git://github.com/acme/tools.git",
		"git+ssh://git@github.com/acme/tools.git", "ssh://git@github.com:22/acme/tools", "git@github.com:acme/tools.git", "git@github.com:/acme/tools.git",
		"github:acme/tools", "acme/tools", "acme/tools#main", "https://GitHub.com/acme/tools#readme", "https://github.com/acme/tools?tab=x",
		"https://user:secret@github.com/acme/tools", "https://github.com:443/acme/tools", "https://github.com/acme/tools/tree/main/packages/x",
	} {
		if got := repositoryURL(s); got != want {
			t.Errorf("repositoryURL(%q) = %q, want %q", s, got, want)
		}
	}
	for s, want := range map[string]string{
		"gitlab:group/sub/tools":                      "https://gitlab.com/group/sub/tools",
		"https://gitlab.com/group/sub/tools/-/tree/x": "https://gitlab.com/group/sub/tools",
		"git@git.acme.example:group/sub/tools.git":    "https://git.acme.example/group/sub/tools",
		"bitbucket:acme/tools":                        "https://bitbucket.org/acme/tools",
		"https://git.acme.example:8443/tools":         "https://git.acme.example:8443/tools",
		"https://git.acme.example/~joe/tools":         "https://git.acme.example/~joe/tools",
		"":                                            "",
		"tools":                                       "",
		"a/b/c":                                       "",
		"./tools":                                     "",
		"../acme/tools":                               "",
		"github:../tools":                             "",
		"gist:11081aaa281":                            "",
		"file:///srv/tools":                           "",
		"file:../tools":                               "",
		"javascript:alert(1)":                         "",
		"https://":                                    "",
		"https://github.com":                          "",
		"https://github.com/":                         "",
		"https://github.com/a b":                      "",
		"https://github.com/a/%0a":                    "",
		"https://github.com/a/../b":                   "",
		"https://github.com/\u202ea/b":                "",
		"https://localhost/a/b":                       "",
		"https://gıthub.com/acme/x":                   "",
		"git@github.com":                              "",
		"git@github.com:a:b":                          "",
		"https://[::1]/a/b":                           "",
	} {
		if got := repositoryURL(s); got != want {
			t.Errorf("repositoryURL(%q) = %q, want %q", s, got, want)
		}
	}
}

func TestNormalVersion(t *testing.T) {
	same := [][]string{
		{"1.0", "1", "1.0.0", "v1.0", "01.0", " 1.0 "},
		{"1.0a1", "1.0-alpha.1", "1.0.a1", "1.0_ALPHA_1", "1.0a01"},
		{"1.0b0", "1.0b", "1.0.beta"},
		{"1.0rc1", "1.0c1", "1.0-pre1", "1.0.preview.1"},
		{"1.0.post1", "1.0-1", "1.0.rev1", "1.0r1", "1.0-post-1"},
		{"1.0.dev3", "1.0dev3", "1.0-dev-3"},
		{"1!2.0", "1!2"},
		{"1.0+ubuntu.1", "1.0+ubuntu-1", "1.0_ubuntu_1", "1.0+Ubuntu_1"},
		{"banana-1", "Banana_1", "banana.1"},
	}
	seen := map[string]string{}
	for _, group := range same {
		normal := normalVersion(group[0])
		if other, ok := seen[normal]; ok {
			t.Errorf("%q and %q are both %q", group[0], other, normal)
		}
		seen[normal] = group[0]
		for _, v := range group {
			if got := normalVersion(v); got != normal {
				t.Errorf("normalVersion(%q) = %q, want %q as of %q", v, got, normal, group[0])
			}
		}
	}
}

func TestParseCoreMetadata(t *testing.T) {
	tests := map[string]struct{ text, want string }{
		"empty":            {"", `header "name" stands 0 times`},
		"two names":        {"Name: a\nName: b\nVersion: 1\n", `header "name" stands 2 times`},
		"two versions":     {"Name: a\nVersion: 1\nVERSION: 2\n", `header "version" stands 2 times`},
		"empty name":       {"Name:\nVersion: 1\n", "want both"},
		"name in the body": {"Version: 1\n\nName: a\n", `header "name" stands 0 times`},
		"no header":        {"Name: a\nhello\n", "line 2"},
		"blank in key":     {"Name : a\nVersion: 1\n", "line 1"},
		"continues":        {" a\n", "line 1 continues nothing"},
		"not UTF-8":        {"Name: \xff\n", "not UTF-8"},
		"good":             {"Name: a\r\nVersion: 1\r\nDescription: x\r\n  Name: b\r\n\r\nName: c\r\n", ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			m, err := parseCoreMetadata([]byte(test.text))
			wantErr(t, err, test.want)
			if err == nil && (m.name != "a" || m.version != "1" || string(m.body) != "Name: c\r\n") {
				t.Errorf("got %+v", m)
			}
		})
	}
}

func TestMCPNameOfReadme(t *testing.T) {
	for body, want := range map[string]string{
		"<!-- mcp-name: io.github.acme/tools -->":     "io.github.acme/tools",
		"mcp-name: io.github.acme/tools":              "io.github.acme/tools",
		"mcp-name: a.b/c and again mcp-name: a.b/c\n": "a.b/c",
		"mcp-name: a.b/c mcp-name: a.b/d":             "",
		"my-mcp-name: a.b/c":                          "",
		"mcp-name: tools":                             "",
	} {
		var f Found
		m := coreMetadata{body: []byte(body)}
		if m.facts(&f); f.MCPName != want {
			t.Errorf("%q: got %q, want %q", body, f.MCPName, want)
		}
	}
}

func TestCheckFacts(t *testing.T) {
	f := Found{MCPName: "a\u202eb", License: strings.Repeat("x", maxFact+1), Repository: "https://a.example/b"}
	f.Artifact.Identifier = "x"
	mustDo(t, f.checkFacts())
	if f.MCPName != "" || f.License != "" || f.Repository == "" || len(f.Notes) != 2 {
		t.Errorf("got %+v, want name and license dropped with a note each", f)
	}
	for bad, want := range map[string]string{"": "empty", " a": "blank", "a\x00": "print", "a\u200bb": "print", "\xff": "UTF-8"} {
		f.Artifact.Identifier = bad
		wantErr(t, f.checkFacts(), want)
	}
}
