package strictyaml

import (
	"fmt"

	"github.com/goccy/go-yaml/token"
)

// nesting follows how deep collections go, and what they will cost: the parser
// recurses into each of them, walks a block mapping once for each member, and
// moves all tokens behind a value that is left empty.
type nesting struct {
	tokens int // in the file
	blocks []block
	flows  []flow
	steps  int // over the members of block mappings
	empty  int // values
}

// A block is a collection in block style: it opens at a column to the right of
// the one that holds it.
type block struct{ column, members int }

// A flow is a collection in brackets or braces, and what stands in it since the
// last comma.
type flow struct{ mapping, content, colon bool }

// take goes on to t; it returns what is wrong with it, or "".
func (n *nesting) take(t *token.Token) string {
	switch {
	case len(n.flows) > 0 || isFlowStart(t):
		if why := n.takeFlow(t); why != "" {
			return why
		}
	case t.Position != nil && (isKey(t) || t.Type == token.SequenceEntryType):
		n.takeBlock(t)
	}
	if t.Type == token.MappingValueType && isEmptyValue(t) {
		n.empty++
	}
	switch {
	case len(n.blocks)+len(n.flows) > maxDepth:
		return fmt.Sprintf("nested deeper than %d levels", maxDepth)
	case n.steps > maxSteps:
		return "too many members in the mappings up to here"
	case int64(n.empty)*int64(n.tokens) > maxMoves:
		return "too many empty values up to here"
	}
	return ""
}

func (n *nesting) takeBlock(t *token.Token) {
	for len(n.blocks) > 0 && n.blocks[len(n.blocks)-1].column > t.Position.Column {
		n.blocks = n.blocks[:len(n.blocks)-1]
	}
	if len(n.blocks) == 0 || n.blocks[len(n.blocks)-1].column < t.Position.Column {
		n.blocks = append(n.blocks, block{column: t.Position.Column})
	}
	if isKey(t) {
		top := &n.blocks[len(n.blocks)-1]
		top.members++
		n.steps += top.members
	}
}

func (n *nesting) takeFlow(t *token.Token) string {
	var top flow
	if len(n.flows) > 0 {
		top = n.flows[len(n.flows)-1]
	}
	switch t.Type {
	case token.CommentType:
		return ""
	case token.MappingStartType, token.SequenceStartType:
		n.touch(false)
		n.flows = append(n.flows, flow{mapping: t.Type == token.MappingStartType})
	case token.MappingEndType, token.SequenceEndType:
		n.flows = n.flows[:len(n.flows)-1]
		if top.mapping && top.content && !top.colon {
			return "a name without a value: write a colon and a value behind it"
		}
	case token.CollectEntryType:
		switch {
		case !top.content:
			return "a comma with nothing before it"
		case top.mapping && !top.colon:
			return "a name without a value: write a colon and a value behind it"
		}
		n.flows[len(n.flows)-1] = flow{mapping: top.mapping}
	default:
		n.touch(t.Type == token.MappingValueType)
	}
	return ""
}

// touch notes that something stands at this place of the innermost flow.
func (n *nesting) touch(colon bool) {
	if len(n.flows) > 0 {
		top := &n.flows[len(n.flows)-1]
		top.content, top.colon = true, top.colon || colon
	}
}

func isFlowStart(t *token.Token) bool {
	return t.Type == token.MappingStartType || t.Type == token.SequenceStartType
}

func isKey(t *token.Token) bool { return t.Next != nil && t.Next.Type == token.MappingValueType }

// isEmptyValue reports a colon with nothing behind it on its line, whether a
// block follows below or not.
func isEmptyValue(colon *token.Token) bool {
	next := colon.Next
	for next != nil && next.Type == token.CommentType {
		next = next.Next
	}
	if next == nil || next.Position == nil || colon.Position == nil || next.Position.Line != colon.Position.Line {
		return true
	}
	switch next.Type {
	case token.CollectEntryType, token.MappingEndType, token.SequenceEndType:
		return true
	}
	return false
}
