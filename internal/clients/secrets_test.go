package clients

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

// secret stands wherever a value can stand.
const secret = "S3CRET-7f9e"

// TestNoSecretIsTold: whatever is wrong with a file, what is said of it has no
// value of it.
func TestNoSecretIsTold(t *testing.T) {
	texts := []string{
		`{"mcpServers": {"x": {"command": "c", "env": {"K": "` + secret + `"}, "args": ["--token", "` + secret + `", "--k=` + secret + `", "` + secret + `"]}}}`,
		`{"mcpServers": {"x": {"command": "c", "env": {"K": "` + secret + `\q"}}}}`,
		`{"mcpServers": {"x": {"command": "c", "env": {"K": "` + secret + "\xff" + `"}}}}`,
		`{"mcpServers": {"x": {"command": "c", "env": {"K": ` + secret + `}}}}`,
		`{"mcpServers": {"x": {"command": "c", "env": {"K": "` + secret,
		`{"mcpServers": {"x": {"command": "c", "env": "` + secret + `"}}}`,
		`{"mcpServers": {"x": {"command": "c", "env": {"K": ["` + secret + `"]}}}}`,
		`{"mcpServers": {"x": {"command": "c", "args": "` + secret + `"}}}`,
		`{"mcpServers": {"x": {"command": "c", "args": [{"a": "` + secret + `"}]}}}`,
		`{"mcpServers": {"x": {"command": "c", "args": ["a"], "args": ["` + secret + `"]}}}`,
		`{"mcpServers": {"x": {"command": ["` + secret + `"]}}}`,
		`{"mcpServers": {"x": {"type": "` + secret + `", "url": "https://h.example"}}}`,
		`{"mcpServers": {"x": {"url": "https://h.example/` + secret + `?k=` + secret + `#` + secret + `", "headers": {"A": "Bearer ` + secret + `"}}}}`,
		`{"mcpServers": {"x": {"url": "https://me:` + secret + `@h.example/"}}}`,
		`{"mcpServers": {"x": {"url": "https://h.example/%zz` + secret + `"}}}`,
		`{"mcpServers": {"x": {"url": "ftp://` + secret + `/"}}}`,
		`{"mcpServers": {"x": {"url": "https://h.example", "headers": {"A": ["` + secret + `"]}}}}`,
		`{"mcpServers": {"x": {"command": "c", "env": {"K": "${` + secret + ` !}"}}}}`,
		`{"mcpServers": {"x": {"command": "c", "env": {"K": "${env:` + secret + ` !}"}}}}`,
		`{"mcpServers": {"x": {"command": "c", "env": {"K": "${NO:-` + secret + `}"}}}}`,
		`{"mcpServers": {"x": {"command": "c", "env": {"K": "${file:/` + secret + `}"}}}}`,
		`{"mcpServers": {"x": {"command": "c", "args": ["${VALUE}", "${env:VALUE}", "$VALUE"]}}}`,
		`{"mcpServers": {"x": "` + secret + `"}}`,
		`{"mcpServers": "` + secret + `"}`,
		`"` + secret + `"`,
		`{} ` + secret,
	}
	files := []string{"home/.config/Claude/claude_desktop_config.json", "home/.claude.json", "home/.cursor/mcp.json", "home/.codeium/windsurf/mcp_config.json", "home/.gemini/settings.json"}
	for _, text := range texts {
		d := newDesk(t)
		d.env["VALUE"] = secret
		for _, file := range files {
			d.write(file, text)
		}
		d.write("home/.config/zed/settings.json", strings.ReplaceAll(text, "mcpServers", "context_servers"))
		d.write("home/.config/Code/User/mcp.json", strings.ReplaceAll(text, "mcpServers", "servers"))
		servers, problems := d.find("linux")
		if len(servers)+len(problems) == 0 {
			t.Errorf("%q says nothing", text)
		}
		var out bytes.Buffer
		for _, s := range servers {
			fmt.Fprintf(&out, "%v\n%+v\n%#v\n%s\n%q\n%v\n%v\n", s, s, s, s, s, &s, []any{s})
			fmt.Fprintln(&out, s.String(), s.Problem, s.Key(), s.Identity(), s.host())
			slog.New(slog.NewJSONHandler(&out, nil)).Info("m", "s", s)
			slog.New(slog.NewTextHandler(&out, nil)).Info("m", "s", s)
			b, err := json.Marshal(s)
			if err != nil {
				t.Fatal(err)
			}
			// A command is no argument: what starts is told.
			if s.Command == "c" || s.Command == "" {
				out.Write(b)
			}
		}
		fmt.Fprintln(&out, problems)
		if host := "ftp://" + secret; strings.Contains(text, host) {
			continue // the host is told, on purpose
		}
		if strings.Contains(out.String(), secret) {
			i := strings.Index(out.String(), secret)
			t.Errorf("%s\nis told as\n…%s…", text, out.String()[max(0, i-200):i+len(secret)])
		}
	}
}

func TestDisplay(t *testing.T) {
	tests := []struct {
		s    Server
		want string
	}{
		{Server{Command: "npx", Args: []string{"-y", "@scope/server@1.0.0", "/home/me/dir"}}, "npx -y @scope/server@1.0.0 /home/me/dir"},
		{Server{Command: "npx", Args: []string{"--token", secret, "x"}}, "npx --token *** x"},
		{Server{Command: "npx", Args: []string{"--api-key=" + secret, "--port=80"}}, "npx --api-key=*** --port=80"},
		{Server{Command: "docker", Args: []string{"run", "-e", "TOKEN", "-e", "A=" + secret, "img"}}, "docker run -e TOKEN -e A=*** img"},
		{Server{Command: "c", Args: []string{"--header", "Authorization: " + secret}}, "c --header ***"},
		{Server{Command: "c", Args: []string{"Authorization: Bearer " + secret}}, "c ***"},
		{Server{Command: "mcp-remote", Args: []string{"https://h.example/s/" + secret + "/sse"}}, "mcp-remote https://h.example/***"},
		{Server{Command: "pg", Args: []string{"postgres://me:" + secret + "@db.example/x"}}, "pg postgres://db.example/***"},
		{Server{Command: "c", Args: []string{"sk-abc", "ghp_abc", strings.Repeat("aB3", 20)}}, "c *** *** ***"},
		{Server{Command: "c", Args: []string{secret}, Written: []string{"${TOKEN}"}}, "c ${TOKEN}"},
		{Server{Command: "c", Args: []string{"a b", "", "\x1b[2J", "x\ny", "\u202e"}}, `c "a b" "" "\x1b[2J" "x\ny" "\u202e"`},
		{Server{Command: "c", Args: []string{strings.Repeat("a/", 300)}}, "c \"" + strings.Repeat("a/", 250) + "\"… (100 more bytes)"},
		{Server{Command: "c", Args: make([]string, 52)}, "c" + strings.Repeat(` ""`, 50) + " … (2 more)"},
		{Server{URL: "https://me:" + secret + "@h.example/" + secret + "?" + secret}, `"https://h.example"`},
		{Server{}, "no command"},
	}
	for _, tt := range tests {
		if got := tt.s.Display(); got != tt.want {
			t.Errorf("got  %s\nwant %s", got, tt.want)
		}
	}
}

func TestKeyAndIdentity(t *testing.T) {
	base := func() Server {
		return Server{Client: "cursor", Name: "x", Line: 3, Transport: "stdio", Command: "c", Args: []string{"a", "b"}, Dir: "/d", Env: map[string]string{"K": "v", "L": "w"}}
	}
	remote := func() Server {
		return Server{Transport: "http", URL: "https://h.example/mcp", Headers: map[string]string{"A": "b"}}
	}
	tests := []struct {
		name          string
		a, b          Server
		key, identity bool // equal
	}{
		{"the same", base(), base(), true, true},
		{"another client", base(), func() Server {
			s := base()
			s.Client, s.Scope, s.File, s.Line, s.Name, s.Disabled = "zed", "p", "f", 9, "y", true
			return s
		}(), true, true},
		{"another value", base(), func() Server { s := base(); s.Env["K"] = "other"; return s }(), false, true},
		{"another variable", base(), func() Server { s := base(); delete(s.Env, "K"); return s }(), false, true},
		{"shifted in env", Server{Env: map[string]string{"AB": "C"}}, Server{Env: map[string]string{"A": "BC"}}, false, true},
		{"env or headers", Server{Env: map[string]string{"A": "B"}}, Server{Headers: map[string]string{"A": "B"}}, false, true},
		{"another directory", base(), func() Server { s := base(); s.Dir = "/e"; return s }(), false, false},
		{"another order", base(), func() Server { s := base(); s.Args = []string{"b", "a"}; return s }(), false, false},
		{"shifted in args", base(), func() Server { s := base(); s.Args = []string{"ab"}; return s }(), false, false},
		{"command or argument", Server{Command: "ca"}, Server{Command: "c", Args: []string{"a"}}, false, false},
		{"another header", remote(), func() Server { s := remote(); s.Headers["A"] = "c"; return s }(), false, true},
		{"another URL", remote(), func() Server { s := remote(); s.URL += "/"; return s }(), false, false},
	}
	for _, tt := range tests {
		if got := tt.a.Key() == tt.b.Key(); got != tt.key {
			t.Errorf("%s: keys equal: got %v, want %v", tt.name, got, tt.key)
		}
		if got := tt.a.Identity() == tt.b.Identity(); got != tt.identity {
			t.Errorf("%s: identities equal: got %v, want %v", tt.name, got, tt.identity)
		}
	}
	// An identity is stored: its bytes are a promise.
	const want = "ae108c1029fb3d9bcedf3073a8b88ce67cb76fb219149b0b5f637af8d358ecc3"
	if got := base().Identity(); got != want {
		t.Errorf("identity: got %s, want %s", got, want)
	}
}
