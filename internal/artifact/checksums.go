package artifact

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/opencontainers/go-digest"
)

var (
	// gnuLine is what sha256sum and sha512sum print: digest, blank, and a blank
	// (text) or an asterisk (binary) before the name. The asterisk changes
	// nothing on the systems of today.
	gnuLine = regexp.MustCompile(`^([0-9A-Fa-f]+) [ *](.+)$`)
	// bsdLine is what their --tag and the BSD tools print. The name may have
	// parentheses: the last one ends it.
	bsdLine = regexp.MustCompile(`^(SHA256|SHA512) \((.+)\) = ([0-9A-Fa-f]+)$`)
)

// ParseChecksums reads a checksums file, as sha256sum and sha512sum write it
// and shasum and the BSD tools do: the digests by the names in the file. A "\"
// before a line says that "\\", "\n" and "\r" in its name are escapes. Lines that
// begin with "#" are comments. A line of any other form, a digest of another
// length, and a name that stands twice are errors with the line's number.
func ParseChecksums(r io.Reader) (map[string]digest.Digest, error) {
	sums := make(map[string]digest.Digest)
	lines := bufio.NewScanner(io.LimitReader(r, maxChecksums+1))
	lines.Buffer(make([]byte, 0, 4096), maxChecksumLine)
	size := 0
	for n := 1; lines.Scan(); n++ {
		line := lines.Text()
		if size += len(line) + 1; size > maxChecksums || n > maxChecksumLines {
			return nil, fmt.Errorf("checksums: more than %d bytes or %d lines", maxChecksums, maxChecksumLines)
		}
		if strings.HasPrefix(line, "#") {
			continue
		}
		name, d, err := parseChecksum(line)
		if err != nil {
			return nil, fmt.Errorf("checksums: line %d: %w", n, err)
		}
		if _, twice := sums[name]; twice {
			return nil, fmt.Errorf("checksums: line %d: %.200q stands twice", n, name)
		}
		sums[name] = d
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("checksums: %w", err)
	}
	if len(sums) == 0 {
		return nil, errors.New("checksums: has no digests")
	}
	return sums, nil
}

func parseChecksum(line string) (name string, d digest.Digest, err error) {
	line = strings.TrimSuffix(line, "\r") // of a file with Windows' line ends; a name's own is escaped
	body, escaped := strings.CutPrefix(line, `\`)
	var alg, hex string
	if m := gnuLine.FindStringSubmatch(body); m != nil {
		hex, name = m[1], m[2]
	} else if m := bsdLine.FindStringSubmatch(body); m != nil {
		alg, name, hex = strings.ToLower(m[1]), m[2], m[3]
	} else {
		return "", "", fmt.Errorf("%.100q, want %q or %q", line, "<hex>  <name>", "SHA256 (<name>) = <hex>")
	}
	if d, err = hexDigest(alg, hex); err != nil {
		return "", "", err
	}
	if escaped {
		if name, err = unescapeName(name); err != nil {
			return "", "", err
		}
	}
	if !utf8.ValidString(name) || strings.Contains(name, "\x00") {
		return "", "", fmt.Errorf("name %.100q: want UTF-8 without zeros", name)
	}
	return name, d, nil
}

// hexDigest takes the algorithm from the length where the line does not name it.
func hexDigest(alg, hex string) (digest.Digest, error) {
	byLength := map[int]digest.Algorithm{64: digest.SHA256, 128: digest.SHA512}[len(hex)]
	if byLength == "" || alg != "" && alg != string(byLength) {
		return "", fmt.Errorf("a digest of %d hex digits, want 64 (SHA-256) or 128 (SHA-512)", len(hex))
	}
	return digest.NewDigestFromEncoded(byLength, strings.ToLower(hex)), nil
}

func unescapeName(s string) (string, error) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			b.WriteByte(s[i])
			continue
		}
		if i++; i == len(s) {
			return "", fmt.Errorf("name %.100q: ends within an escape", s)
		}
		c, ok := map[byte]byte{'\\': '\\', 'n': '\n', 'r': '\r'}[s[i]]
		if !ok {
			return "", fmt.Errorf("name %.100q: escape %q, want \\\\, \\n or \\r", s, s[i-1:i+1])
		}
		b.WriteByte(c)
	}
	return b.String(), nil
}

// CheckChecksums compares the bytes of every found file with a checksums file.
// A file's line is the one with its path, else the only one with its base name:
// such files are made in the directory that they describe. An artifact that the
// sums do not name, and one that is no file, is an error; another digest is a
// [*MismatchError].
func CheckChecksums(found []Found, sums map[string]digest.Digest) error {
	byPath, byBase := make(map[string]digest.Digest), make(map[string][]digest.Digest)
	for name, d := range sums {
		p := path.Clean(filepath.ToSlash(name))
		if _, twice := byPath[p]; twice {
			return fmt.Errorf("checksums: two lines for %.200q", p)
		}
		byPath[p] = d
		byBase[path.Base(p)] = append(byBase[path.Base(p)], d)
	}
	for _, f := range found {
		if f.File == "" {
			return fmt.Errorf("artifact %.200q: is no file (%s), so that a checksums file cannot name it", f.Ref, f.Kind)
		}
		p := path.Clean(filepath.ToSlash(f.Path))
		want, ok := byPath[p]
		if based := byBase[path.Base(p)]; !ok && len(based) == 1 {
			want, ok = based[0], true
		} else if !ok && len(based) > 1 {
			return fmt.Errorf("artifact %.200q: %d lines of the checksums file end in its name, none has its path", f.Ref, len(based))
		}
		switch {
		case !ok:
			return fmt.Errorf("artifact %.200q: the checksums file does not name it", f.Ref)
		case want.Algorithm() != f.File.Algorithm():
			return fmt.Errorf("artifact %.200q: hashed with %s, its checksum is %s: give --digest-algorithm %s",
				f.Ref, f.File.Algorithm(), want.Algorithm(), want.Algorithm())
		case want != f.File:
			return &MismatchError{Ref: f.Ref, Against: "checksums file", Got: f.File, Want: want}
		}
	}
	return nil
}
