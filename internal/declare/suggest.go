package declare

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/mcp-integrity/seal-action/internal/strictyaml"
	"github.com/mcp-integrity/seal-action/seal"
	"github.com/mcp-integrity/seal-action/seal/fingerprint"
)

// Facts is what is known of a server when its declarations are first written.
// What is empty is left for the publisher to fill in.
type Facts struct {
	// ServerName and ServerVersion are those of serverInfo.
	ServerName, ServerVersion string
	Publisher                 seal.Publisher
	Command                   []string
	// EnvNames are the variables that the server was given. Their values are
	// not asked for: the file goes into a repository.
	EnvNames []string
	Artifact []string
}

// Suggest writes a first declarations file, for the publisher to narrow: the
// widest declarations under defaults, then every tool by name, with what its
// annotations and the property names of its input schema suggest as comments.
//
// The comments below a tool's name become valid YAML when "# " is taken from
// the start of each of them, for any choice of tools. What no annotation or
// property speaks of is left to defaults. The result is read back by [Parse]
// and lists exactly the tools given.
//
// A list of tools that would not fit into [MaxSize] is written without
// suggestions. Names that are no UTF-8 or stand twice are an error, and so are
// facts that the schema refuses.
func Suggest(facts Facts, tools []fingerprint.Tool) ([]byte, error) {
	if err := checkTexts(facts, tools); err != nil {
		return nil, err
	}
	out := compose(facts, tools, writeTool)
	if len(out) > MaxSize {
		out = compose(facts, tools, writeName)
	}
	if len(out) > MaxSize {
		return nil, fmt.Errorf("%d tools take %d bytes to list, want at most %d: declare them by defaults alone", len(tools), len(out), MaxSize)
	}
	if err := readBack(out, tools); err != nil {
		return nil, err
	}
	return out, nil
}

// checkTexts refuses what YAML cannot hold, or holds once only.
func checkTexts(facts Facts, tools []fingerprint.Tool) error {
	for name, list := range map[string][]string{
		"command": facts.Command, "env": facts.EnvNames, "artifact": facts.Artifact,
		"publisher": {facts.Publisher.ID, facts.Publisher.Namespace, facts.Publisher.URL},
	} {
		for _, s := range list {
			if !utf8.ValidString(s) {
				return fmt.Errorf("%s: %.100q is not UTF-8", name, s)
			}
		}
	}
	seen := make(map[string]bool, len(tools))
	for i, t := range tools {
		if !utf8.ValidString(t.Name) {
			return fmt.Errorf("tools[%d]: name %.100q is not UTF-8", i, t.Name)
		}
		if seen[t.Name] {
			return fmt.Errorf("tools[%d]: name %.100q stands twice", i, t.Name)
		}
		seen[t.Name] = true
	}
	return nil
}

// readBack holds Suggest to its promise with the reader that will be used.
func readBack(out []byte, tools []fingerprint.Tool) error {
	f, err := Parse(out)
	if err != nil {
		var first *Error
		if errors.As(err, &first) {
			return fmt.Errorf("what would be written does not hold: %w", first)
		}
		return err
	}
	if !slices.EqualFunc(f.Tools(), tools, func(name string, t fingerprint.Tool) bool { return name == t.Name }) {
		return errors.New("what would be written lists other tools than the server")
	}
	return nil
}

func compose(facts Facts, tools []fingerprint.Tool, write func(*strings.Builder, fingerprint.Tool)) []byte {
	var b strings.Builder
	writeHead(&b, facts)
	writeFacts(&b, facts)
	writeDefaults(&b)
	b.WriteString(toolsHead)
	if len(tools) == 0 {
		b.WriteString("  # The server lists no tools.\n")
	}
	for _, t := range tools {
		write(&b, t)
	}
	return []byte(b.String())
}

func writeHead(b *strings.Builder, facts Facts) {
	fmt.Fprintf(b, "# yaml-language-server: $schema=%s\n#\n", SchemaID)
	b.WriteString("# What the publisher of this server declares about its tools. `mcp-integrity seal` signs it\n" +
		"# as it stands: say what is true. Written by `mcp-integrity init`")
	if facts.ServerName != "" {
		fmt.Fprintf(b, " for %s", commentText(strings.TrimSpace(facts.ServerName+" "+facts.ServerVersion)))
	}
	b.WriteString(".\n\n")
}

func writeFacts(b *strings.Builder, facts Facts) {
	b.WriteString("publisher:\n")
	writeMember(b, "id", facts.Publisher.ID, "security@acme.example")
	writeMember(b, "namespace", facts.Publisher.Namespace, "io.github.acme")
	writeMember(b, "url", facts.Publisher.URL, "https://github.com/acme")

	b.WriteString("\nserver:\n")
	if len(facts.Command) > 0 {
		fmt.Fprintf(b, "  command: %s\n", yamlList(facts.Command))
	} else {
		b.WriteString("  # command: [node, dist/index.js]\n")
	}
	if len(facts.EnvNames) > 0 {
		b.WriteString("  env: # dummies that are enough to list the tools; no secrets, this file is published\n")
		for _, name := range facts.EnvNames {
			fmt.Fprintf(b, "    %s: dummy\n", strictyaml.Text(name))
		}
	} else {
		b.WriteString("  # env: {API_KEY: dummy} # enough to list the tools; no secrets, this file is published\n")
	}

	b.WriteString("\nartifact:\n")
	for _, a := range facts.Artifact {
		fmt.Fprintf(b, "  - %s\n", strictyaml.Text(a))
	}
	if len(facts.Artifact) == 0 {
		b.WriteString("  # - acme-file-tools-1.2.4.tgz\n")
	}
}

// writeMember writes a member of publisher, commented out where unknown.
func writeMember(b *strings.Builder, name, value, example string) {
	if value == "" {
		fmt.Fprintf(b, "  # %s: %s\n", name, example)
		return
	}
	fmt.Fprintf(b, "  %s: %s\n", name, strictyaml.Text(value))
}

const defaultsHead = `
# For every tool that says nothing else: the widest, until you narrow it. A tool's side_effects
# replace these member by member; its lists, and its capabilities_required, replace them whole.
defaults:
  side_effects:
`

const toolsHead = `
# To take over a suggestion, delete the "# " before each of its lines, then check it: it is guessed
# from what the tool says of itself. What is not suggested stays as in defaults.
tools:
`

// memberComments explain the widest defaults where they stand.
var memberComments = map[string]string{
	reads:               "categories that a tool reads from; [] is none",
	writes:              "categories that a tool writes to",
	networkEgress:       "does it make outbound connections?",
	networkEndpoints:    "the hosts that it connects to",
	executesCode:        "eval, subprocesses, shell commands",
	accessesEnvVars:     "does it read environment variables?",
	envVarsAccessed:     "their names",
	spawnsProcesses:     "does it start child processes?",
	modifiesSystemState: "registry, services, scheduled tasks",
	persistsData:        "does it store data beyond the session?",
}

func writeDefaults(b *strings.Builder) {
	b.WriteString(defaultsHead)
	w := Widest()
	for _, m := range statements(w.SideEffects) {
		fmt.Fprintf(b, "    %s: %s # %s\n", m.name, m.value, memberComments[m.name])
	}
	b.WriteString("  capabilities_required:\n")
	for _, c := range w.Capabilities {
		fmt.Fprintf(b, "    - %s\n", yamlCapability(c))
	}
}

// A statement is a member of side_effects in YAML.
type statement struct{ name, value string }

// statements are all members of e but for the optional ones that init has no
// opinion on.
func statements(e seal.SideEffects) []statement {
	yes := func(b bool) string { return fmt.Sprint(b) }
	return []statement{
		{reads, yamlList(e.Reads)},
		{writes, yamlList(e.Writes)},
		{networkEgress, yes(e.NetworkEgress)},
		{networkEndpoints, yamlList(e.NetworkEndpoints)},
		{executesCode, yes(e.ExecutesCode)},
		{accessesEnvVars, yes(e.AccessesEnvVars)},
		{envVarsAccessed, yamlList(e.EnvVarsAccessed)},
		{spawnsProcesses, yes(e.SpawnsProcesses)},
		{modifiesSystemState, yes(e.ModifiesSystemState)},
		{persistsData, yes(e.PersistsData)},
	}
}

func yamlCapability(c seal.Capability) string {
	scope := ""
	if c.Scope != "" {
		scope = ", scope: " + strictyaml.Text(c.Scope)
	}
	return fmt.Sprintf("{resource: %s, actions: %s%s, required: %t}", strictyaml.Text(c.Resource), yamlList(c.Actions), scope, c.Required)
}

// writeName writes a tool that falls under defaults.
func writeName(b *strings.Builder, t fingerprint.Tool) {
	fmt.Fprintf(b, "  %s:\n", strictyaml.Text(t.Name))
}

// writeTool writes what the tool says of itself, its name, and below it the
// suggestion as comments.
func writeTool(b *strings.Builder, t fingerprint.Tool) {
	e := gather(t.Annotations, t.InputSchema)
	b.WriteByte('\n')
	if text := commentText(t.Description); text != "" {
		fmt.Fprintf(b, "  # %s\n", text)
	}
	if text := e.hints.String(); text != "" {
		fmt.Fprintf(b, "  # Annotations: %s.\n", text)
	}
	writeName(b, t)
	n := narrow(e)
	if len(n.why) == 0 {
		return
	}
	b.WriteString("    # side_effects:\n")
	for _, m := range statements(n.SideEffects) {
		if why, ok := n.why[m.name]; ok {
			fmt.Fprintf(b, "    #   %s: %s # %s\n", m.name, m.value, why)
		}
	}
	b.WriteString("    # capabilities_required:\n")
	for _, c := range n.capabilities() {
		fmt.Fprintf(b, "    #   - %s\n", yamlCapability(c))
	}
}
