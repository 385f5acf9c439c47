package server

import (
	"context"
	"errors"

	"github.com/go-json-experiment/json/jsontext"
)

// drain lists the tools and keeps each tool's bytes. The protocol holds no list
// still while its pages are read: where the server says that it changed meanwhile,
// the pages may be of two lists, a mixture that no host was meant to see, and all
// are read again. One page is one list, whatever changes afterwards.
func drain(ctx context.Context, s *session) error {
	for range maxListings {
		before := s.conn.changes()
		pages, err := s.list(ctx)
		if err != nil || pages == 1 {
			return err
		}
		s.conn.settle(ctx)
		if s.conn.changes() == before {
			return nil
		}
	}
	return refusef("the tool list changed while its pages were read, %d times in a row", maxListings)
}

// list follows tools/list to its end and says how many pages it has.
func (s *session) list(ctx context.Context) (pages int, err error) {
	s.listing.Tools = nil
	var cursor *string
	seen := make(map[string]bool)
	for page := 1; ; page++ {
		if page > maxPages {
			return page, refusef("more than %d pages, the latest cursor is %.100q", maxPages, *cursor)
		}
		params, err := s.listParams(cursor)
		if err != nil {
			return page, err
		}
		result, err := s.call(ctx, "tools/list", params)
		if rpc, ok := errors.AsType[*RPCError](err); ok && rpc.Code == methodNotFound && page == 1 && !s.declaresTools {
			return page, nil
		}
		if err != nil {
			return page, err
		}
		p, err := parsePage(result, maxTools-len(s.listing.Tools))
		if err != nil {
			return page, err
		}
		s.listing.Tools = append(s.listing.Tools, p.tools...)
		if p.next == nil {
			return page, nil
		}
		if seen[*p.next] {
			return page, refusef("nextCursor %.100q was given before: the list would never end", *p.next)
		}
		seen[*p.next] = true
		cursor = p.next
	}
}

// listParams are the params of a tools/list request for the page at cursor.
func (s *session) listParams(cursor *string) (string, error) {
	params := s.meta
	if cursor != nil {
		if params != "" {
			params += ","
		}
		quoted, err := jsontext.AppendQuote(nil, *cursor)
		if err != nil {
			return "", err
		}
		params += `"cursor":` + string(quoted)
	}
	return "{" + params + "}", nil
}

// A page is one answer to tools/list. next is nil on the last one.
type page struct {
	tools [][]byte
	next  *string
}

// parsePage reads the result of a tools/list request, already checked as strict
// JSON. It refuses a list that is no array, an element that is no object, and
// more than limit tools; what is inside a tool is fingerprint's to judge.
func parsePage(result []byte, limit int) (page, error) {
	var p page
	var wire struct {
		Type  jsontext.Value `json:"resultType"`
		Tools jsontext.Value `json:"tools"`
		Next  jsontext.Value `json:"nextCursor"`
	}
	if err := decodeObject(result, &wire, "result"); err != nil {
		return p, err
	}
	if err := checkComplete(wire.Type); err != nil {
		return p, err
	}
	if wire.Tools.Kind() != '[' {
		return p, refusef("tools: got %s, want an array", show(wire.Tools))
	}
	tools, err := elementsOf(wire.Tools, limit)
	if errors.Is(err, errTooMany) {
		return p, refusef("more than %d tools", maxTools)
	}
	if err != nil {
		return p, refusef("tools: %w", err)
	}
	for i, t := range tools {
		if jsontext.Value(t).Kind() != '{' {
			return p, refusef("tools[%d]: got %s, want an object", i, show(t))
		}
	}
	p.tools = tools
	if absent(wire.Next) {
		return p, nil
	}
	next, err := decodeString(wire.Next, "nextCursor")
	if err != nil {
		return page{}, err
	}
	p.next = &next
	return p, nil
}
