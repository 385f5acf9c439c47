package clients

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"maps"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/mcp-integrity/seal-action/internal/escape"
)

// salt makes keys worthless outside this process.
var salt = sync.OnceValue(func() []byte {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // never fails
	return b
})

// Key is equal for servers that start, or are reached, in the same way: command,
// arguments, directory, environment, or URL and headers; the client and the name
// do not count. It is for telling apart the servers of one run: it is salted by
// the process, so that it gives away nothing of the secrets in it.
//
// Bytes: hex of HMAC-SHA-256, keyed by 32 random bytes, of the label
// "mcp-integrity client server key v1" and the fields, each behind its length
// (8 bytes, big-endian), lists and maps behind their count, maps by name.
func (s Server) Key() string {
	h := hmac.New(sha256.New, salt())
	write(h, "mcp-integrity client server key v1")
	s.writeStart(h)
	writeMap(h, s.Env)
	writeMap(h, s.Headers)
	return hex.EncodeToString(h.Sum(nil))
}

// Identity is the same on every run, and whatever tokens a server gets in its
// environment or headers: a digest of command, arguments and directory, or of the
// URL. It is what a memory of servers can be kept by. A secret that stands among
// the arguments or in the URL is in the digest, and changes it.
//
// Bytes: hex of SHA-256 of the label "mcp-integrity client server identity v1"
// and the fields, as in Key.
func (s Server) Identity() string {
	h := sha256.New()
	write(h, "mcp-integrity client server identity v1")
	s.writeStart(h)
	return hex.EncodeToString(h.Sum(nil))
}

func (s Server) writeStart(h hash.Hash) {
	for _, field := range []string{s.Transport, s.Command, s.Dir, s.URL} {
		write(h, field)
	}
	writeCount(h, len(s.Args))
	for _, a := range s.Args {
		write(h, a)
	}
}

func write(h hash.Hash, s string) {
	writeCount(h, len(s))
	_, _ = io.WriteString(h, s)
}

func writeCount(h hash.Hash, n int) {
	_, _ = h.Write(binary.BigEndian.AppendUint64(nil, uint64(n))) // #nosec G115 -- a length
}

func writeMap(h hash.Hash, m map[string]string) {
	writeCount(h, len(m))
	for _, k := range slices.Sorted(maps.Keys(m)) {
		write(h, k)
		write(h, m[k])
	}
}

// KnownAs is the name under which what is known of the server is kept from run to
// run, such as its first use: its name in its client, and whose that is. Servers of
// one name in two files, scopes or projects are two. How it starts has no part in
// it: that is [Server.Identity], to be compared under the name. The parts that are
// not plain are quoted, so that no name reads as that of another server.
func (s Server) KnownAs() string {
	text := namePart(s.Name) + " in " + namePart(s.File) + ", " + s.Scope
	if s.Scope == scopeLocal { // one file has those of all projects
		text += " of " + namePart(s.Project)
	}
	return text
}

func namePart(s string) string {
	for i := range len(s) {
		if !isWord(s[i]) && !strings.ContainsRune(`@+.:/\-~`, rune(s[i])) {
			return strconv.Quote(s)
		}
	}
	if s == "" {
		return `""`
	}
	return s
}

// Origin is where the server is configured, for whom, and at which line, escaped.
func (s Server) Origin() string {
	return fmt.Sprintf("%s, %s:%d", s.Scope, escape.TerminalLimit(s.File, maxPath), s.Line)
}

// String names the server without a value of its configuration: client, scope,
// name, the last part of the command or the host, the place.
func (s Server) String() string {
	what := s.host()
	if s.Command != "" {
		what = fmt.Sprintf("%.100q, %d arguments", path.Base(strings.ReplaceAll(s.Command, `\`, "/")), len(s.Args))
	}
	return fmt.Sprintf("%s (%s) %.100q: %s, %s:%d", s.Client, s.Scope, s.Name, what, escape.TerminalLimit(s.File, maxPath), s.Line)
}

// GoString is String, so that no way of printing shows a secret.
func (s Server) GoString() string { return s.String() }

// Format is String for every verb.
func (s Server) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// host is the scheme and the host of the URL: paths and queries carry tokens.
func (s Server) host() string {
	u, err := url.Parse(s.URL)
	if err != nil || u.Host == "" {
		return "no command"
	}
	return fmt.Sprintf("%.100q", u.Scheme+"://"+u.Host)
}
