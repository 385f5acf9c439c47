package server

import "time"

// Bounds on what a server may cost us. They hold before anything is kept.
const (
	// DefaultTimeout bounds a whole listing. The slowest of 35 real servers
	// took 8 s to answer under load, and a launcher may download first.
	DefaultTimeout = 30 * time.Second

	// maxMessage is the longest message in bytes. The largest answer of 35 real
	// servers has 140,582; the Go SDK's own readers stop at the same 16 MiB, so
	// a host built on it could not use a server that needs more.
	maxMessage = 16 << 20
	// maxTotal is what a session may send in all, so that pages and chatter of
	// just under maxMessage cannot add up.
	maxTotal = 64 << 20
	// maxMessages counts messages of every kind. The most talkative real server
	// sent 17 notifications in a session.
	maxMessages = 10_000
	// maxPages and maxTools bound a paged list. No real server was seen to page,
	// the longest list had 49 tools.
	maxPages = 1_000
	maxTools = 10_000
	// maxListings is how often a paged list is read again that changed meanwhile.
	maxListings = 3
	// maxID is the longest request id that is echoed back to a server.
	maxID = 256
	// maxOutbox is how many messages wait for a server that does not read.
	maxOutbox = 1_024

	// stderrHead and stderrTail are what is kept of stderr: how it began, which
	// names the program, and how it ended, which names the fault.
	stderrHead = 16 << 10
	stderrTail = 48 << 10

	// inputGrace is how long a server may take to end once its stdin is closed:
	// 34 of 35 real servers end then. termGrace follows SIGTERM. killGrace is
	// how long the dead are looked for before we say that some were left.
	inputGrace = 2 * time.Second
	termGrace  = time.Second
	killGrace  = 5 * time.Second
	// drainGrace is how long output that is already in a pipe may take to be
	// read after its writers are gone.
	drainGrace = time.Second

	// maxEntries is how many entries of a directory are held at once.
	maxEntries = 1_000

	// maxRedirects, maxErrorBody and maxHeader bound HTTP. A JSON-RPC error in
	// the body of a refusal is short; headers carry a session id.
	maxRedirects = 5
	maxErrorBody = 64 << 10
	maxHeader    = 256 << 10
)
