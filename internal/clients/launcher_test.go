package clients

import (
	"strings"
	"testing"
)

func TestLauncher(t *testing.T) {
	const sha = "0123456789abcdef0123456789abcdef01234567"
	const digest = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	tests := []struct {
		line string
		want Launcher
	}{
		{"npx -y @scope/server", Launcher{"npx", "npm", "@scope/server", "", false}},
		{"npx -y @scope/server@latest /dir", Launcher{"npx", "npm", "@scope/server", "latest", false}},
		{"npx @scope/server@1.2.3", Launcher{"npx", "npm", "@scope/server", "1.2.3", true}},
		{"npx server@1.2.3-rc.1", Launcher{"npx", "npm", "server", "1.2.3-rc.1", true}},
		{"npx server@^1.2.3", Launcher{"npx", "npm", "server", "^1.2.3", false}},
		{"npx server@1.2", Launcher{"npx", "npm", "server", "1.2", false}},
		{"npx server@1.2.x", Launcher{"npx", "npm", "server", "1.2.x", false}},
		{"npx --package=server@1.0.0 run-it", Launcher{"npx", "npm", "server", "1.0.0", true}},
		{"npx -p server run-it@1.0.0", Launcher{"npx", "npm", "server", "", false}},
		{"npx --registry https://r.example -y server@1.0.0", Launcher{"npx", "npm", "server", "1.0.0", true}},
		{"npx -y -- server@1.0.0", Launcher{"npx", "npm", "server", "1.0.0", true}},
		{"npx github:acme/server#" + sha, Launcher{"npx", "npm", "github:acme/server", sha, true}},
		{"npx acme/server#v1.0.0", Launcher{"npx", "npm", "acme/server", "v1.0.0", false}},
		{"npx ./server", Launcher{"npx", "npm", "./server", "", false}},
		{"npx", Launcher{"npx", "npm", "", "", false}},
		{"npx -p", Launcher{"npx", "npm", "", "", false}},
		{`C:\node\npx.cmd -y server`, Launcher{"npx", "npm", "server", "", false}},
		{"/usr/local/bin/npx server", Launcher{"npx", "npm", "server", "", false}},
		{"cmd /c npx -y server@1.0.0", Launcher{"npx", "npm", "server", "1.0.0", true}},
		{"npm exec --yes server@1.0.0", Launcher{"npm", "npm", "server", "1.0.0", true}},
		{"pnpm dlx server", Launcher{"pnpm", "npm", "server", "", false}},
		{"bunx server@1.0.0", Launcher{"bunx", "npm", "server", "1.0.0", true}},
		{"bun x server", Launcher{"bun", "npm", "server", "", false}},

		{"uvx mcp-server-git", Launcher{"uvx", "pypi", "mcp-server-git", "", false}},
		{"uvx mcp-server-git@latest", Launcher{"uvx", "pypi", "mcp-server-git", "latest", false}},
		{"uvx mcp-server-git@2025.1.2", Launcher{"uvx", "pypi", "mcp-server-git", "2025.1.2", true}},
		{"uvx --from mcp[cli]==1.2.3 mcp", Launcher{"uvx", "pypi", "mcp", "1.2.3", true}},
		{"uvx --from mcp==1.* mcp", Launcher{"uvx", "pypi", "mcp", "1.*", false}},
		{"uvx --from mcp>=1.2 mcp", Launcher{"uvx", "pypi", "mcp", ">=1.2", false}},
		{"uvx --python 3.12 --with x server==1.0", Launcher{"uvx", "pypi", "server", "1.0", true}},
		{"uvx --from git+https://github.com/a/b@" + sha + " b", Launcher{"uvx", "pypi", "git+https://github.com/a/b", sha, true}},
		{"uvx --from git+https://github.com/a/b@v1 b", Launcher{"uvx", "pypi", "git+https://github.com/a/b", "v1", false}},
		{"uvx --from git+https://github.com/a/b b", Launcher{"uvx", "pypi", "git+https://github.com/a/b", "", false}},
		{"uvx --from git+ssh://git@github.com/a/b b", Launcher{"uvx", "pypi", "git+ssh://git@github.com/a/b", "", false}},
		{"uv tool run server==1.0", Launcher{"uv", "pypi", "server", "1.0", true}},
		{"pipx run --spec server==1.0 cmd", Launcher{"pipx", "pypi", "server", "1.0", true}},
		{"pipx run server", Launcher{"pipx", "pypi", "server", "", false}},

		{"docker run -i --rm mcp/fetch", Launcher{"docker", "docker", "mcp/fetch", "", false}},
		{"docker run -i --rm -e TOKEN mcp/fetch:1.2.3 --flag", Launcher{"docker", "docker", "mcp/fetch", "1.2.3", false}},
		{"docker run -it --rm --env=A=b -v /a:/b --network none host:5000/x/y@" + digest, Launcher{"docker", "docker", "host:5000/x/y", digest, true}},
		{"docker run -ieTOKEN host:5000/x", Launcher{"docker", "docker", "host:5000/x", "", false}},
		{"docker run -ie TOKEN img:1", Launcher{"docker", "docker", "img", "1", false}},
		{"docker container run --rm img", Launcher{"docker", "docker", "img", "", false}},
		{"podman run --mount type=bind,src=/a,dst=/b img:1@sha256:short", Launcher{"podman", "docker", "img:1", "sha256:short", false}},
		{"docker run", Launcher{"docker", "docker", "", "", false}},
	}
	for _, tt := range tests {
		words := strings.Fields(tt.line)
		got, ok := Server{Command: words[0], Args: words[1:]}.Launcher()
		if !ok || got != tt.want {
			t.Errorf("%s:\n got %+v, %v\nwant %+v", tt.line, got, ok, tt.want)
		}
	}
	for _, line := range []string{"node server.js", "docker mcp gateway run", "uv run server.py", "npm start", "cmd /c", "mynpx server"} {
		words := strings.Fields(line)
		if got, ok := (Server{Command: words[0], Args: words[1:]}).Launcher(); ok {
			t.Errorf("%s: got %+v, want none", line, got)
		}
	}
	if _, ok := (Server{URL: "https://x.example"}).Launcher(); ok {
		t.Error("a URL has no launcher")
	}
}
