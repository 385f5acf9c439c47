// Package hostile is a set of tool servers over stdio, each with one behaviour,
// to try a client on: some are polite, most are not.
//
//	hostile.Run("garbage", os.Stdin, os.Stdout, os.Stderr)
//
// Next door, hostile-server is the program of it. A test binary can be every one
// of them as well: it calls [MaybeRun] first thing in TestMain and starts itself
// with the arguments of [Args].
package hostile

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
)

// marker as the first argument makes a program that calls MaybeRun a server.
const marker = "hostile-server"

// Args are the arguments by which a program that calls [MaybeRun] is the server
// of that name.
func Args(name string) []string { return []string{marker, name} }

// MaybeRun makes this process a server, and ends it, where it was started with
// the arguments of [Args].
func MaybeRun() {
	if len(os.Args) > 2 && os.Args[1] == marker {
		os.Exit(Run(os.Args[2], os.Stdin, os.Stdout, os.Stderr))
	}
}

// Run is the server of that name; it returns its exit code.
func Run(name string, stdin io.Reader, stdout, stderr io.Writer) int {
	b, ok := behaviours[name]
	if !ok {
		fmt.Fprintf(stderr, "hostile: no server %q\n", name)
		return 64
	}
	p := &peer{in: bufio.NewReaderSize(stdin, 1<<20), out: stdout, err: stderr}
	return b(p)
}

// Names are the names of all servers, sorted.
func Names() []string { return slices.Sorted(maps.Keys(behaviours)) }

// A behaviour is a server from its start to its exit code.
type behaviour func(*peer) int

// A peer is the other end: the client.
type peer struct {
	in  *bufio.Reader
	out io.Writer
	err io.Writer
}

// A call is a message from the client.
type call struct {
	ID     json.RawMessage
	Method string
	Params struct {
		Cursor *string
		Meta   map[string]any `json:"_meta"`
	}
	Result json.RawMessage
	Error  *struct{ Code int }
}

// read returns the client's next message; false at the end.
func (p *peer) read() (call, bool) {
	var c call
	line, err := p.in.ReadBytes('\n')
	if err != nil {
		return c, false
	}
	if err := json.Unmarshal(line, &c); err != nil {
		fmt.Fprintf(p.err, "hostile: the client sent %q: %v\n", line, err)
		return c, false
	}
	return c, true
}

// write writes raw text to the client.
func (p *peer) write(text string) { _, _ = io.WriteString(p.out, text) }

// line writes one line to the client.
func (p *peer) line(text string) { p.write(text + "\n") }

// result answers c with a result.
func (p *peer) result(c call, result string) {
	p.line(`{"jsonrpc":"2.0","id":` + string(c.ID) + `,"result":` + result + `}`)
}

// fault answers c with an error.
func (p *peer) fault(c call, code int, message string) {
	quoted, _ := json.Marshal(message) // a string always can
	p.line(fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"error":{"code":%d,"message":%s}}`, c.ID, code, quoted))
}

// A script is a server by what it answers; what is left out is polite.
type script struct {
	// version is what initialize answers; "" is 2025-11-25.
	version string
	// capabilities is a JSON object; "" is {"tools":{}}.
	capabilities string
	initialize   func(p *peer, c call)
	list         func(p *peer, c call)
	// discover answers server/discover; nil is method not found.
	discover func(p *peer, c call)
	// end runs when the client has closed our input.
	end func(p *peer) int
}

// run serves until the client closes our input.
func (s script) run(p *peer) int {
	for {
		c, ok := p.read()
		if !ok {
			break
		}
		switch {
		case c.Method == "initialize" && s.initialize != nil:
			s.initialize(p, c)
		case c.Method == "initialize":
			s.welcome(p, c)
		case c.Method == "tools/list" && s.list != nil:
			s.list(p, c)
		case c.Method == "tools/list":
			p.result(c, `{"tools":[`+strings.Join(Tools, ",")+`]}`)
		case c.Method == "server/discover" && s.discover != nil:
			s.discover(p, c)
		case c.Method != "" && c.ID != nil:
			p.fault(c, -32601, "Method not found")
		}
	}
	if s.end != nil {
		return s.end(p)
	}
	return 0
}

// welcome answers initialize as a polite server would.
func (s script) welcome(p *peer, c call) {
	version, capabilities := s.version, s.capabilities
	if version == "" {
		version = "2025-11-25"
	}
	if capabilities == "" {
		capabilities = `{"tools":{"listChanged":true}}`
	}
	p.result(c, `{"protocolVersion":"`+version+`","capabilities":`+capabilities+`,"serverInfo":{"name":"hostile","version":"1.2.3"}}`)
}

// Tools are the tools of a polite server, byte for byte. The spelling is not
// canonical, on purpose: whoever writes them again changes them.
var Tools = []string{
	`{"name":"read_file", "description":"Reads a file.\u000aNothing else.","inputSchema":{"type":"object","properties":{"path":{"type":"string"}}},"annotations":{"readOnlyHint":false}}`,
	`{"name":"schreibe","title":"Schreiben","description":"Schreibt eine Datei – ü","inputSchema":{"type":"object","maximum":1.0e2,"x-unknown":[1E0,null]},"outputSchema":{"type":"object"},"_meta":{"a":1}}`,
	`{"inputSchema":{ },"name":"bare"}`,
}

// tool is a tool of that name and nothing else.
func tool(name string) string {
	quoted, _ := json.Marshal(name) // a string always can
	return `{"name":` + string(quoted) + `,"inputSchema":{"type":"object"}}`
}

// listing is a script whose list is this result.
func listing(result string) behaviour {
	return script{list: func(p *peer, c call) { p.result(c, result) }}.run
}
