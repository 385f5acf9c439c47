package server

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/mcp-integrity/seal-action/testdata/servers/hostile"
)

// TestListAsksForNothingElse: no call of a tool, no method of our own, and no
// word in initialize by which a server could know its verifier (MIS §1.2,
// decision 18).
func TestListAsksForNothingElse(t *testing.T) {
	var methods []string
	var opening struct {
		Params struct {
			Capabilities map[string]json.RawMessage
			ClientInfo   struct{ Name string }
			Meta         json.RawMessage `json:"_meta"`
		}
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var c wireCall
		body, err := io.ReadAll(r.Body)
		if err != nil || r.Method != http.MethodPost || json.Unmarshal(body, &c) != nil {
			w.WriteHeader(http.StatusMethodNotAllowed)
			return
		}
		methods = append(methods, c.Method)
		switch c.Method {
		case "initialize":
			if err := json.Unmarshal(body, &opening); err != nil {
				t.Error(err)
			}
			answer(w, c, `{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"fake","version":"1"}}`)
		case "tools/list":
			answer(w, c, `{"tools":[`+strings.Join(hostile.Tools, ",")+`]}`)
		default:
			w.WriteHeader(http.StatusAccepted)
		}
	}))
	defer s.Close()
	if _, err := List(t.Context(), Target{URL: s.URL}, Options{}); err != nil {
		t.Fatal(err)
	}
	slices.Sort(methods)
	if got, want := slices.Compact(methods), []string{"initialize", "notifications/initialized", "tools/list"}; !slices.Equal(got, want) {
		t.Errorf("asked for %q, want %q", got, want)
	}
	p := opening.Params
	if len(p.Capabilities) != 0 || p.Meta != nil || p.ClientInfo.Name == "" || strings.Contains(p.ClientInfo.Name, "integrity") {
		t.Errorf("initialize says %+v", p)
	}
}
