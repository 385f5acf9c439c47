package lineage

import (
	"bytes"

	"github.com/mcp-integrity/seal-action/seal/fingerprint"
)

// schemas compares two input or output schemas; nil for none.
func (l *ledger) schemas(c fingerprint.Component, oldRaw, newRaw []byte) {
	if bytes.Equal(oldRaw, newRaw) {
		return
	}
	old, new := object(oldRaw), object(newRaw)
	switch {
	case old == nil:
		l.add(ClassChange{Class: OutputSchemaAdded, Weight: Addition, Component: c, Text: "declares an output schema", New: new.json()})
	case new == nil:
		l.add(ClassChange{Class: OutputSchemaRemoved, Weight: Breaking, Component: c, Text: "no longer declares an output schema", Old: old.json()})
	case !bytes.Equal(old.raw, new.raw):
		l.add(ClassChange{Class: SchemaChanged, Weight: Breaking, Component: c, Text: "changes the " + componentName(c), Old: old.json(), New: new.json()})
	}
}
