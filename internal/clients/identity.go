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
	"regexp"
	"slices"
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

// Bounds of what Display shows.
const (
	maxShown    = 100 // bytes of an argument
	maxShownAll = 50  // arguments
)

var (
	// A word that names a secret, in a flag or in front of a `=`.
	secretName = regexp.MustCompile(`(?i)token|secret|passw|passphrase|pwd|credential|auth|bearer|api[-_]?key|access[-_]?key|private|[-_]key$|^-*key$|header|cookie|dsn|connection`)
	// NAME=value as docker's -e and env take it.
	assignment = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*=`)
	// How tokens of well-known services begin.
	tokenStart = regexp.MustCompile(`^(sk-|pk-|gh[pousr]_|github_pat_|glpat-|xox[a-z]-|AKIA|ASIA|AIza|eyJ|npm_|hf_|ya29\.)`)
	// A long word of nothing but what tokens are made of.
	tokenBody = regexp.MustCompile(`^[A-Za-z0-9+_=-]{32,}$`)
)

const hidden = "***"

// Display is the command line, or the URL's host, for the eyes of the person who
// is asked whether to start it: variables stand unreplaced, and what looks
// secret is left out. This is a guess, made on the careful side: do not store it.
func (s Server) Display() string {
	if s.Command == "" {
		return s.host()
	}
	args := s.Written
	if len(args) != len(s.Args) {
		args = s.Args
	}
	words := []string{quoteWord(s.Command)}
	secretNext := false
	for i, a := range args {
		if i == maxShownAll {
			words = append(words, fmt.Sprintf("… (%d more)", len(args)-i))
			break
		}
		word := mask(a)
		if secretNext {
			word = hidden
		}
		flag := strings.HasPrefix(a, "-")
		secretNext = flag && !strings.Contains(a, "=") && secretName.MatchString(a)
		if flag && !strings.Contains(a, "=") {
			word = quoteWord(a)
		}
		words = append(words, word)
	}
	return strings.Join(words, " ")
}

// mask returns one argument without what looks secret.
func mask(a string) string {
	if name, _, ok := strings.Cut(a, "="); ok && (assignment.MatchString(a) || secretName.MatchString(name)) {
		return quoteWord(name + "=" + hidden)
	}
	if u, err := url.Parse(a); err == nil && u.Host != "" {
		if u.User == nil && u.RawQuery == "" && u.Fragment == "" && len(u.Path) <= 1 {
			return quoteWord(a)
		}
		return quoteWord(u.Scheme + "://" + u.Host + "/" + hidden)
	}
	if strings.Contains(a, "://") || tokenStart.MatchString(a) || tokenBody.MatchString(a) || (secretName.MatchString(a) && strings.ContainsAny(a, ": ")) {
		return hidden
	}
	return quoteWord(a)
}

// quoteWord quotes what is not plain and cuts what is long.
func quoteWord(a string) string {
	for i := range len(a) {
		if !isWord(a[i]) && !strings.ContainsRune("@%+=:,./*-${}[]^~", rune(a[i])) || len(a) > maxShown {
			return fmt.Sprintf("%.*q", maxShown, a)
		}
	}
	if a == "" {
		return `""`
	}
	return a
}
