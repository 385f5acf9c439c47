package verify

import (
	"fmt"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/mcp-integrity/seal-action/seal/fingerprint"
	"github.com/mcp-integrity/seal-action/seal/strictjson"
)

// Bounds on what a host hands over. They are those of this project's own client:
// the longest list of 35 real servers has 49 tools, on one page of 140,582 bytes.
const (
	maxResult  = 16 << 20
	maxResults = 64 << 20 // over all pages
	maxPages   = 1_000
	maxTools   = 10_000
)

// ObservationOf reads what a live server sent in the host's own session: the
// result of initialize, or of server/discover, and the result of each tools/list
// request, page by page to the last.
//
// Each is the result member's own bytes, as they came over the wire. A result that
// was decoded and encoded again is another one: the Go SDK's types lose or add
// members in 66 % of the annotations of real servers, and drop whole tools. Its
// error says that this is no list that one can verify: pages are missing, or the
// text is none that all readers read in one way (decision 7).
func ObservationOf(opening []byte, pages ...[]byte) (Observation, error) {
	o := Observation{Observed: Live}
	declared, err := o.readOpening(opening)
	if err != nil {
		return Observation{}, fmt.Errorf("what the server says of itself: %w", err)
	}
	if declared && len(pages) == 0 {
		return Observation{}, fmt.Errorf("the server has tools, and no tools/list result was given")
	}
	raws, err := readPages(pages)
	if err != nil {
		return Observation{}, fmt.Errorf("tools/list: %w", err)
	}
	if o.Tools, err = fingerprint.ParseTools(raws); err != nil {
		return Observation{}, fmt.Errorf("tools/list: %w", err)
	}
	return o, nil
}

// readOpening takes over the server's name, version and claim, and says whether
// the server has tools at all.
func (o *Observation) readOpening(data []byte) (tools bool, err error) {
	var wire struct {
		ServerInfo   jsontext.Value `json:"serverInfo"`
		Capabilities jsontext.Value `json:"capabilities"`
		Meta         jsontext.Value `json:"_meta"`
	}
	if err := readResult(data, &wire); err != nil {
		return false, err
	}
	var meta struct { // server/discover says it there (SEP-2575)
		ServerInfo jsontext.Value `json:"io.modelcontextprotocol/serverInfo"`
	}
	if err := readMember("_meta", wire.Meta, &meta); err != nil {
		return false, err
	}
	info := wire.ServerInfo
	if isAbsent(info) {
		info = meta.ServerInfo
	}
	var named struct {
		Name    *string `json:"name"`
		Version *string `json:"version"`
	}
	if err := readMember("serverInfo", info, &named); err != nil {
		return false, err
	}
	o.Server = fingerprint.ServerInfo{Name: orBlank(named.Name), Version: orBlank(named.Version)}
	var capabilities struct {
		Tools      jsontext.Value `json:"tools"`
		Extensions jsontext.Value `json:"extensions"`
	}
	if err := readMember("capabilities", wire.Capabilities, &capabilities); err != nil {
		return false, err
	}
	o.claim(capabilities.Extensions)
	return !isAbsent(capabilities.Tools), nil
}

// claim reads the extension of MIS §17.1. It is a claim: a malformed one counts as
// none, since a server must not fail by what is not believed anyway.
func (o *Observation) claim(extensions jsontext.Value) {
	var wire struct {
		Integrity struct {
			Level jsontext.Value `json:"seal_level"`
			URL   jsontext.Value `json:"manifest_url"`
		} `json:"mcp-integrity/v1"`
	}
	if isAbsent(extensions) || strictjson.DecodeOpen(extensions, &wire) != nil {
		return
	}
	var level *int
	if l := wire.Integrity.Level; !isAbsent(l) && strictjson.DecodeOpen(l, &level) == nil && 0 <= *level && *level <= 3 {
		o.ClaimedLevel = level
	}
	var url string
	if u := wire.Integrity.URL; !isAbsent(u) && strictjson.DecodeOpen(u, &url) == nil {
		o.ManifestURL = url
	}
}

// readPages returns the bytes of every tool. A page that leads on must be followed
// by another, and the last one must not lead on: what is on a page that nobody
// read, nobody verified.
func readPages(pages [][]byte) ([][]byte, error) {
	if len(pages) > maxPages {
		return nil, fmt.Errorf("%d pages, want at most %d", len(pages), maxPages)
	}
	var raws [][]byte
	total := 0
	for i, data := range pages {
		if total += len(data); total > maxResults {
			return nil, fmt.Errorf("page %d: more than %d bytes in all", i+1, maxResults)
		}
		var wire struct {
			Type  *string          `json:"resultType"`
			Tools []jsontext.Value `json:"tools"`
			Next  *string          `json:"nextCursor"`
		}
		if err := readResult(data, &wire); err != nil {
			return nil, fmt.Errorf("page %d: %w", i+1, err)
		}
		last, leadsOn := i == len(pages)-1, wire.Next != nil && *wire.Next != ""
		switch {
		case wire.Type != nil && *wire.Type != "complete":
			return nil, fmt.Errorf("page %d: resultType: got %.40q, want \"complete\"", i+1, *wire.Type)
		case wire.Tools == nil:
			return nil, fmt.Errorf("page %d: tools: missing or null, want an array", i+1)
		case len(raws)+len(wire.Tools) > maxTools:
			return nil, fmt.Errorf("page %d: more than %d tools", i+1, maxTools)
		case leadsOn && last:
			return nil, fmt.Errorf("page %d: nextCursor %.100q leads on, and it is the last page given", i+1, *wire.Next)
		case !leadsOn && !last:
			return nil, fmt.Errorf("page %d: it has no nextCursor, and %d pages follow it", i+1, len(pages)-1-i)
		}
		for _, tool := range wire.Tools {
			raws = append(raws, tool)
		}
	}
	return raws, nil
}

// readResult decodes a result, which must be a JSON object in strict JSON.
func readResult(data []byte, into any) error {
	if len(data) > maxResult {
		return fmt.Errorf("a result of %d bytes, want at most %d", len(data), maxResult)
	}
	if err := strictjson.Check(data); err != nil {
		return err
	}
	return readMember("result", data, into)
}

// readMember decodes an object of a result; what is absent is left as it is.
func readMember(name string, v jsontext.Value, into any) error {
	if isAbsent(v) && name != "result" {
		return nil
	}
	if v.Kind() != '{' {
		return fmt.Errorf("%s: got %.40q, want an object", name, string(v))
	}
	if err := strictjson.DecodeOpen(v, into); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

func isAbsent(v jsontext.Value) bool { return len(v) == 0 || v.Kind() == 'n' }

func orBlank(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
