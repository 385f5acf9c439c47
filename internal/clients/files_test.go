package clients

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestReadRefuses(t *testing.T) {
	d := newDesk(t)
	d.mkdir("home/.cursor/mcp.json")
	d.write("home/.gemini/settings.json", strings.Repeat(" ", maxFile+1))
	d.write("home/.codeium/windsurf/mcp_config.json", strings.Repeat(" ", maxFile-len(one))+one)
	// What is longer elsewhere is not for ~/.claude.json.
	d.write("home/.claude.json", strings.Repeat(" ", maxFile+1)+one)
	servers, problems := d.find("linux")
	if len(servers) != 2 {
		t.Errorf("got %v, want those of two files", servers)
	}
	want := []string{
		"/home/.cursor/mcp.json: not a regular file",
		"/home/.gemini/settings.json: larger than 4194304 bytes",
	}
	if got := d.problemLines(problems); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("problems: got %q, want %q", got, want)
	}
}

func TestManyFolders(t *testing.T) {
	d := newDesk(t)
	for i := range maxEntries + 1 {
		d.mkdir(fmt.Sprintf("home/.gemini/extensions/e%04d", i))
	}
	d.write("home/.gemini/extensions/e0000/gemini-extension.json", one)
	_, problems := d.find("linux")
	if len(problems) != 1 || !strings.Contains(problems[0].Text, "more than 1000 entries") {
		t.Errorf("got %v, want that entries are left out", problems)
	}
}

func TestIsAbs(t *testing.T) {
	for _, tt := range []struct {
		goos, path string
		want       bool
	}{
		{"windows", `C:\x`, true}, {"windows", "C:/x", true}, {"windows", `\\host\share`, true}, {"windows", `x\y`, false}, {"windows", "C:x", false},
	} {
		if got := isAbs(tt.goos, tt.path); got != tt.want {
			t.Errorf("isAbs(%q, %q) = %v", tt.goos, tt.path, got)
		}
	}
	if !isAbs("linux", t.TempDir()) || isAbs("linux", "x") {
		t.Error("isAbs on this machine")
	}
}

// FuzzFind: whatever stands in the files, what comes back is bounded, is about
// the file, and can be started or says why not.
func FuzzFind(f *testing.F) {
	f.Add([]byte(one))
	f.Add([]byte(`{"mcpServers": {"x": {"url": "https://x.example", "headers": {"A": "${env:B}"}}}, "mcp": {"servers": {"y": {"type": "sse"}}, "excluded": ["x"]}}`))
	f.Add([]byte(`{"servers": {"x": {"command": {"path": "p"}, "args": [1, null]}}, "projects": {"/a": {"mcpServers": {"b": {}}, "disabledMcpServers": ["b"]}}}`))
	f.Add([]byte("{\"context_servers\": {\"x\": {\"command\": \"$A${B}${\", // c\n},},}"))
	root := f.TempDir()
	files := []string{".claude.json", ".cursor/mcp.json", ".config/zed/settings.json", ".config/Code/User/mcp.json", ".config/Code/User/settings.json", ".gemini/settings.json"}
	for _, name := range files {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(root, name)), 0o755); err != nil {
			f.Fatal(err)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, name := range files {
			if err := os.WriteFile(filepath.Join(root, name), data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		servers, problems := Find(Options{Home: root, GOOS: "linux", SystemRoot: filepath.Join(root, "none")})
		for _, s := range servers {
			if s.File == "" || s.Line < 1 || s.Line > strings.Count(string(data), "\n")+1 {
				t.Errorf("a server at %s:%d", s.File, s.Line)
			}
			if s.Problem == "" && (s.Command == "") == (s.URL == "") {
				t.Errorf("no problem, and command %q, URL %q", s.Command, s.URL)
			}
			if s.Problem == "" && s.Transport == "" {
				t.Error("no problem, and no transport")
			}
			if len(s.Problem) > 1000 || len(s.String()) > 2000 {
				t.Errorf("too long: %s: %s", s, s.Problem)
			}
			s.Launcher()
			s.Display()
		}
		for _, p := range problems {
			if len(p.Text) > 1000 || p.File == "" {
				t.Errorf("problem: %v", p)
			}
		}
	})
}

// BenchmarkFindLarge reads a ~/.claude.json of 32 MiB, in which servers are few.
func BenchmarkFindLarge(b *testing.B) {
	root := b.TempDir()
	var text strings.Builder
	text.WriteString(`{"mcpServers": {"x": {"command": "c"}}, "projects": {`)
	for i := 0; text.Len() < 32<<20; i++ {
		fmt.Fprintf(&text, "\"/p%d\": {\"history\": [\"%s\"],\n\"mcpServers\": {}},", i, strings.Repeat("word ", 2000))
	}
	text.WriteString(`}}`)
	if err := os.WriteFile(filepath.Join(root, ".claude.json"), []byte(text.String()), 0o600); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(text.Len()))
	for b.Loop() {
		if s, p := Find(Options{Home: root, GOOS: "linux", SystemRoot: filepath.Join(root, "none")}); len(s) != 1 || len(p) != 0 {
			b.Fatal(s, p)
		}
	}
}
