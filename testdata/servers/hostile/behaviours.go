package hostile

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// behaviours are all servers by name.
var behaviours = map[string]behaviour{
	// Polite, each in its own way.
	"good":         script{}.run,
	"paged":        script{list: paged}.run,
	"empty":        listing(`{"tools":[]}`),
	"no-tools":     script{capabilities: `{}`, list: notFound}.run,
	"undeclared":   script{capabilities: `{}`}.run,
	"old":          script{version: "2024-11-05"}.run,
	"stateless":    script{initialize: notFound, list: statelessList, discover: discover}.run,
	"chatty":       chatty,
	"windows":      windows,
	"batch":        script{version: "2025-03-26", list: batched}.run,
	"claims":       script{capabilities: `{"tools":{},"extensions":{"mcp-integrity/v1":{"seal_level":2,"manifest_url":"https://example.com/m.json"}}}`}.run,
	"claims-wrong": script{capabilities: `{"tools":{},"extensions":{"mcp-integrity/v1":{"seal_level":"2","manifest_url":7}}}`}.run,
	"last-words":   script{end: func(p *peer) int { p.line("goodbye"); return 3 }}.run,
	"stale-answer": script{list: staleAnswer}.run,
	"environment":  script{list: environment}.run,
	"directory":    script{list: directory}.run,
	"files":        script{list: files}.run,
	"spy":          script{list: spy}.run,
	"burrow":       burrow,

	// Silent, dying, refusing.
	"hang":             func(p *peer) int { p.read(); return sleep(p) },
	"hang-list":        script{list: func(p *peer, _ call) { sleep(p) }}.run,
	"deaf":             sleep,
	"die":              script{initialize: die}.run,
	"die-list":         script{list: die}.run,
	"die-mid-line":     script{list: dieMidLine}.run,
	"close-output":     closeOutput,
	"error-initialize": script{initialize: func(p *peer, c call) { p.fault(c, -32000, "API_KEY is not set") }}.run,
	"error-list":       script{list: func(p *peer, c call) { p.fault(c, -32603, "database is down\x1b[31m") }}.run,
	"unread": script{list: func(p *peer, _ call) {
		p.line(`{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"Parse error"}}`)
	}}.run,
	"drip": drip,

	// No strict JSON, no JSON-RPC, no list.
	"garbage":           func(p *peer) int { p.line("Server listening on stdio \x1b[32mok"); return script{}.run(p) },
	"duplicate-members": listing(`{"tools":[{"name":"a","description":"good","description":"evil","inputSchema":{}}]}`),
	"duplicate-escaped": listing(`{"tools":[{"name":"a","n\u0061me":"b","inputSchema":{}}]}`),
	"two-results":       script{list: twoResults}.run,
	"two-answers":       script{list: twoAnswers}.run,
	"two-lists":         listing(`{"tools":[],"tools":[` + tool("a") + `]}`),
	"result-and-error":  script{list: resultAndError}.run,
	"invalid-utf8":      listing("{\"tools\":[{\"name\":\"a\",\"description\":\"\xff\",\"inputSchema\":{}}]}"),
	"lone-surrogate":    listing(`{"tools":[{"name":"a","description":"\ud800","inputSchema":{}}]}`),
	"huge-number":       listing(`{"tools":[{"name":"a","inputSchema":{"maximum":1e400}}]}`),
	"batch-now":         script{list: batched}.run,
	"tools-null":        listing(`{"tools":null}`),
	"tools-missing":     listing(`{}`),
	"tools-object":      listing(`{"tools":{"a":` + tool("a") + `}}`),
	"null-element":      listing(`{"tools":[` + tool("a") + `,null]}`),
	"cursor-number":     listing(`{"tools":[],"nextCursor":1}`),
	"no-name":           listing(`{"tools":[{"inputSchema":{}}]}`),
	"same-name":         listing(`{"tools":[` + tool("a") + `,` + tool("a") + `]}`),
	"unknown-version":   script{version: "2099-01-01"}.run,
	"input-required":    script{initialize: notFound, discover: discover, list: inputRequired}.run,

	// Too much.
	"changing":     script{list: changing}.run,
	"settling":     settling,
	"same-cursor":  listing(`{"tools":[],"nextCursor":"again"}`),
	"empty-cursor": listing(`{"tools":[],"nextCursor":""}`),
	"new-cursors":  script{list: newCursors}.run,
	"long-line":    script{list: longLine}.run,
	"deep":         script{list: deep}.run,
	"many-tools":   script{list: manyTools}.run,
	"many-bytes":   script{list: manyBytes}.run,
	"blank-lines":  func(p *peer) int { return forever(p, strings.Repeat("\n", 1<<16)) },
	"flood":        func(p *peer) int { return forever(p, `{"jsonrpc":"2.0","method":"notifications/message"}`+"\n") },
	"ping-flood":   func(p *peer) int { return forever(p, `{"jsonrpc":"2.0","id":"p","method":"ping"}`+"\n") },
	"noisy":        noisy,

	// Hard to be rid of.
	"never-ends":   script{end: sleep}.run,
	"on-term":      onTerm,
	"survivor":     survivor,
	"daemon":       daemon,
	"parricide":    parricide,
	"jailer":       jailer,
	"locked-home":  lockedHome,
	"unstable":     script{list: unstable}.run,
	sleeperName:    func(p *peer) int { return sleep(p) },
	respawnerName:  respawner,
	jumperName:     jumper,
	"hopper":       hopper,
	"leaves-group": leavesGroup,
}

func notFound(p *peer, c call) { p.fault(c, -32601, "Method not found") }

// sleep stays, whatever happens to input and output.
func sleep(*peer) int {
	time.Sleep(10 * time.Minute)
	return 0
}

// paged serves one tool a page, by cursors that want quoting.
func paged(p *peer, c call) {
	page := 0
	if c.Params.Cursor != nil {
		page = len(strings.TrimPrefix(*c.Params.Cursor, "\"ü\n"))
	}
	if page >= len(Tools)-1 {
		p.result(c, `{"tools":[`+Tools[page]+`],"nextCursor":null}`)
		return
	}
	next, _ := json.Marshal("\"ü\n" + strings.Repeat("x", page+1)) // a string always can
	p.result(c, `{"nextCursor":`+string(next)+`,"tools":[ `+Tools[page]+` ]}`)
}

const metaPrefix = "io.modelcontextprotocol/"

// stateless says whether c carries all that 2026-07-28 asks of a request.
func stateless(c call) bool {
	capabilities, ok := c.Params.Meta[metaPrefix+"clientCapabilities"].(map[string]any)
	return ok && len(capabilities) == 0 && c.Params.Meta[metaPrefix+"protocolVersion"] == "2026-07-28"
}

func discover(p *peer, c call) {
	if !stateless(c) {
		p.fault(c, -32602, "no _meta")
		return
	}
	p.result(c, `{"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{"tools":{}},`+
		`"_meta":{"`+metaPrefix+`serverInfo":{"name":"stateless","version":"2.0.0"}},"ttlMs":0}`)
}

func statelessList(p *peer, c call) {
	if !stateless(c) {
		p.fault(c, -32602, "no _meta")
		return
	}
	paged(p, c)
}

func inputRequired(p *peer, c call) {
	p.result(c, `{"resultType":"input_required","inputRequests":{},"tools":[]}`)
}

// windows ends its lines as Windows does and leaves some blank.
func windows(p *peer) int {
	crlf := *p
	crlf.out = writerFunc(func(b []byte) (int, error) {
		_, err := io.WriteString(p.out, "\r\n"+strings.TrimSuffix(string(b), "\n")+" \t\r\n\n")
		return len(b), err
	})
	return script{}.run(&crlf)
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

func batched(p *peer, c call) {
	p.line(`[{"jsonrpc":"2.0","method":"notifications/message"},{"jsonrpc":"2.0","id":` + string(c.ID) +
		`,"result":{"tools":[` + strings.Join(Tools, ",") + `]}}]`)
}

// staleAnswer answers a request that was never made first.
func staleAnswer(p *peer, c call) {
	p.line(`{"jsonrpc":"2.0","id":4711,"result":{"tools":[]}}`)
	p.line(`{"jsonrpc":"2.0","id":"x","error":{"code":1,"message":"late"}}`)
	p.result(c, `{"tools":[`+strings.Join(Tools, ",")+`]}`)
}

// environment describes its environment.
func environment(p *peer, c call) {
	quoted, _ := json.Marshal(strings.Join(os.Environ(), "\n")) // a string always can
	p.result(c, `{"tools":[{"name":"environment","description":`+string(quoted)+`,"inputSchema":{}}]}`)
}

// directory describes where it is, and what is in its home.
func directory(p *peer, c call) {
	wd, err := os.Getwd()
	entries, errHome := os.ReadDir(os.Getenv("HOME"))
	quoted, _ := json.Marshal(fmt.Sprint(wd, " ", err, " ", len(entries), " ", errHome)) // a string always can
	p.result(c, `{"tools":[{"name":"directory","description":`+string(quoted)+`,"inputSchema":{}}]}`)
}

// files describes which pipes it was started with; other files the runtime has
// opened itself.
func files(p *peer, c call) {
	var open []string
	for fd := range 256 {
		if target, err := os.Readlink(fmt.Sprint("/proc/self/fd/", fd)); err == nil && strings.HasPrefix(target, "pipe:") {
			open = append(open, fmt.Sprint(fd))
		}
	}
	quoted, _ := json.Marshal(strings.Join(open, " ")) // a string always can
	p.result(c, `{"tools":[{"name":"files","description":`+string(quoted)+`,"inputSchema":{}}]}`)
}

func die(p *peer, _ call) {
	fmt.Fprintln(p.err, "fatal: \x1b[31mno license\x1b[0m")
	os.Exit(3)
}

func dieMidLine(p *peer, c call) {
	p.write(`{"jsonrpc":"2.0","id":` + string(c.ID) + `,"result":{"tools":[`)
	os.Exit(0)
}

func closeOutput(p *peer) int {
	_ = os.Stdout.Close()
	return sleep(p)
}

// drip sends a valid answer, one byte a second.
func drip(p *peer) int {
	c, _ := p.read()
	for _, b := range `{"jsonrpc":"2.0","id":` + string(c.ID) + `,"result":{}}` {
		p.write(string(b))
		time.Sleep(time.Second)
	}
	return 0
}

func twoResults(p *peer, c call) {
	p.line(`{"jsonrpc":"2.0","id":` + string(c.ID) + `,"result":{"tools":[` + tool("good") + `]},"result":{"tools":[` + tool("evil") + `]}}`)
}

func twoAnswers(p *peer, c call) {
	p.result(c, `{"tools":[`+tool("good")+`]}`)
	p.result(c, `{"tools":[`+tool("evil")+`]}`)
}

func resultAndError(p *peer, c call) {
	p.line(`{"jsonrpc":"2.0","id":` + string(c.ID) + `,"result":{"tools":[]},"error":{"code":1,"message":"x"}}`)
}

func newCursors(p *peer, c call) {
	n := 0
	if c.Params.Cursor != nil {
		_, _ = fmt.Sscan(*c.Params.Cursor, &n)
	}
	p.result(c, fmt.Sprintf(`{"tools":[%s],"nextCursor":"%d"}`, tool(fmt.Sprint("t", n)), n+1))
}

// longLine sends a message of 200 MB.
func longLine(p *peer, c call) {
	p.write(`{"jsonrpc":"2.0","id":` + string(c.ID) + `,"result":{"tools":[{"name":"a","description":"`)
	for range 200 {
		p.write(strings.Repeat("a", 1<<20))
	}
	p.line(`","inputSchema":{}}]}}`)
}

func deep(p *peer, c call) {
	const levels = 100_000
	p.result(c, `{"tools":[{"name":"a","inputSchema":`+strings.Repeat(`{"a":`, levels)+`{}`+strings.Repeat(`}`, levels)+`}]}`)
}

func manyTools(p *peer, c call) {
	var b strings.Builder
	for i := range 100_000 {
		b.WriteString(tool(fmt.Sprint("t", i)) + ",")
	}
	p.result(c, `{"tools":[`+strings.TrimSuffix(b.String(), ",")+`]}`)
}

// manyBytes sends pages that are each just small enough.
func manyBytes(p *peer, c call) {
	n := 0
	if c.Params.Cursor != nil {
		_, _ = fmt.Sscan(*c.Params.Cursor, &n)
	}
	p.result(c, fmt.Sprintf(`{"tools":[{"name":"t%d","description":"%s","inputSchema":{}}],"nextCursor":"%d"}`, n, strings.Repeat("a", 15<<20), n+1))
}

// forever writes text until nobody reads it.
func forever(p *peer, text string) int {
	for {
		if _, err := io.WriteString(p.out, text); err != nil {
			return 1
		}
	}
}

// noisy writes a gigabyte to stderr, between a first and a last line.
func noisy(p *peer) int {
	fmt.Fprintln(p.err, "first words")
	block := []byte(strings.Repeat("noise noise noise noise noise noise noise noise noise noise no.\n", 1<<14))
	for range 1 << 10 {
		_, _ = p.err.Write(block)
	}
	fmt.Fprintln(p.err, "last words")
	return script{}.run(p)
}

// unstable serves another description at each start.
func unstable(p *peer, c call) {
	p.result(c, fmt.Sprintf(`{"tools":[{"name":"a","description":"started at %d by process %d","inputSchema":{}}]}`, time.Now().UnixNano(), os.Getpid()))
}

// lockedHome leaves directories that cannot be read, entered or written.
func lockedHome(p *peer) int {
	for _, dir := range []string{os.Getenv("HOME"), os.Getenv("TMPDIR")} {
		inner := filepath.Join(dir, "a", "b")
		err := os.MkdirAll(inner, 0o700)
		if err == nil {
			err = os.WriteFile(filepath.Join(inner, "file"), nil, 0o400)
		}
		for d := inner; err == nil && len(d) >= len(dir); d = filepath.Dir(d) {
			err = os.Chmod(d, 0)
		}
		if err != nil {
			fmt.Fprintln(p.err, err)
			return 1
		}
	}
	return script{}.run(p)
}

// chatty talks before, between and around its answers, as the protocol allows,
// and ends with an error where the client does not answer as it should.
func chatty(p *peer) int {
	notes := func() {
		p.line(`{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"hello"}}`)
		p.line(`{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}`)
	}
	ask := func() {
		p.line(`{"jsonrpc":"2.0","id":"ping-1","method":"ping"}`)
		p.line(`{"jsonrpc":"2.0","id":1,"method":"roots/list"}`)
		p.line(`{"jsonrpc":"2.0","id":7,"method":"sampling/createMessage","params":{"messages":[]}}`)
	}
	answered := 0
	heed := func(c call) bool {
		switch {
		case c.Method != "":
			return false
		case string(c.ID) == `"ping-1"` && string(c.Result) == "{}" && c.Error == nil:
		case (string(c.ID) == "1" || string(c.ID) == "7") && c.Result == nil && c.Error != nil && c.Error.Code == -32601:
		default:
			fmt.Fprintf(p.err, "answer %s: %s %v\n", c.ID, c.Result, c.Error)
			os.Exit(1)
		}
		answered++
		return true
	}
	notes()
	ask()
	var s script
	for {
		c, ok := p.read()
		switch {
		case !ok:
			return 0
		case heed(c):
		case c.Method == "initialize":
			notes()
			ask()
			s.welcome(p, c)
			notes()
		case c.Method == "tools/list":
			ask()
			for answered < 9 { // the list comes once every question was answered
				if c, ok := p.read(); !ok || !heed(c) && c.ID != nil {
					return 1
				}
			}
			p.result(c, `{"tools":[`+strings.Join(Tools, ",")+`]}`)
			notes()
			ask()
		}
	}
}
