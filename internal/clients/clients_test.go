package clients

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// desk is a machine in a temporary directory.
type desk struct {
	t    *testing.T
	root string
	env  map[string]string
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	d := &desk{t: t, root: t.TempDir(), env: map[string]string{}}
	for _, dir := range []string{"home", "system", "repo/.git", "repo/sub"} {
		d.mkdir(dir)
	}
	return d
}

func (d *desk) path(p string) string { return filepath.Join(d.root, filepath.FromSlash(p)) }

func (d *desk) mkdir(p string) {
	d.t.Helper()
	if err := os.MkdirAll(d.path(p), 0o755); err != nil {
		d.t.Fatal(err)
	}
}

func (d *desk) write(p, text string) {
	d.t.Helper()
	d.mkdir(filepath.ToSlash(filepath.Dir(filepath.FromSlash(p))))
	if err := os.WriteFile(d.path(p), []byte(text), 0o600); err != nil {
		d.t.Fatal(err)
	}
}

// find looks around as goos; {root} in a text is the desk.
func (d *desk) find(goos string) ([]Server, []Problem) {
	return Find(Options{
		Home: d.path("home"), GOOS: goos, Project: d.path("repo/sub"), SystemRoot: d.path("system"),
		Getenv: func(k string) string { return d.env[k] },
	})
}

// lines are servers in a form that is easy to read, with the desk left out.
func (d *desk) lines(servers []Server) []string {
	var all []string
	for _, s := range servers {
		what := s.URL
		if s.Command != "" {
			what = strings.Join(append([]string{s.Command}, s.Args...), " ")
		}
		line := strings.TrimSpace(fmt.Sprintf("%s %s %s %s: %s", s.Client, s.Scope, s.Name, s.Transport, what))
		if s.Dir != "" {
			line += " in " + s.Dir
		}
		if s.Disabled {
			line += " (off)"
		}
		if s.Problem != "" {
			line += " ! " + s.Problem
		}
		all = append(all, filepath.ToSlash(strings.ReplaceAll(line, d.root, "")))
	}
	return all
}

func (d *desk) problemLines(problems []Problem) []string {
	var all []string
	for _, p := range problems {
		all = append(all, filepath.ToSlash(strings.ReplaceAll(p.String(), d.root, "")))
	}
	return all
}

const one = `{"mcpServers": {"x": {"command": "cmd"}}}`

func TestFindEveryPlace(t *testing.T) {
	const context = `{"context_servers": {"x": {"command": "cmd"}}}`
	const servers = `{"servers": {"x": {"command": "cmd"}}}`
	const settings = `{"mcp": {"servers": {"x": {"command": "cmd"}}}}`
	const dotted = `{"mcp.servers": {"x": {"command": "cmd"}}}`
	all := []string{"linux", "darwin", "windows"}
	tests := []struct {
		goos []string
		file string
		text string
		env  string // NAME=path on the desk
		want string
	}{
		{[]string{"linux"}, "home/.config/Claude/claude_desktop_config.json", one, "", "claude-desktop user x stdio: cmd"},
		{[]string{"linux"}, "xdg/Claude/claude_desktop_config.json", one, "XDG_CONFIG_HOME=xdg", "claude-desktop user x stdio: cmd"},
		{[]string{"darwin"}, "home/Library/Application Support/Claude/claude_desktop_config.json", one, "", "claude-desktop user x stdio: cmd"},
		{[]string{"windows"}, "roaming/Claude/claude_desktop_config.json", one, "APPDATA=roaming", "claude-desktop user x stdio: cmd"},
		{[]string{"windows"}, "home/AppData/Roaming/Claude/claude_desktop_config.json", one, "", "claude-desktop user x stdio: cmd"},
		{[]string{"windows"}, "local/Packages/Claude_pzs8sxrjxfjjc/LocalCache/Roaming/Claude/claude_desktop_config.json", one, "LOCALAPPDATA=local", "claude-desktop user x stdio: cmd"},

		{all, "home/.claude.json", one, "", "claude-code user x stdio: cmd"},
		{all, "moved/.claude.json", one, "CLAUDE_CONFIG_DIR=moved", "claude-code user x stdio: cmd"},
		{all, "home/.claude.json", `{"projects": {"/elsewhere": {"mcpServers": {"x": {"command": "cmd"}}}}}`, "", "claude-code local x stdio: cmd in /elsewhere"},
		{all, "repo/.mcp.json", one, "", "claude-code project x stdio: cmd in /repo"},
		{all, "repo/sub/.mcp.json", one, "", "claude-code project x stdio: cmd in /repo/sub"},
		{[]string{"linux"}, "system/etc/claude-code/managed-mcp.json", one, "", "claude-code managed x stdio: cmd"},
		{[]string{"darwin"}, "system/Library/Application Support/ClaudeCode/managed-mcp.json", one, "", "claude-code managed x stdio: cmd"},
		{[]string{"windows"}, "system/Program Files/ClaudeCode/managed-mcp.json", one, "", "claude-code managed x stdio: cmd"},

		{[]string{"linux"}, "home/.config/Code/User/mcp.json", servers, "", "vscode user x stdio: cmd"},
		{[]string{"darwin"}, "home/Library/Application Support/Code/User/mcp.json", servers, "", "vscode user x stdio: cmd"},
		{[]string{"windows"}, "roaming/Code/User/mcp.json", servers, "APPDATA=roaming", "vscode user x stdio: cmd"},
		{[]string{"linux"}, "home/.config/Code/User/profiles/-1f2e/mcp.json", servers, "", "vscode profile x stdio: cmd"},
		{[]string{"linux"}, "home/.config/Code/User/settings.json", settings, "", "vscode user x stdio: cmd"},
		{[]string{"linux"}, "home/.config/Code/User/settings.json", dotted, "", "vscode user x stdio: cmd"},
		{[]string{"darwin"}, "home/Library/Application Support/Code - Insiders/User/mcp.json", servers, "", "vscode-insiders user x stdio: cmd"},
		{[]string{"linux"}, "home/.config/VSCodium/User/mcp.json", servers, "", "vscodium user x stdio: cmd"},
		{all, "repo/.vscode/mcp.json", servers, "", "vscode project x stdio: cmd in /repo"},
		{all, "repo/.vscode/settings.json", settings, "", "vscode project x stdio: cmd in /repo"},

		{all, "home/.cursor/mcp.json", one, "", "cursor user x stdio: cmd"},
		{all, "repo/.cursor/mcp.json", one, "", "cursor project x stdio: cmd in /repo"},
		{all, "home/.codeium/windsurf/mcp_config.json", one, "", "windsurf user x stdio: cmd"},
		{all, "home/.codeium/mcp_config.json", one, "", "windsurf user x stdio: cmd"},

		{[]string{"linux", "darwin"}, "home/.config/zed/settings.json", context, "", "zed user x stdio: cmd"},
		{[]string{"linux"}, "xdg/zed/settings.json", context, "XDG_CONFIG_HOME=xdg", "zed user x stdio: cmd"},
		{[]string{"windows"}, "roaming/Zed/settings.json", context, "APPDATA=roaming", "zed user x stdio: cmd"},
		{all, "repo/.zed/settings.json", context, "", "zed project x stdio: cmd in /repo"},

		{all, "home/.gemini/settings.json", one, "", "gemini-cli user x stdio: cmd"},
		{all, "repo/.gemini/settings.json", one, "", "gemini-cli project x stdio: cmd in /repo"},
		{all, "home/.gemini/extensions/e/gemini-extension.json", one, "", "gemini-cli extension x stdio: cmd"},
		{[]string{"linux"}, "system/etc/gemini-cli/settings.json", one, "", "gemini-cli system x stdio: cmd"},
		{[]string{"darwin"}, "system/Library/Application Support/GeminiCli/settings.json", one, "", "gemini-cli system x stdio: cmd"},
		{[]string{"windows"}, "system/ProgramData/gemini-cli/system-defaults.json", one, "", "gemini-cli system x stdio: cmd"},

		// What is above the repository belongs to somebody else.
		{all, ".mcp.json", one, "", ""},
	}
	for _, tt := range tests {
		for _, goos := range tt.goos {
			t.Run(goos+" "+tt.file, func(t *testing.T) {
				d := newDesk(t)
				d.write(tt.file, tt.text)
				if k, v, ok := strings.Cut(tt.env, "="); ok {
					d.env[k] = d.path(v)
				}
				var want []string
				if tt.want != "" {
					want = []string{tt.want}
				}
				servers, problems := d.find(goos)
				if diff := cmp.Diff(want, d.lines(servers)); diff != "" {
					t.Errorf("servers (-want +got):\n%s", diff)
				}
				if len(problems) > 0 {
					t.Errorf("problems: %v", problems)
				}
			})
		}
	}
}

// TestEveryRowIsReachable finds rows that could never name a server.
func TestEveryRowIsReachable(t *testing.T) {
	for i, src := range table {
		if src.paths == (systems{}) || src.client == "" || src.scope == "" || src.read == nil {
			t.Errorf("row %d is incomplete: %+v", i, src)
		}
		if len(src.servers) == 0 && len(src.off) == 0 {
			t.Errorf("row %d (%s) reads nothing", i, src.client)
		}
	}
}

func TestFindNothing(t *testing.T) {
	for _, o := range []Options{{}, {GOOS: "windows"}, {Home: t.TempDir(), GOOS: "plan9", SystemRoot: t.TempDir()}} {
		if o.SystemRoot == "" {
			o.SystemRoot = t.TempDir()
		}
		if s, p := Find(o); len(s)+len(p) > 0 {
			t.Errorf("Find(%+v) = %v, %v, want nothing", o, s, p)
		}
	}
}

func TestNoRepository(t *testing.T) {
	root := t.TempDir()
	d := &desk{t: t, root: root}
	d.write("up/.mcp.json", one)
	d.write("up/here/.cursor/mcp.json", one)
	servers, _ := Find(Options{Project: d.path("up/here"), GOOS: "linux", SystemRoot: d.path("system")})
	if len(servers) != 1 || servers[0].Client != "cursor" {
		t.Errorf("got %v, want only what is in the directory itself", servers)
	}
}

// TestHomeIsProject: a repository of dotfiles is the home directory.
func TestHomeIsProject(t *testing.T) {
	d := newDesk(t)
	d.mkdir("home/.git")
	d.write("home/.cursor/mcp.json", one)
	d.write("home/.gemini/settings.json", one)
	servers, _ := Find(Options{Home: d.path("home"), Project: d.path("home"), GOOS: "linux", SystemRoot: d.path("system")})
	want := []string{"cursor user x stdio: cmd", "gemini-cli user x stdio: cmd"}
	if diff := cmp.Diff(want, d.lines(servers)); diff != "" {
		t.Errorf("servers (-want +got):\n%s", diff)
	}
}

func TestOneBadFileSpoilsNoOther(t *testing.T) {
	d := newDesk(t)
	d.write("home/.config/Claude/claude_desktop_config.json", "{\n \"mcpServers\": {\n  \"a\": {\"command\": sesame}}}")
	d.write("home/.cursor/mcp.json", `{"mcpServers": []}`)
	d.write("home/.codeium/windsurf/mcp_config.json", one)
	d.write("home/.gemini/settings.json", "\n[]")
	d.write("home/.claude.json", "")
	d.write("home/.config/Code/User/mcp.json", `{"servers": {"a": {"command": "first"}, "b": 7,
		"c": {"command": ["x"]}, "a": {"command": "last"}}}`)
	servers, problems := d.find("linux")
	want := []string{
		"windsurf user x stdio: cmd",
		"vscode user b : ! it is not an object",
		"vscode user c stdio: ! command is not a string",
		"vscode user a stdio: last",
	}
	if diff := cmp.Diff(want, d.lines(servers)); diff != "" {
		t.Errorf("servers (-want +got):\n%s", diff)
	}
	wantProblems := []string{
		"/home/.config/Claude/claude_desktop_config.json:3: not JSON (comments and trailing commas are allowed)",
		"/home/.cursor/mcp.json:1: not an object where one is expected",
		"/home/.gemini/settings.json:2: not a JSON object",
		`/home/.config/Code/User/mcp.json:2: "a" stands twice, first in line 1: the last one counts`,
	}
	if diff := cmp.Diff(wantProblems, d.problemLines(problems)); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
	if servers[3].Line != 2 {
		t.Errorf("line of the last a: got %d, want 2", servers[3].Line)
	}
}

func TestSwitchedOff(t *testing.T) {
	d := newDesk(t)
	repo := filepath.ToSlash(d.path("repo"))
	d.write("home/.claude.json", `{"mcpServers": {"p": {"command": "mine"}},
		"projects": {"`+repo+`": {"mcpServers": {"l": {"command": "c"}, "m": {"command": "c"}},
			"disabledMcpServers": ["l"], "disabledMcpjsonServers": ["p"]},
		"/other": {"mcpServers": {"l": {"command": "c"}}, "disabledMcpjsonServers": ["q"]}}}`)
	d.write("repo/.mcp.json", `{"mcpServers": {"p": {"command": "c"}, "q": {"command": "c"}, "r": {"url": "https://h.example"}}}`)
	d.write("repo/.claude/settings.local.json", `{"disabledMcpjsonServers": ["r"]}`)
	d.write("repo/.claude/settings.json", `{"disabledMcpjsonServers": "r"}`)
	d.write("home/.codeium/windsurf/mcp_config.json", `{"mcpServers": {"w": {"command": "c", "disabled": true}, "v": {"command": "c", "disabled": false}}}`)
	d.write("home/.config/zed/settings.json", `{"context_servers": {"z": {"command": "c", "enabled": false}, "y": {"command": "c", "enabled": true}}}`)
	d.write("home/.gemini/settings.json", `{"mcp": {"excluded": ["g"]}, "mcpServers": {"g": {"command": "c"}, "h": {"command": "c"}}}`)
	d.write("repo/.gemini/settings.json", `{"mcp": {"excluded": ["h", "i"]}, "mcpServers": {"i": {"command": "c", "cwd": "d"}}}`)
	servers, problems := d.find("linux")
	want := []string{
		"claude-code user p stdio: mine",
		"claude-code local l stdio: c in /repo (off)",
		"claude-code local m stdio: c in /repo",
		"claude-code local l stdio: c in /other",
		"claude-code project p stdio: c in /repo (off)",
		"claude-code project q stdio: c in /repo",
		"claude-code project r http: https://h.example (off)",
		"windsurf user w stdio: c (off)",
		"windsurf user v stdio: c",
		"zed user z stdio: c (off)",
		"zed user y stdio: c",
		"gemini-cli user g stdio: c (off)",
		"gemini-cli user h stdio: c", // a project does not hide what is the person's
		"gemini-cli project i stdio: c in /repo/d (off)",
	}
	if diff := cmp.Diff(want, d.lines(servers)); diff != "" {
		t.Errorf("servers (-want +got):\n%s", diff)
	}
	wantProblems := []string{"/repo/.claude/settings.json:1: a list of servers that are switched off is not a list of strings"}
	if diff := cmp.Diff(wantProblems, d.problemLines(problems)); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
}

func TestManagedRulesAlone(t *testing.T) {
	d := newDesk(t)
	d.write("system/etc/claude-code/managed-mcp.json", `{"mcpServers": {"m": {"command": "c"}}}`)
	d.write("home/.claude.json", one)
	d.write("home/.cursor/mcp.json", one)
	servers, _ := d.find("linux")
	want := []string{"claude-code managed m stdio: c", "claude-code user x stdio: cmd (off)", "cursor user x stdio: cmd"}
	if diff := cmp.Diff(want, d.lines(servers)); diff != "" {
		t.Errorf("servers (-want +got):\n%s", diff)
	}
	// A managed file that cannot be read switches nothing off.
	d.write("system/etc/claude-code/managed-mcp.json", `{`)
	servers, problems := d.find("linux")
	if len(servers) != 2 || servers[0].Disabled || len(problems) != 1 {
		t.Errorf("got %v and %v, want the person's server, on, and a problem", servers, problems)
	}
}

func TestTooManyServers(t *testing.T) {
	d := newDesk(t)
	var b strings.Builder
	for i := range maxServers + 5 {
		fmt.Fprintf(&b, `"s%d": {"command": "c"},`, i)
	}
	d.write("home/.cursor/mcp.json", `{"mcpServers": {`+b.String()+`}}`)
	d.write("home/.gemini/settings.json", one)
	servers, problems := d.find("linux")
	if len(servers) != maxServers || len(problems) != 1 || !strings.Contains(problems[0].Text, "more than 1000 servers") {
		t.Errorf("got %d servers and problems %v, want %d and one problem", len(servers), problems, maxServers)
	}
}
