package clients

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestEntries(t *testing.T) {
	env := map[string]string{"TOKEN": "t0", "URL": "https://h.example/mcp", "NESTED": "${env:TOKEN}${TOKEN}$TOKEN"}
	v := variables{getenv: func(k string) string { return env[k] }, goos: "linux", home: "/home/me", workspace: "/w"}
	stdio := func(command string, args ...string) Server {
		return Server{Transport: "stdio", Command: command, Args: args, Written: args}
	}
	with := func(s Server, change func(*Server)) Server { change(&s); return s }
	bad := func(problem string) Server { return Server{Problem: problem} }
	tests := []struct {
		name    string
		dialect *dialect
		text    string
		want    Server
	}{
		// What every client shares.
		{"nothing", claudeDesktop, `{}`, bad("it has neither a command nor a URL")},
		{"not an object", claudeDesktop, `"npx"`, bad("it is not an object")},
		{"null command", claudeDesktop, `{"command": null}`, bad("it has neither a command nor a URL")},
		{"empty command", claudeDesktop, `{"command": ""}`, with(stdio(""), func(s *Server) { s.Problem = "its command is empty" })},
		{"args no list", claudeDesktop, `{"command": "c", "args": "-x"}`, with(stdio("c"), func(s *Server) { s.Problem = "args is not a list of at most 10000 values" })},
		{"args of objects", claudeDesktop, `{"command": "c", "args": ["a", {}]}`, with(stdio("c", "a"), func(s *Server) { s.Problem = "args[1] is not a string" })},
		{"numbers", claudeDesktop, `{"command": "c", "args": ["-p", 8080, true]}`, stdio("c", "-p", "8080", "true")},
		{"env", claudeDesktop, `{"command": "c", "env": {"A": "b", "N": 1, "X": null}}`, with(stdio("c"), func(s *Server) { s.Env = map[string]string{"A": "b", "N": "1"} })},
		{"env of lists", claudeDesktop, `{"command": "c", "env": {"A": []}}`, with(stdio("c"), func(s *Server) { s.Env = map[string]string{}; s.Problem = `env."A" is not a string` })},
		{"as it stands", claudeDesktop, `{"command": "${TOKEN}", "args": ["$TOKEN", "${env:TOKEN}"]}`, stdio("${TOKEN}", "$TOKEN", "${env:TOKEN}")},
		{"zero byte", claudeDesktop, `{"command": "a\u0000b"}`, with(stdio("a\x00b"), func(s *Server) { s.Problem = "command has a zero byte" })},
		{"unknown type", claudeCode, `{"type": "ws", "url": "wss://x"}`, bad("its type is not one of stdio, http, sse")},
		{"type without its part", claudeCode, `{"type": "http", "command": "c"}`, bad("it has no URL")},
		{"type decides", claudeCode, `{"type": "stdio", "command": "c", "url": "https://x.example"}`, stdio("c")},
		{"type decides for the URL", claudeCode, `{"type": "sse", "command": "c", "url": "https://x.example"}`, Server{Transport: "sse", URL: "https://x.example"}},
		{"no web URL", vscode, `{"url": "unix:///tmp/s.sock"}`, Server{Transport: "http", URL: "unix:///tmp/s.sock", Problem: "its URL is not one of http or https with a host"}},

		{"claude code", claudeCode, `{"command": "${HOME:-/h}/s", "args": ["--t=${TOKEN}", "$TOKEN", "${NO:-}"]}`,
			with(stdio("/h/s", "--t=t0", "$TOKEN", ""), func(s *Server) { s.Written = []string{"--t=${TOKEN}", "$TOKEN", "${NO:-}"} })},
		{"claude code, unset", claudeCode, `{"command": "c", "env": {"K": "${NO}"}}`,
			with(stdio("c"), func(s *Server) {
				s.Env = map[string]string{"K": ""}
				s.Problem = `env."K" needs the environment variable NO, which is not set`
			})},
		{"claude code, http", claudeCode, `{"type": "http", "url": "${URL}", "headers": {"Authorization": "Bearer ${TOKEN}"}}`,
			Server{Transport: "http", URL: "https://h.example/mcp", Headers: map[string]string{"Authorization": "Bearer t0"}}},
		{"claude code, headers from a command", claudeCode, `{"type": "http", "url": "https://x.example", "headersHelper": "get"}`,
			Server{Transport: "http", URL: "https://x.example", Problem: whyHeaders}},

		{"vscode", vscode, `{"type": "stdio", "command": "${userHome}/s", "args": ["${workspaceFolder}${/}a", "${workspaceFolderBasename}"], "cwd": "${workspaceFolder}/d"}`,
			with(stdio("/home/me/s", "/w/a", "w"), func(s *Server) {
				s.Written = []string{"${workspaceFolder}${/}a", "${workspaceFolderBasename}"}
				s.Dir = "/w/d"
			})},
		{"vscode, input", vscode, `{"command": "c", "args": ["${input:api-key}"]}`,
			with(stdio("c", ""), func(s *Server) {
				s.Written = []string{"${input:api-key}"}
				s.Problem = "args[0] needs ${input:api-key}, which the client asks for"
			})},
		{"vscode, command", vscode, `{"command": "${command:ext.run}"}`, with(stdio(""), func(s *Server) { s.Problem = "command needs ${command:ext.run}, which is not followed here" })},
		{"vscode, relative directory", vscode, `{"command": "c", "cwd": "d"}`, with(stdio("c"), func(s *Server) { s.Dir = "/w/d" })},
		{"vscode, file of variables", vscode, `{"command": "c", "envFile": ".env"}`, with(stdio("c"), func(s *Server) { s.Problem = whyEnvFile })},

		{"cursor", cursor, `{"url": "${env:URL}", "headers": {"K": "${env:TOKEN}"}}`,
			Server{Transport: "http", URL: "https://h.example/mcp", Headers: map[string]string{"K": "t0"}}},
		{"one pass", cursor, `{"command": "${env:NESTED}"}`, stdio("${env:TOKEN}${TOKEN}$TOKEN")},

		{"windsurf", windsurf, `{"serverUrl": "https://s.example/mcp", "url": "https://u.example", "headers": {"A": "${env:TOKEN}"}}`,
			Server{Transport: "http", URL: "https://s.example/mcp", Headers: map[string]string{"A": "t0"}}},
		{"windsurf, url", windsurf, `{"url": "https://u.example"}`, Server{Transport: "http", URL: "https://u.example"}},
		{"windsurf, file", windsurf, `{"command": "c", "env": {"K": "${file:/etc/token}"}}`,
			with(stdio("c"), func(s *Server) {
				s.Env = map[string]string{"K": ""}
				s.Problem = `env."K" needs ${file:…}, which is not followed here`
			})},

		{"zed", zed, `{"source": "custom", "command": "c", "args": ["$A"], "env": {"A": "${B}"}}`,
			with(stdio("c", "$A"), func(s *Server) { s.Env = map[string]string{"A": "${B}"} })},
		{"zed, older", zed, `{"command": {"path": "/s", "args": ["run"], "env": {"A": "b"}}, "settings": {}}`,
			with(stdio("/s", "run"), func(s *Server) { s.Env = map[string]string{"A": "b"} })},
		{"zed, older without a path", zed, `{"command": {"args": ["run"]}}`,
			with(stdio("", "run"), func(s *Server) { s.Problem = "path is not a string" })},
		{"zed, extension", zed, `{"source": "extension", "settings": {"k": "v"}}`, bad("its command comes from a Zed extension, not from the settings")},
		{"zed, remote", zed, `{"url": "https://z.example/mcp"}`, Server{Transport: "http", URL: "https://z.example/mcp"}},
		{"only zed has an object", cursor, `{"command": {"path": "/s"}}`, with(stdio(""), func(s *Server) { s.Problem = "command is not a string" })},

		{"gemini", gemini, `{"command": "$TOKEN/${TOKEN}", "args": ["$$TOKEN", "100$", "${}"], "cwd": "./d", "trust": true}`,
			with(stdio("t0/t0", "$t0", "100$", "${}"), func(s *Server) { s.Written = []string{"$$TOKEN", "100$", "${}"}; s.Dir = "/w/d" })},
		{"gemini, http first", gemini, `{"command": "c", "url": "https://u.example", "httpUrl": "https://h.example"}`, Server{Transport: "http", URL: "https://h.example"}},
		{"gemini, url", gemini, `{"url": "https://u.example"}`, Server{Transport: "sse", URL: "https://u.example"}},
		{"gemini, url with type", gemini, `{"url": "https://u.example", "type": "http"}`, Server{Transport: "http", URL: "https://u.example"}},
		{"gemini, unset", gemini, `{"command": "$NO"}`, with(stdio(""), func(s *Server) { s.Problem = "command needs the environment variable NO, which is not set" })},
		{"gemini, unclosed", gemini, `{"command": "a${TOKEN"}`, stdio("a${TOKEN")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			doc, bad := parse([]byte(`{"e": ` + tt.text + `}`))
			if bad != nil {
				t.Fatal(bad)
			}
			hits, _ := doc.lookup([]string{"e"})
			var got Server
			if tt.dialect == gemini {
				got.Client = "gemini-cli"
				tt.want.Client = got.Client
			}
			v.syntax = tt.dialect.vars
			e := entry{Server: &got, dialect: tt.dialect, vars: v, goos: "linux"}
			if faults := e.decode(doc, hits[0].value); len(faults) > 0 {
				t.Errorf("faults: %v", faults)
			}
			// Server prints itself without its values.
			type plain Server
			if diff := cmp.Diff(plain(tt.want), plain(got)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestVariablesWithoutAPlace(t *testing.T) {
	none := func(string) string { return "" }
	tests := []struct {
		v    variables
		in   string
		want string
		why  string
	}{
		{variables{syntax: syntaxEditor, getenv: none}, "${workspaceFolder}", "", "needs ${workspaceFolder}, and no project is given"},
		{variables{syntax: syntaxEditor, getenv: none}, "${workspaceFolderBasename}", "", "needs ${workspaceFolderBasename}, and no project is given"},
		{variables{syntax: syntaxEditor, getenv: none}, "${userHome}", "", "needs ${userHome}, and no home directory is known"},
		{variables{syntax: syntaxEditor, getenv: none, goos: "windows"}, "${pathSeparator}${/}", `\\`, ""},
		{variables{syntax: syntaxShell, getenv: none, extension: "/e", workspace: "/w"}, "${extensionPath}${/}x $A.", "", "needs the environment variable A, which is not set"},
		{variables{syntax: syntaxShell, getenv: none, extension: "/e", workspace: "/w"}, "${extensionPath}${/}x ${workspacePath}", "/e/x /w", ""},
		{variables{syntax: syntaxShell, getenv: none}, "${extensionPath}", "", "needs the environment variable extensionPath, which is not set"},
		// A secret in braces is not told.
		{variables{syntax: syntaxEditor, getenv: none}, "${sk secret!}", "", "needs a variable, which is not followed here"},
		{variables{syntax: syntaxEditor, getenv: none}, "${env:sk secret!}", "", "needs an environment variable that is not set"},
		{variables{syntax: syntaxDefault, getenv: none}, "${sk secret!}", "", "needs an environment variable that is not set"},
		{variables{syntax: syntaxDefault, getenv: none}, "${s3cret}", "", "needs an environment variable that is not set"},
		{variables{syntax: syntaxEditor, getenv: none}, "${selectedText}", "", "needs ${selectedText}, which is not followed here"},
		{variables{syntax: syntaxEditor, getenv: none}, "${NO:-s3cret}", "", "needs ${NO:…}, which is not followed here"},
		{variables{syntax: syntaxEditor, getenv: none}, "${" + strings.Repeat("x", 33) + "}", "", "needs a variable, which is not followed here"},
		// A password with a dollar is no variable.
		{variables{syntax: syntaxShell, getenv: none}, "pa$sw0rd$1", "pa$sw0rd$1", ""},
		{variables{syntax: syntaxDefault, getenv: none}, "${A:-sk-secret!}", "sk-secret!", ""},
	}
	for _, tt := range tests {
		got, why := tt.v.expand(tt.in)
		if got != tt.want || why != tt.why {
			t.Errorf("expand(%q) = %q, %q, want %q, %q", tt.in, got, why, tt.want, tt.why)
		}
	}
}

func TestInScope(t *testing.T) {
	d := newDesk(t)
	d.env["K"] = "v"
	d.write("home/.cursor/mcp.json", `{"mcpServers": {"u": {"command": "${workspaceFolder}/s"}}}`)
	d.write("repo/.cursor/mcp.json", `{"mcpServers": {"p": {"command": "${workspaceFolder}/s", "cwd": "d"}}}`)
	d.write("repo/sub/.cursor/mcp.json", `{"mcpServers": {"q": {"command": "${workspaceFolder}/s"}}}`)
	d.write("home/.gemini/extensions/e/gemini-extension.json", `{"mcpServers": {"x": {"command": "node", "args": ["${extensionPath}${/}s.js", "${workspacePath}"]}}}`)
	servers, problems := d.find("linux")
	want := []string{
		"cursor user u stdio: /repo/s",
		"cursor project q stdio: /repo/sub/s in /repo/sub",
		"cursor project p stdio: /repo/s in /repo/d",
		"gemini-cli extension x stdio: node /home/.gemini/extensions/e/s.js /repo",
	}
	if diff := cmp.Diff(want, d.lines(servers)); diff != "" {
		t.Errorf("servers (-want +got):\n%s", diff)
	}
	if len(problems) > 0 {
		t.Errorf("problems: %v", problems)
	}
}
