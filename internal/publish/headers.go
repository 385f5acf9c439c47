package publish

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// maxHosts bounds a host's own configuration, in bytes. Cloudflare Pages takes 100
// rules of 2,000 characters.
const maxHosts = 1 << 20

// The comments around our rules in a _headers file. What stands between them is
// ours, all else its owner's.
const (
	headersBegin = "# mcp-integrity: what follows is written by mcp-integrity publish"
	headersEnd   = "# mcp-integrity: end"
)

// A hostRule is what a host is to say about one of our files.
type hostRule struct {
	path    string
	headers [][2]string
}

// hostRules are those of MIS §18.1, and RFC 7517's media type for the keys. The
// files in the history have none: hosts join the headers of all rules that match,
// and one pattern would hold for snapshots, too.
func hostRules(withKeys bool) []hostRule {
	rules := []hostRule{{"/" + NamesOf(wellKnownStem).Envelope, [][2]string{{"Content-Type", MediaType}, {"Cache-Control", "max-age=3600"}}}}
	if withKeys {
		rules = append(rules, hostRule{"/" + keysName, [][2]string{{"Content-Type", "application/jwk-set+json"}, {"Cache-Control", "max-age=3600"}}})
	}
	return rules
}

// mergeHeaders returns a _headers file, as Netlify and Cloudflare Pages read it,
// with our rules in their block, and every other byte of standing as it was. The
// error wraps [ErrConflict] where the block cannot be told.
func mergeHeaders(standing []byte, rules []hostRule) ([]byte, error) {
	before, after, found, err := cutBlock(standing)
	if err != nil {
		return nil, err
	}
	var block bytes.Buffer
	if !found && len(before) > 0 {
		if before[len(before)-1] != '\n' {
			block.WriteByte('\n')
		}
		block.WriteByte('\n')
	}
	block.WriteString(headersBegin + "\n")
	for _, r := range rules {
		block.WriteString(r.path + "\n")
		for _, h := range r.headers {
			fmt.Fprintf(&block, "  %s: %s\n", h[0], h[1])
		}
	}
	block.WriteString(headersEnd + "\n")
	merged := slices.Concat(before, block.Bytes(), after)
	if len(merged) > maxHosts {
		return nil, fmt.Errorf("%w: %d bytes, want at most %d", ErrConflict, len(merged), maxHosts)
	}
	return merged, nil
}

// cutBlock returns what stands before and after our block. Where there is none, all
// stands before it.
func cutBlock(text []byte) (before, after []byte, found bool, err error) {
	if !utf8.Valid(text) {
		return nil, nil, false, fmt.Errorf("%w: it is not UTF-8", ErrConflict)
	}
	begin, end, at := -1, -1, 0
	for line := range bytes.Lines(text) {
		switch strings.TrimRight(string(line), " \t\r\n") {
		case headersBegin:
			if begin >= 0 {
				return nil, nil, false, errBlock
			}
			begin = at
		case headersEnd:
			if begin < 0 || end >= 0 {
				return nil, nil, false, errBlock
			}
			end = at + len(line)
		}
		at += len(line)
	}
	switch {
	case begin < 0:
		return text, nil, false, nil
	case end < 0:
		return nil, nil, false, errBlock
	}
	return text[:begin], text[end:], true, nil
}

var errBlock = fmt.Errorf("%w: the comments around our rules do not stand in a pair", ErrConflict)

// clashes are the rules outside our block that give one of our paths a header that
// ours give it, too: hosts join the two values, and the result means nothing.
func clashes(text []byte, rules []hostRule) []string {
	before, after, _, err := cutBlock(text)
	if err != nil {
		return nil
	}
	var all []string
	pattern := ""
	for line := range strings.Lines(string(before) + "\n" + string(after)) {
		trimmed := strings.TrimSpace(line)
		if trimmed == "" || strings.HasPrefix(trimmed, "#") {
			continue
		}
		if !strings.HasPrefix(line, " ") && !strings.HasPrefix(line, "\t") {
			pattern = trimmed
			continue
		}
		name, _, _ := strings.Cut(trimmed, ":")
		for _, r := range rules {
			if covers(pattern, r.path) && slices.ContainsFunc(r.headers, func(h [2]string) bool { return strings.EqualFold(h[0], name) }) {
				all = append(all, fmt.Sprintf("%.100q sets %.50q for %s, too", pattern, name, r.path))
			}
		}
	}
	return all
}

// covers says whether a pattern of a _headers file holds for a path: "*" stands
// for anything.
func covers(pattern, path string) bool {
	head, tail, splat := strings.Cut(pattern, "*")
	if !splat {
		return pattern == path
	}
	rest, ok := strings.CutPrefix(path, head)
	return ok && strings.HasSuffix(rest, tail)
}
