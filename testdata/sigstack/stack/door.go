package stack

import (
	"bytes"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync"
	"time"
)

// Bounds on what a door keeps, so that a client in a loop cannot fill memory.
const (
	maxUpload  = 4 << 20 // of one request: more than any server here takes
	maxUploads = 1000    // of a service, until somebody asks
)

// silent keeps net/http from reporting the connections that a fault ends.
var silent = log.New(io.Discard, "", 0)

// Door is the one way to a service: it passes requests on, fails when told to,
// and counts. Its address stays the same whatever happens behind it.
type Door struct {
	name    string
	method  string // of requests that have an effect; others are looks at the service
	success int    // status of a success, for a fault that must look like one
	next    http.Handler
	addr    string

	mu      sync.Mutex
	server  *http.Server // nil while nobody listens
	fault   Fault
	left    int // requests that the fault still has, where it has a count
	counts  counts
	uploads [][]byte
}

// counts are of what happened since somebody last asked.
type counts struct {
	requests int // that reached the door
	effects  int // that the service answered with a success
}

// openDoor listens on a free port.
func openDoor(name, method string, success int, next http.Handler) (*Door, error) {
	d := &Door{name: name, method: method, success: success, next: next, addr: "127.0.0.1:0", fault: Fault{Mode: Clean}}
	return d, d.listen()
}

// toServer is a handler that passes requests on to a server.
func toServer(base string) (http.Handler, error) {
	u, err := url.Parse(base)
	if err != nil {
		return nil, err
	}
	proxy := httputil.NewSingleHostReverseProxy(u)
	proxy.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, err error) {
		http.Error(w, "sigstack: the server behind this door: "+err.Error(), http.StatusBadGateway)
	}
	return proxy, nil
}

// URL is the door's own, without a path.
func (d *Door) URL() string { return "http://" + d.addr }

// listen is idempotent. The first time it picks the port that later times ask for.
func (d *Door) listen() error {
	if d.server != nil {
		return nil
	}
	l, err := net.Listen("tcp", d.addr)
	if err != nil {
		return err
	}
	d.addr = l.Addr().String()
	d.server = &http.Server{Handler: d, ReadHeaderTimeout: 5 * time.Second, ErrorLog: silent}
	go func(s *http.Server) { _ = s.Serve(l) }(d.server)
	return nil
}

// Close stops listening and ends every connection.
func (d *Door) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.shut()
}

func (d *Door) shut() error {
	if d.server == nil {
		return nil
	}
	err := d.server.Close()
	d.server = nil
	return err
}

// Set makes the door fail as f says, from the next request on.
func (d *Door) Set(f Fault) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fault, d.left = f, f.Times
	if f.Mode == Refused {
		return d.shut()
	}
	return d.listen()
}

// take counts a request and returns the fault that it meets.
func (d *Door) take(body []byte) Fault {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.counts.requests++
	if len(body) > 0 && len(d.uploads) < maxUploads {
		d.uploads = append(d.uploads, body)
	}
	f := d.fault
	if f.Times > 0 {
		if d.left--; d.left == 0 {
			d.fault = Fault{Mode: Clean}
		}
	}
	return f
}

// count returns what was counted since it was last asked.
func (d *Door) count() counts {
	d.mu.Lock()
	defer d.mu.Unlock()
	c := d.counts
	d.counts = counts{}
	return c
}

// takeUploads returns the bodies of requests since it was last asked.
func (d *Door) takeUploads() [][]byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	u := d.uploads
	d.uploads = nil
	return u
}

// ServeHTTP reads the whole request before anything else: only then does the
// server notice that a client hangs up while it waits.
func (d *Door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxUpload))
	if err != nil {
		http.Error(w, err.Error(), http.StatusRequestEntityTooLarge)
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	f := d.take(body)
	switch {
	case f.Mode == Clean:
		d.forward(w, r)
	case f.Mode == Token:
		d.forward(w, withTokenFault(r, f.Token))
	case f.After:
		a := &answer{header: http.Header{}}
		d.forward(a, r)
		f.spoil(w, r, a)
	case f.Mode == Slow:
		if f.wait(r.Context()) {
			d.forward(w, r)
		}
	default:
		f.spoil(w, r, d.likeSuccess())
	}
}

// forward lets a request take effect, and counts it where it did.
func (d *Door) forward(w http.ResponseWriter, r *http.Request) {
	seen := &statusWriter{ResponseWriter: w, status: http.StatusOK}
	d.next.ServeHTTP(seen, r)
	if r.Method == d.method && seen.status/100 == 2 {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.counts.effects++
	}
}

// statusWriter remembers the status that was written.
type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// likeSuccess is an answer for faults that come before there is one.
func (d *Door) likeSuccess() *answer {
	return &answer{header: http.Header{"Content-Type": {"application/json"}}, status: d.success, body: []byte(`{"value":"`)}
}
