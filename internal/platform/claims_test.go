package platform

import (
	"strings"
	"testing"
	"time"

	"github.com/mcp-integrity/seal-action/provenance"
)

func TestParseClaims(t *testing.T) {
	for _, tt := range []struct{ payload, text string }{
		{``, "cannot be read"},
		{`null`, "null"},
		{`[]`, "cannot be read"},
		{`"x"`, "cannot be read"},
		{`{"a":1,"a":1}`, "cannot be read"},
		{`{"a":"\ud800"}`, "cannot be read"},
		{"{\"a\":\"\xff\"}", "cannot be read"},
		{`{"a":1e999}`, "cannot be read"},
		{`{} {}`, "cannot be read"},
		{strings.Repeat(`[`, 2000), "cannot be read"},
		{`{"a":"` + strings.Repeat("x", maxToken) + `"}`, "bytes"},
	} {
		c, err := parseClaims([]byte(tt.payload))
		if c != nil || err == nil || !strings.Contains(err.Error(), tt.text) {
			t.Errorf("%.40q: got %v, %v, want error %q", tt.payload, c, err, tt.text)
		}
	}
}

func TestScalar(t *testing.T) {
	for _, tt := range []struct{ value, want string }{
		{`"x"`, "x"}, {`""`, ""}, {`"1.5"`, "1.5"}, {`0`, "0"}, {`12270835`, "12270835"}, {`9223372036854775807`, "9223372036854775807"},
		{`-1`, "!"}, {`1.0`, "!"}, {`1e3`, "!"}, {`00`, "!"}, {`99999999999999999999`, "!"}, {`true`, "!"}, {`null`, "!"}, {`[]`, "!"}, {`{}`, "!"},
	} {
		c, err := parseClaims([]byte(`{"a":` + tt.value + `}`))
		if err != nil {
			if tt.want != "!" {
				t.Errorf("%s: %v", tt.value, err)
			}
			continue
		}
		got, err := c.scalar("a")
		if err != nil {
			got = "!"
		}
		if got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.value, got, tt.want)
		}
		// Names match byte by byte.
		if _, err := c.scalar("A"); err == nil {
			t.Error("claim A is claim a")
		}
	}
}

func TestDate(t *testing.T) {
	for value, want := range map[string]string{
		`0`: "1970-01-01T00:00:00Z", `1795348800`: "2026-11-22T12:00:00Z", `1795348800.9`: "2026-11-22T12:00:00Z", `1.7953488e9`: "2026-11-22T12:00:00Z",
		`-1`: "", `253402300800`: "", `"1795348800"`: "", `"Inf"`: "", `null`: "", `{}`: "",
	} {
		c, err := parseClaims([]byte(`{"exp":` + value + `}`))
		if err != nil {
			t.Fatal(err)
		}
		got, err := c.date("exp")
		if (err != nil) != (want == "") || err == nil && stamp(got) != want {
			t.Errorf("%s: got %s, %v, want %q", value, stamp(got), err, want)
		}
	}
}

// FuzzClaims: whatever the claims are, nothing panics, no error has a line
// break or an end that is far away, and facts that are taken are all there.
func FuzzClaims(f *testing.F) {
	f.Add(asJSON(githubClaims("nobody")))
	f.Add(asJSON(gitlabClaims()))
	f.Add([]byte(`{"aud":["a"],"exp":1e9,"nbf":-1,"runner_id":1}`))
	f.Add([]byte(`{"aud":null}`))
	f.Fuzz(func(t *testing.T, payload []byte) {
		check := func(err error) {
			if err != nil && (!plain(err.Error()) || len(err.Error()) > 1000) {
				t.Errorf("error %q", err)
			}
		}
		c, err := parseClaims(payload)
		check(err)
		if err != nil {
			return
		}
		check(c.checkAudience("sigstore"))
		check(c.checkTimes(time.Unix(1795348800, 0)))
		for _, read := range []func(string, claims) (provenance.Build, error){githubBuild, gitlabBuild} {
			b, err := read("https://gitlab.com", c)
			check(err)
			if err == nil && (b.Repository == "" || b.Commit == "" || b.Ref == "" || b.RepositoryID == "" || b.Visibility == "" || !plain(b.Ref+b.WorkflowRef)) {
				t.Errorf("facts %+v", b)
			}
		}
	})
}

// FuzzLook: a token that is taken for a JWT has its three parts, and no error
// quotes any of it.
func FuzzLook(f *testing.F) {
	f.Add(signed(githubClaims("sigstore")))
	f.Add("a.b.c")
	f.Add("..")
	f.Add(`{"payload":"","signatures":[{}]}`)
	f.Fuzz(func(t *testing.T, token string) {
		c, err := look(token)
		if err != nil {
			if c != nil || !plain(err.Error()) || len(err.Error()) > 200 {
				t.Errorf("claims %v, error %q", c, err)
			}
			return
		}
		if strings.Count(token, ".") != 2 || strings.ContainsAny(token, "\r\n \"%:") {
			t.Errorf("%q is taken for a JWT", token)
		}
	})
}
