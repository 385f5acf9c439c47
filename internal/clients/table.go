package clients

// The scopes of a server.
const (
	scopeUser      = "user"      // in every project of this person
	scopeProfile   = "profile"   // in one profile of an editor
	scopeLocal     = "local"     // of this person, in one project
	scopeProject   = "project"   // of everybody who has the project
	scopeExtension = "extension" // came with an extension
	scopeSystem    = "system"    // of everybody at this machine
	scopeManaged   = "managed"   // set by who administers this machine
)

// source is a row of the table: files of one client, and how they read.
type source struct {
	client string
	scope  string
	// paths are templates, one for each system: {home}, {config} (see
	// Options.ConfigDir), {local} (%LOCALAPPDATA%), {claude}
	// ($CLAUDE_CONFIG_DIR or {home}), {dotclaude} (the same or {home}/.claude),
	// {project} (each directory from the
	// project to its repository's root), {system} (see Options.SystemRoot). One
	// `*` stands for any folder. "" is: not on this system.
	paths systems
	// servers are the places of the objects that hold servers: names of
	// members, where `*` is any member.
	servers [][]string
	// off are lists of names of servers that are switched off.
	off []offList
	// alone: where this file exists, the client starts no other servers.
	alone bool
	// large: the file is bounded by maxState.
	large bool
	read  *dialect
}

type systems struct{ linux, darwin, windows string }

// offList is the place of a list of names, and the scopes that it holds for.
type offList struct {
	path   []string
	scopes []string
}

func (s *source) limit() int64 {
	if s.large {
		return maxState
	}
	return maxFile
}

// dialect is how an entry of a client reads.
type dialect struct {
	vars syntax
	// urls are the members that name a URL, the one that wins first, with the
	// transport that they mean where the entry has no type.
	urls []urlMember
	// commandObject: the command may be an object {path, args, env}.
	commandObject bool
	// noCommand says what an entry means that has neither command nor URL; ""
	// is: nothing, an error.
	noCommand string
	// off is the member that switches an entry off when it has offValue.
	off      string
	offValue bool
	// cwd: the member cwd is read.
	cwd bool
	// unfit are members that this program does not follow, and why.
	unfit map[string]string
}

type urlMember struct{ name, transport string }

// Members that change how a server starts, in a way that is not followed here.
const (
	whyEnvFile = "its environment is read from a file (envFile)"
	whyHeaders = "its headers are made by a command (headersHelper)"
)

var urlOnly = []urlMember{{"url", transportHTTP}}

var (
	// Claude Desktop: https://modelcontextprotocol.io/docs/develop/connect-local-servers
	// Values are taken as they stand.
	claudeDesktop = &dialect{urls: urlOnly}

	// Claude Code: https://code.claude.com/docs/en/mcp (environment variable
	// expansion; headersHelper).
	claudeCode = &dialect{vars: syntaxDefault, urls: urlOnly, unfit: map[string]string{"headersHelper": whyHeaders}}

	// VS Code: https://code.visualstudio.com/docs/copilot/reference/mcp-configuration
	// and https://code.visualstudio.com/docs/reference/variables-reference
	vscode = &dialect{vars: syntaxEditor, urls: urlOnly, cwd: true, unfit: map[string]string{"envFile": whyEnvFile}}

	// Cursor: https://cursor.com/docs/mcp (config interpolation)
	cursor = &dialect{vars: syntaxEditor, urls: urlOnly, cwd: true, unfit: map[string]string{"envFile": whyEnvFile}}

	// Windsurf: https://docs.windsurf.com/windsurf/cascade/mcp (config
	// interpolation)
	windsurf = &dialect{vars: syntaxEnv, urls: []urlMember{{"serverUrl", transportHTTP}, {"url", transportHTTP}}, off: "disabled", offValue: true}

	// Zed: https://zed.dev/docs/ai/mcp, and the older shape, in which command is
	// an object, at https://zed.dev/docs/assistant/context-servers. Values are
	// taken as they stand.
	zed = &dialect{urls: urlOnly, commandObject: true, off: "enabled", offValue: false,
		noCommand: "its command comes from a Zed extension, not from the settings"}

	// Gemini CLI: https://geminicli.com/docs/tools/mcp-server and
	// https://geminicli.com/docs/extensions/reference
	gemini = &dialect{vars: syntaxShell, urls: []urlMember{{"httpUrl", transportHTTP}, {"url", transportSSE}}, cwd: true}
)

var mcpServers = [][]string{{"mcpServers"}}

// same is a template that holds on every system.
func same(t string) systems { return systems{t, t, t} }

// table is every place that is looked at. Files of the person stand before
// those of the project: where the project is the home directory, a file is
// what the former says that it is.
var table = append(append([]source{
	{client: "claude-desktop", scope: scopeUser, servers: mcpServers, read: claudeDesktop,
		paths: same("{config}/Claude/claude_desktop_config.json")},
	// Installed as MSIX, an application's %APPDATA% is redirected into its
	// package: https://learn.microsoft.com/windows/msix/desktop/desktop-to-uwp-behind-the-scenes
	// That this is the package is not documented, it is what people find.
	{client: "claude-desktop", scope: scopeUser, servers: mcpServers, read: claudeDesktop,
		paths: systems{windows: "{local}/Packages/Claude_pzs8sxrjxfjjc/LocalCache/Roaming/Claude/claude_desktop_config.json"}},

	// https://code.claude.com/docs/en/managed-mcp: the file has exclusive control.
	{client: "claude-code", scope: scopeManaged, servers: mcpServers, read: claudeCode, alone: true,
		paths: systems{
			linux:   "{system}/etc/claude-code/managed-mcp.json",
			darwin:  "{system}/Library/Application Support/ClaudeCode/managed-mcp.json",
			windows: "{system}/Program Files/ClaudeCode/managed-mcp.json",
		}},
	// https://code.claude.com/docs/en/mcp: user and local scope. What a person
	// has answered about the servers of a project stands there, too.
	{client: "claude-code", scope: scopeUser, servers: mcpServers, read: claudeCode, large: true, paths: same("{claude}/.claude.json")},
	{client: "claude-code", scope: scopeLocal, servers: [][]string{{"projects", "*", "mcpServers"}}, read: claudeCode, large: true,
		off: []offList{
			{[]string{"projects", "*", "disabledMcpServers"}, []string{scopeLocal, scopeProject}},
			{[]string{"projects", "*", "disabledMcpjsonServers"}, []string{scopeProject}},
		},
		paths: same("{claude}/.claude.json")},
	{client: "claude-code", scope: scopeProject, servers: mcpServers, read: claudeCode, paths: same("{project}/.mcp.json")},
	// https://code.claude.com/docs/en/settings: switches only.
	claudeSettings(scopeUser, "{dotclaude}/settings.json"),
	claudeSettings(scopeProject, "{project}/.claude/settings.json"),
	claudeSettings(scopeLocal, "{project}/.claude/settings.local.json"),

	{client: "cursor", scope: scopeUser, servers: mcpServers, read: cursor, paths: same("{home}/.cursor/mcp.json")},
	{client: "cursor", scope: scopeProject, servers: mcpServers, read: cursor, paths: same("{project}/.cursor/mcp.json")},

	{client: "windsurf", scope: scopeUser, servers: mcpServers, read: windsurf, paths: same("{home}/.codeium/windsurf/mcp_config.json")},
	// The plugins for other editors: https://docs.windsurf.com/plugins/cascade/mcp
	{client: "windsurf", scope: scopeUser, servers: mcpServers, read: windsurf, paths: same("{home}/.codeium/mcp_config.json")},

	// https://zed.dev/docs/configuring-zed
	{client: "zed", scope: scopeUser, servers: [][]string{{"context_servers"}}, read: zed,
		paths: systems{linux: "{config}/zed/settings.json", darwin: "{home}/.config/zed/settings.json", windows: "{config}/Zed/settings.json"}},
	{client: "zed", scope: scopeProject, servers: [][]string{{"context_servers"}}, read: zed, paths: same("{project}/.zed/settings.json")},

	// https://geminicli.com/docs/cli/configuration
	geminiSettings(scopeSystem, systems{
		linux:   "{system}/etc/gemini-cli/system-defaults.json",
		darwin:  "{system}/Library/Application Support/GeminiCli/system-defaults.json",
		windows: "{system}/ProgramData/gemini-cli/system-defaults.json",
	}, geminiScopes...),
	geminiSettings(scopeSystem, systems{
		linux:   "{system}/etc/gemini-cli/settings.json",
		darwin:  "{system}/Library/Application Support/GeminiCli/settings.json",
		windows: "{system}/ProgramData/gemini-cli/settings.json",
	}, geminiScopes...),
	geminiSettings(scopeUser, same("{home}/.gemini/settings.json"), geminiScopes...),
	// A project may switch off its own servers here, never hide the person's.
	geminiSettings(scopeProject, same("{project}/.gemini/settings.json"), scopeProject),
	{client: "gemini-cli", scope: scopeExtension, servers: mcpServers, read: gemini, paths: same("{home}/.gemini/extensions/*/gemini-extension.json")},
}, vscodeUser("vscode", "Code")...), append(vscodeUser("vscode-insiders", "Code - Insiders"), append(vscodeUser("vscodium", "VSCodium"),
	source{client: "vscode", scope: scopeProject, servers: vscodeServers, read: vscode, paths: same("{project}/.vscode/mcp.json")},
	source{client: "vscode", scope: scopeProject, servers: vscodeSettings, read: vscode, paths: same("{project}/.vscode/settings.json")},
)...)...)

var (
	vscodeServers = [][]string{{"servers"}}
	// In the settings, the first form of all this, a name with a dot is the
	// same as an object in an object.
	vscodeSettings = [][]string{{"mcp", "servers"}, {"mcp.servers"}}
	geminiScopes   = []string{scopeSystem, scopeUser, scopeProject, scopeExtension}
)

// vscodeUser is what VS Code, or an editor made of it, keeps for a person:
// https://code.visualstudio.com/docs/configure/profiles for the folders.
func vscodeUser(client, folder string) []source {
	user := "{config}/" + folder + "/User/"
	return []source{
		{client: client, scope: scopeUser, servers: vscodeServers, read: vscode, paths: same(user + "mcp.json")},
		{client: client, scope: scopeProfile, servers: vscodeServers, read: vscode, paths: same(user + "profiles/*/mcp.json")},
		{client: client, scope: scopeUser, servers: vscodeSettings, read: vscode, paths: same(user + "settings.json")},
	}
}

func claudeSettings(scope, path string) source {
	return source{client: "claude-code", scope: scope, read: claudeCode, paths: same(path),
		off: []offList{{[]string{"disabledMcpjsonServers"}, []string{scopeProject}}}}
}

func geminiSettings(scope string, paths systems, off ...string) source {
	return source{client: "gemini-cli", scope: scope, servers: mcpServers, read: gemini, paths: paths,
		off: []offList{{[]string{"mcp", "excluded"}, off}}}
}
