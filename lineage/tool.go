package lineage

import (
	"bytes"
	"slices"
	"strings"

	"github.com/mcp-integrity/seal-action/seal/fingerprint"
)

// A Kind says what happened to a tool or to a value in its JSON.
type Kind string

// Added to Changed happen to tools and values.
const (
	Added   Kind = "added"
	Removed Kind = "removed"
	Changed Kind = "changed"
	// Unsealed is a tool whose fingerprint is the same, and of which only
	// members changed that no fingerprint covers.
	Unsealed Kind = "unsealed"
	// Reordered is an array that JSON Schema reads as a set (required, enum,
	// type) and whose remaining elements stand in another order.
	Reordered Kind = "reordered"
)

// A ToolChange is what happened to one tool.
type ToolChange struct {
	Name string `json:"name"`
	Kind Kind   `json:"kind"`
	// Components are the parts whose digests differ, in the order of the
	// composite; of an added or removed tool, the parts that it has.
	Components []fingerprint.Component `json:"components,omitzero"`
	// Description is the description's way from old to new, where it changed.
	Description []Edit `json:"description,omitzero"`
	// Schema are the changes in input schema, annotations and output schema, in
	// the order of the composite and then of their pointers. SchemaMore counts
	// those beyond the bound.
	Schema     []SchemaChange `json:"schema,omitzero"`
	SchemaMore int            `json:"schema_more,omitzero"`
	// Unsealed are the changes in the other members of the tool's JSON; their
	// pointers start at the tool. UnsealedMore counts those beyond the bound.
	Unsealed     []SchemaChange `json:"unsealed,omitzero"`
	UnsealedMore int            `json:"unsealed_more,omitzero"`
}

// Diff returns what changed between two lists of tools, by name in byte order;
// nil when nothing did. Tools are paired by name alone: a renamed tool is one
// removed and one added. The lists are those of [fingerprint.ParseTools]; they
// are not changed, and the result shares their memory.
func Diff(old, new []fingerprint.Tool) []ToolChange {
	old, new = byName(old), byName(new)
	cells := maxAllCells
	var changes []ToolChange
	for len(old) > 0 || len(new) > 0 {
		d := differ{cells: &cells}
		switch {
		case len(new) == 0 || len(old) > 0 && old[0].Name < new[0].Name:
			d.only(Removed, &old[0], nil)
			old = old[1:]
		case len(old) == 0 || new[0].Name < old[0].Name:
			d.only(Added, nil, &new[0])
			new = new[1:]
		default:
			d.both(&old[0], &new[0])
			old, new = old[1:], new[1:]
		}
		if d.change.Kind != "" {
			changes = append(changes, d.change)
		}
	}
	return changes
}

func byName(tools []fingerprint.Tool) []fingerprint.Tool {
	tools = slices.Clone(tools)
	// Stable: should a name stand twice after all, its first is paired with the
	// other list's first, and none is lost.
	slices.SortStableFunc(tools, func(a, b fingerprint.Tool) int { return strings.Compare(a.Name, b.Name) })
	return tools
}

// A differ fills one ToolChange.
type differ struct {
	change ToolChange
	cells  *int // what is left for word comparisons
}

// only describes a tool that one side alone has: all of it is the change.
func (d *differ) only(kind Kind, old, new *fingerprint.Tool) {
	t := new
	if t == nil {
		t = old
	}
	d.change.Name, d.change.Kind = t.Name, kind
	for _, c := range fingerprint.Components {
		if c == fingerprint.Description || part(t, c) != nil {
			d.change.Components = append(d.change.Components, c)
		}
	}
	d.describe(old, new)
}

func (d *differ) both(old, new *fingerprint.Tool) {
	if bytes.Equal(old.Raw, new.Raw) && len(old.Raw) > 0 {
		return
	}
	d.change.Name = new.Name
	d.describe(old, new)
	switch {
	case len(d.change.Components) > 0:
		d.change.Kind = Changed
	case len(d.change.Unsealed) > 0:
		d.change.Kind = Unsealed
	}
}

// describe compares part by part. For a tool on one side alone, the caller has
// named the components.
func (d *differ) describe(old, new *fingerprint.Tool) {
	paired := old != nil && new != nil
	if from, to := description(old), description(new); from != to {
		d.change.Description = words(from, to, d.cells)
		if paired {
			d.change.Components = append(d.change.Components, fingerprint.Description)
		}
	}
	schema := list{component: fingerprint.InputSchema, cells: d.cells}
	for _, c := range fingerprint.Components[1:] {
		schema.component = c
		if schema.compare(part(old, c), part(new, c)) && paired {
			d.change.Components = append(d.change.Components, c)
		}
	}
	d.change.Schema, d.change.SchemaMore = schema.changes, schema.more

	rest := list{cells: d.cells}
	rest.values(unsealed(old), unsealed(new))
	d.change.Unsealed, d.change.UnsealedMore = rest.changes, rest.more
}

func description(t *fingerprint.Tool) string {
	if t == nil {
		return ""
	}
	return t.Description
}

// part returns the bytes of a JSON component; nil where t has none.
func part(t *fingerprint.Tool, c fingerprint.Component) []byte {
	switch {
	case t == nil:
		return nil
	case c == fingerprint.InputSchema:
		return t.InputSchema
	case c == fingerprint.Annotations:
		return t.Annotations
	case c == fingerprint.OutputSchema:
		return t.OutputSchema
	}
	return nil
}
