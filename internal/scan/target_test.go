package scan

import (
	"strings"
	"testing"
)

func TestPublicName(t *testing.T) {
	for name, want := range map[string]string{
		"": "", ".": ".", "/": "",
		"dist/server.tgz":                               "dist/server.tgz",
		"/home/someone/server":                          "server",
		"/home/someone/server/":                         "server",
		"~/server":                                      "server",
		`C:\Users\someone\server`:                       "server",
		`\\host\share\someone\server`:                   "server",
		"file:///home/someone/a.json":                   "a.json",
		"file://host/home/someone/a.json":               "a.json",
		"/home/some one/server":                         "",
		"/usr/bin/npx -y x --token=a/b":                 "",
		"npx -y x --token=a":                            "npx",
		"stdio:npx -y x":                                "stdio:npx",
		"https://someone:pw@example.com/a?token=x#y":    "https://example.com/a",
		"https://exa mple.com/":                         "https://exa",
		"https://%zz@example.com/":                      "",
		"someone:pw@example.com/a":                      "example.com/a",
		"git@example.com:acme/server":                   "git@example.com:acme/server",
		"pkg:npm/%40acme/server@1.0.0":                  "pkg:npm/%40acme/server@1.0.0",
		"@acme/server@1.0.0":                            "@acme/server@1.0.0",
		"registry.example:5000/acme/server:1":           "registry.example:5000/acme/server:1",
		"acme/server@sha256:" + strings.Repeat("a", 64): "acme/server",
		"clean\u202e":                                   "",
		"a\u001b[2J":                                    "",
		"a\u00a0b":                                      "",
		strings.Repeat("a", 201):                        "",
	} {
		if got := publicName(name); got != want {
			t.Errorf("%.60q: got %q, want %q", name, got, want)
		}
	}
}

func TestSHA256Of(t *testing.T) {
	sum := strings.Repeat("0a", 32)
	for text, want := range map[string]string{
		"": "", "sha256:": "", "sha512:" + sum: "", sum[1:]: "", sum + "00": "", "z" + sum[1:]: "",
		sum: sum, "sha256:" + sum: sum, "acme/server@sha256:" + sum: sum, strings.ToUpper(sum): sum,
	} {
		if got := sha256Of(text); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

func TestScores(t *testing.T) {
	for text, want := range map[string]grade{
		``: "", `null`: "", `"0"`: "", `"0.0"`: "", `0`: "", `"0.1"`: low, `3.9`: low, `"4.0"`: medium, `"6.9"`: medium,
		`"7"`: high, `"9.0"`: critical, `"10"`: critical, `"10.1"`: unknown, `"-1"`: unknown, `"NaN"`: unknown, `"Inf"`: unknown, `"HIGH"`: high, `"x"`: unknown, `{}`: unknown,
	} {
		if got := scoreOf([]byte(text)); got != want {
			t.Errorf("%s: got %q, want %q", text, got, want)
		}
	}
}
