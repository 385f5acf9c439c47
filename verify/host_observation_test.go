package verify_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mcp-integrity/seal-action/seal/fingerprint"
	"github.com/mcp-integrity/seal-action/verify"
)

const (
	opening = `{"protocolVersion":"2025-11-25","capabilities":{"tools":{"listChanged":true}},"serverInfo":{"name":"acme","version":"1.0.0"}}`
	toolA   = `{"name":"a","description":"x","inputSchema":{},"annotations":{"readOnlyHint":false}}`
	toolB   = `{ "name": "b", "inputSchema": {"n": 1.0} }`
)

func page(next string, tools ...string) string {
	text := `{"tools":[` + strings.Join(tools, ",") + `]`
	if next != "" {
		text += `,"nextCursor":` + next
	}
	return text + `}`
}

func TestObservationOfRefuses(t *testing.T) {
	for name, tt := range map[string]struct {
		opening string
		pages   []string
		want    string
	}{
		"nothing":                        {"", nil, "strict JSON"},
		"an opening of another kind":     {"[]", nil, "want an object"},
		"null":                           {"null", nil, "want an object"},
		"two server infos":               {`{"serverInfo":{},"serverInfo":{}}`, nil, "duplicate"},
		"a server info of another kind":  {`{"serverInfo":"acme"}`, nil, "serverInfo"},
		"a name of another kind":         {`{"serverInfo":{"name":1}}`, nil, "serverInfo"},
		"capabilities of another kind":   {`{"capabilities":[]}`, nil, "capabilities"},
		"_meta of another kind":          {`{"_meta":1}`, nil, "_meta"},
		"tools, and no page":             {opening, nil, "no tools/list result"},
		"a page that is no JSON":         {opening, []string{"{"}, "page 1"},
		"a page of another kind":         {opening, []string{"[]"}, "page 1"},
		"no list":                        {opening, []string{"{}"}, "tools: missing"},
		"a list that is null":            {opening, []string{`{"tools":null}`}, "tools: missing"},
		"a list of another kind":         {opening, []string{`{"tools":{}}`}, "page 1"},
		"another spelling":               {opening, []string{`{"Tools":[]}`}, "tools: missing"},
		"two lists":                      {opening, []string{`{"tools":[],"tools":[]}`}, "duplicate"},
		"a tool that is null":            {opening, []string{page("", "null")}, "tools[0]"},
		"a tool without a name":          {opening, []string{page("", `{"inputSchema":{}}`)}, "tools[0]"},
		"a tool without a schema":        {opening, []string{page("", `{"name":"a"}`)}, "inputSchema"},
		"a tool twice, over pages":       {opening, []string{page(`"2"`, toolA), page("", toolA)}, "tools[1]"},
		"a page that is missing":         {opening, []string{page(`"2"`, toolA)}, "leads on"},
		"a page too many":                {opening, []string{page("", toolA), page("", toolB)}, "no nextCursor"},
		"a cursor of another kind":       {opening, []string{page("2", toolA)}, "nextCursor"},
		"a result that asks for more":    {opening, []string{`{"resultType":"input_required","tools":[]}`}, "complete"},
		"a number that no double holds":  {opening, []string{page("", `{"name":"a","inputSchema":{"n":1e400}}`)}, "binary64"},
		"invalid UTF-8":                  {opening, []string{page("", "{\"name\":\"\xff\",\"inputSchema\":{}}")}, "UTF-8"},
		"pages without end":              {opening, make([]string, 1001), "1001 pages"},
		"more tools than anybody serves": {opening, []string{page("", strings.Split(strings.Repeat("{},", 10_000)+"{}", ",")...)}, "10000 tools"},
		"a page of 17 MiB":               {opening, []string{strings.Repeat(" ", 17<<20)}, "bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			var pages [][]byte
			for _, p := range tt.pages {
				pages = append(pages, []byte(p))
			}
			o, err := verify.ObservationOf([]byte(tt.opening), pages...)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want an error with %q", err, tt.want)
			}
			if errors.Is(err, verify.ErrUnavailable) {
				t.Error("what a server sent is called an outage")
			}
			if diff := cmp.Diff(verify.Observation{}, o); diff != "" {
				t.Errorf("beside an error there is an observation: %s", diff)
			}
		})
	}
}

func TestObservationOf(t *testing.T) {
	two := 2
	claim := func(extension string) string {
		return `{"capabilities":{"extensions":{"mcp-integrity/v1":` + extension + `}}}`
	}
	for name, tt := range map[string]struct {
		opening string
		pages   []string
		want    verify.Observation
	}{
		"no tools at all":  {opening: `{"capabilities":{}}`},
		"no word of tools": {opening: `{}`, pages: []string{page("")}},
		"two pages": {
			opening: opening, pages: []string{page(`"2"`, toolA), page(`""`, toolB)},
			want: verify.Observation{Server: fingerprint.ServerInfo{Name: "acme", Version: "1.0.0"}},
		},
		"server/discover": {
			opening: `{"supportedVersions":["2026-07-28"],"capabilities":{"tools":{}},"_meta":{"io.modelcontextprotocol/serverInfo":{"name":"acme"}}}`,
			pages:   []string{`{"resultType":"complete","tools":[` + toolA + `],"nextCursor":null}`},
			want:    verify.Observation{Server: fingerprint.ServerInfo{Name: "acme"}},
		},
		"a claim":              {opening: claim(`{"seal_level":2,"manifest_url":"https://a.example/m"}`), want: verify.Observation{ClaimedLevel: &two, ManifestURL: "https://a.example/m"}},
		"half a claim":         {opening: claim(`{"seal_level":"2","manifest_url":"https://a.example/m"}`), want: verify.Observation{ManifestURL: "https://a.example/m"}},
		"a level out of range": {opening: claim(`{"seal_level":4}`)},
		"a level of minus one": {opening: claim(`{"seal_level":-1}`)},
		"no level":             {opening: claim(`{"seal_level":null,"manifest_url":null}`)},
		"a claim of text":      {opening: claim(`"yes"`)},
		"an URL of numbers":    {opening: claim(`{"seal_level":2,"manifest_url":7}`), want: verify.Observation{ClaimedLevel: &two}},
		"extensions of text":   {opening: `{"capabilities":{"extensions":"yes"}}`},
	} {
		t.Run(name, func(t *testing.T) {
			var pages [][]byte
			for _, p := range tt.pages {
				pages = append(pages, []byte(p))
			}
			got, err := verify.ObservationOf([]byte(tt.opening), pages...)
			if err != nil {
				t.Fatal(err)
			}
			for _, tool := range got.Tools {
				if !strings.Contains(strings.Join(tt.pages, ""), string(tool.Raw)) {
					t.Errorf("these are not the bytes of the wire: %s", tool.Raw)
				}
			}
			if want := strings.Count(strings.Join(tt.pages, ""), `"name"`); len(got.Tools) != want {
				t.Errorf("got %d tools, want %d", len(got.Tools), want)
			}
			tt.want.Observed, got.Tools = verify.Live, nil
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// FuzzObservationOf: whatever is read, every tool's bytes are a piece of a page,
// and reading it again gives the same.
func FuzzObservationOf(f *testing.F) {
	f.Add([]byte(opening), []byte(page(`"2"`, toolA)), []byte(page("", toolB)))
	f.Add([]byte(`{"capabilities":{"extensions":{"mcp-integrity/v1":{"seal_level":null}}}}`), []byte(page("")), []byte(`{"tools":[]}`))
	f.Fuzz(func(t *testing.T, opening, first, second []byte) {
		for _, pages := range [][][]byte{nil, {first}, {first, second}} {
			o, err := verify.ObservationOf(opening, pages...)
			if err != nil {
				continue
			}
			for _, tool := range o.Tools {
				if !strings.Contains(string(first)+string(second), string(tool.Raw)) {
					t.Errorf("not on a page: %q", tool.Raw)
				}
			}
			if l := o.ClaimedLevel; l != nil && (*l < 0 || *l > 3) {
				t.Errorf("level %d", *l)
			}
			again, err := verify.ObservationOf(opening, pages...)
			if diff := cmp.Diff(o, again); err != nil || diff != "" {
				t.Errorf("%v %s", err, diff)
			}
		}
	})
}
