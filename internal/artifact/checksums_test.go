package artifact

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"

	"github.com/mcp-integrity/seal-action/seal"
)

var (
	hexA, hexB = sha256Of("a").Encoded(), sha256Of("b").Encoded()
	hexLong    = digest.SHA512.FromString("a").Encoded()
)

func TestParseChecksums(t *testing.T) {
	tests := map[string]struct {
		text string
		want map[string]digest.Digest
		err  string
	}{
		"empty":                 {"", nil, "has no digests"},
		"comment only":          {"# nothing\n", nil, "has no digests"},
		"blank line":            {hexA + "  a\n\n", nil, "line 2"},
		"prose":                 {"hello\n", nil, `line 1: "hello", want`},
		"no name":               {hexA + "  \n", nil, "line 1"},
		"one blank":             {hexA + " a\n", nil, "line 1"},
		"tab":                   {hexA + "\ta\n", nil, "line 1"},
		"leading blank":         {" " + hexA + "  a\n", nil, "line 1"},
		"md5":                   {"d41d8cd98f00b204e9800998ecf8427e  a\n", nil, "a digest of 32 hex digits, want 64"},
		"digest too long":       {hexA + "0  a\n", nil, "65 hex digits"},
		"no hex":                {strings.Repeat("g", 64) + "  a\n", nil, "line 1"},
		"twice":                 {hexA + "  a\n" + hexA + "  a\n", nil, `line 2: "a" stands twice`},
		"twice with two hashes": {hexA + "  a\n" + hexLong + "  a\n", nil, "stands twice"},
		"unknown escape":        {`\` + hexA + `  a\tb` + "\n", nil, `escape "\\t"`},
		"broken escape":         {`\` + hexA + `  a\` + "\n", nil, "ends within an escape"},
		"invalid UTF-8":         {hexA + "  \xff\n", nil, "UTF-8"},
		"zero in a name":        {hexA + "  a\x00b\n", nil, "without zeros"},
		"tag of another length": {"SHA512 (a) = " + hexA + "\n", nil, "64 hex digits"},
		"md5 tag":               {"MD5 (a) = d41d8cd98f00b204e9800998ecf8427e\n", nil, "line 1"},
		"openssl":               {"SHA2-256(a)= " + hexA + "\n", nil, "line 1"},
		"line too long":         {hexA + "  " + strings.Repeat("a", maxChecksumLine) + "\n", nil, "token too long"},
		"too many lines":        {strings.Repeat("#\n", maxChecksumLines+1), nil, "more than"},

		"text":            {hexA + "  a\n", map[string]digest.Digest{"a": sha256Of("a")}, ""},
		"no end of line":  {hexA + "  a", map[string]digest.Digest{"a": sha256Of("a")}, ""},
		"binary":          {hexA + " *a\n", map[string]digest.Digest{"a": sha256Of("a")}, ""},
		"upper case":      {strings.ToUpper(hexA) + "  a\n", map[string]digest.Digest{"a": sha256Of("a")}, ""},
		"Windows":         {hexA + "  a\r\n" + hexB + "  b\r\n", map[string]digest.Digest{"a": sha256Of("a"), "b": sha256Of("b")}, ""},
		"blanks in name":  {hexA + "   a  b \n", map[string]digest.Digest{" a  b ": sha256Of("a")}, ""},
		"starred name":    {hexA + "  *a\n", map[string]digest.Digest{"*a": sha256Of("a")}, ""},
		"escaped":         {`\` + hexA + `  a\nb\\c\r` + "\n", map[string]digest.Digest{"a\nb\\c\r": sha256Of("a")}, ""},
		"sha512":          {hexLong + "  a\n", map[string]digest.Digest{"a": digest.Digest("sha512:" + hexLong)}, ""},
		"tag":             {"SHA256 (a) = " + hexA + "\n", map[string]digest.Digest{"a": sha256Of("a")}, ""},
		"tag parentheses": {"SHA256 (a) = (b)) = " + hexA + "\n", map[string]digest.Digest{"a) = (b)": sha256Of("a")}, ""},
		"tag sha512":      {"SHA512 (a) = " + hexLong + "\n", map[string]digest.Digest{"a": digest.Digest("sha512:" + hexLong)}, ""},
		"tag escaped":     {`\SHA256 (a\nb) = ` + hexA + "\n", map[string]digest.Digest{"a\nb": sha256Of("a")}, ""},
		"comment":         {"# made by a tool\n" + hexA + "  a\n", map[string]digest.Digest{"a": sha256Of("a")}, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := ParseChecksums(strings.NewReader(test.text))
			wantErr(t, err, test.err)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("ParseChecksums (-want +got):\n%s", diff)
			}
		})
	}
	var large strings.Builder
	for i := range 3000 {
		fmt.Fprintf(&large, "%s  %d%s\n", hexA, i, strings.Repeat("x", 8000))
	}
	_, err := ParseChecksums(strings.NewReader(large.String()))
	wantErr(t, err, "more than 16777216 bytes")
}

func TestCheckChecksums(t *testing.T) {
	file := func(p string, content string) Found { return Found{Ref: p, Path: p, File: sha256Of(content)} }
	sums := func(lines ...string) map[string]digest.Digest {
		m := map[string]digest.Digest{}
		for i := 0; i+1 < len(lines); i += 2 {
			m[lines[i]] = sha256Of(lines[i+1])
		}
		return m
	}
	tests := map[string]struct {
		found    []Found
		sums     map[string]digest.Digest
		want     string
		mismatch bool
	}{
		"same":                 {[]Found{file("a", "1"), file("b", "2")}, sums("a", "1", "b", "2", "c", "3"), "", false},
		"by base name":         {[]Found{file("dist/a", "1")}, sums("a", "1"), "", false},
		"base name both ways":  {[]Found{file("dist/a", "1")}, sums("build/a", "1"), "", false},
		"dotted":               {[]Found{file("./dist//a", "1")}, sums("./dist/a", "1", "a", "2"), "", false},
		"other digest":         {[]Found{file("a", "1"), file("b", "2")}, sums("a", "1", "b", "3"), `artifact "b": got digest ` + string(sha256Of("2")) + ", want " + string(sha256Of("3")), true},
		"path before base":     {[]Found{file("dist/a", "1")}, sums("dist/a", "2", "a", "1"), "got digest", true},
		"not named":            {[]Found{file("a", "1")}, sums("b", "1"), `artifact "a": the checksums file does not name it`, false},
		"base name twice":      {[]Found{file("x/a", "1")}, sums("y/a", "1", "z/a", "1"), "2 lines of the checksums file end in its name", false},
		"one path two ways":    {[]Found{file("a", "1")}, sums("a", "1", "./a", "2"), "two lines for", false},
		"directory":            {[]Found{{Ref: "dir", Path: "dir", Kind: "source tree"}}, sums("dir", "1"), "is no file (source tree)", false},
		"other algorithm":      {[]Found{file("a", "1")}, map[string]digest.Digest{"a": digest.SHA512.FromString("1")}, "give --digest-algorithm sha512", false},
		"part of another name": {[]Found{file("a", "1")}, sums("ba", "1"), "does not name it", false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			err := CheckChecksums(test.found, test.sums)
			wantErr(t, err, test.want)
			if _, ok := errors.AsType[*MismatchError](err); ok != test.mismatch {
				t.Errorf("got %T, a MismatchError: want %v", err, test.mismatch)
			}
		})
	}
}

// The checksum is the file's, whatever the sealed digest covers.
func TestCheckChecksumsOfEntrypoint(t *testing.T) {
	data := tgz(t, entry{name: "package/package.json", body: packageJSONText}, entry{name: "package/dist/cli.js", body: helloText})
	p := write(t, t.TempDir(), "a.tgz", string(data))
	found, err := IdentifyAll(context.Background(), []string{p}, Options{Scope: seal.ScopeEntrypoint})
	mustDo(t, err)
	if err := CheckChecksums(found, map[string]digest.Digest{"a.tgz": sha256Of(data)}); err != nil {
		t.Error(err)
	}
}
