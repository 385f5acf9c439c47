package lineage

import (
	"slices"
	"strings"
)

// dialects are the dialects of JSON Schema that read the keywords of this
// package alike, but for those that [dialectal] finds.
var dialects = []string{
	"http://json-schema.org/draft-07/schema",
	"https://json-schema.org/draft/2019-09/schema",
	"https://json-schema.org/draft/2020-12/schema",
}

// dialect compares $schema. Another dialect is only other words where it reads
// nothing of the two schemas in another way.
func (w *walker) dialect() {
	a, b := w.old.root.member("$schema"), w.new.root.member("$schema")
	switch {
	case same(a, b):
	case knownDialect(a) && knownDialect(b) && !dialectal(w.old.root) && !dialectal(w.new.root):
		w.report(SchemaRewritten, Compatible, place{}, "$schema", verbOf(difference{old: a, new: b})+" the dialect of the "+componentName(w.component), a, b)
	default:
		w.opaque(place{}, "$schema", a, b)
	}
}

// knownDialect counts an absent $schema: MCP takes it for 2020-12, and clients
// before took it for draft-07.
func knownDialect(n *node) bool {
	return n == nil || n.kind() == '"' && slices.Contains(dialects, strings.TrimSuffix(n.text(), "#"))
}

// dialectal reports whether a schema has something that the known dialects read
// in different ways. Keywords are looked for everywhere, in data as well.
func dialectal(n *node) bool {
	return slices.ContainsFunc(n.members, func(m member) bool {
		switch m.name {
		case "$ref":
			if len(constraining(n)) > 1 {
				return true // up to draft-07, what stands beside it does not count
			}
		case "items":
			if m.node.kind() == '[' {
				return true
			}
		case "additionalItems", "prefixItems", "dependencies", "dependentRequired", "dependentSchemas", "minContains", "maxContains",
			"unevaluatedItems", "unevaluatedProperties", "$anchor", "$dynamicRef", "$recursiveRef", "$dynamicAnchor":
			return true
		}
		return dialectal(m.node)
	})
}
