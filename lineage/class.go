package lineage

import (
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/mcp-integrity/seal-action/seal"
	"github.com/mcp-integrity/seal-action/seal/fingerprint"
)

// ClassesVersion is the version of the classification itself. It grows when the
// same two releases would be classed in another way.
const ClassesVersion = "1"

// A Side is one of two releases that are compared.
type Side struct {
	// Manifest is what was sealed; nil where there is none.
	Manifest *seal.Manifest
	// Tools are those of the interface snapshot; nil where there is none, and
	// empty but not nil for a server without tools.
	Tools []fingerprint.Tool
}

// A Class names one kind of change.
type Class string

// The classes. In the second column is the weight in an input schema, in the
// third that in an output schema, whose direction is the other one: a caller is
// hurt by an input that accepts less, and by an output that may be more.
const (
	ToolAdded   Class = "tool-added"   // Addition
	ToolRemoved Class = "tool-removed" // Breaking
	// ToolRenamed: an added tool that is like a removed one. A guess, beside the
	// two facts.
	ToolRenamed Class = "tool-renamed" // Compatible

	DescriptionChanged Class = "description-changed" // Wording

	RequiredAdded   Class = "required-added"   // Breaking    Compatible
	RequiredRemoved Class = "required-removed" // Addition    Breaking
	PropertyAdded   Class = "property-added"   // Addition    Addition; Breaking where the object was closed
	PropertyRemoved Class = "property-removed" // Breaking    Breaking
	// AdditionalClosed and AdditionalOpened: members that the schema does not
	// name (additionalProperties).
	AdditionalClosed  Class = "additional-closed"   // Breaking    Compatible
	AdditionalOpened  Class = "additional-opened"   // Addition    Breaking
	TypeNarrowed      Class = "type-narrowed"       // Breaking    Compatible
	TypeWidened       Class = "type-widened"        // Addition    Breaking
	TypeChanged       Class = "type-changed"        // Breaking    Breaking
	ValueAdded        Class = "value-added"         // Addition    Breaking      (enum, const)
	ValueRemoved      Class = "value-removed"       // Breaking    Compatible    (enum, const)
	ConstraintTighter Class = "constraint-tighter"  // Breaking    Compatible
	ConstraintLooser  Class = "constraint-looser"   // Addition    Breaking
	ConstraintChanged Class = "constraint-changed"  // Breaking    Breaking
	AlternativeAdded  Class = "alternative-added"   // Addition    Breaking      (anyOf, oneOf)
	AlternativeGone   Class = "alternative-removed" // Breaking    Compatible    (anyOf, oneOf)
	DefaultAdded      Class = "default-added"       // Addition    Addition
	DefaultChanged    Class = "default-changed"     // Breaking    Breaking: the same call does something else
	DefaultRemoved    Class = "default-removed"     // Breaking    Breaking

	// OutputSchemaAdded and OutputSchemaRemoved: the schema as a whole.
	OutputSchemaAdded   Class = "output-schema-added"   // Addition
	OutputSchemaRemoved Class = "output-schema-removed" // Breaking
	// SchemaChanged: a change that is not understood, or too deep or too large
	// to be followed. It counts as breaking when a release is made, and as an
	// addition when it is checked.
	SchemaChanged Class = "schema-changed" // Breaking    Breaking
	// SchemaWording: titles, descriptions, examples. Models read them.
	SchemaWording Class = "schema-wording" // Wording     Wording
	// SchemaRewritten: other words for the same set of values.
	SchemaRewritten Class = "schema-rewritten" // Compatible  Compatible

	// HintExpanded and HintReduced: what the annotations say of the tool's
	// effects, absent ones by MCP's defaults.
	HintExpanded       Class = "hint-expanded"       // Expansion
	HintReduced        Class = "hint-reduced"        // Reduction
	AnnotationsChanged Class = "annotations-changed" // Wording
	// UnsealedChanged: members of the tool that no fingerprint covers.
	UnsealedChanged Class = "unsealed-changed" // Wording
	// DigestChanged: a component's digest differs, and how it changed is not
	// seen: a snapshot is missing, or is not the one that was sealed.
	DigestChanged Class = "digest-changed" // Unseen

	EffectExpanded     Class = "side-effect-expanded" // Expansion
	EffectReduced      Class = "side-effect-reduced"  // Reduction
	EffectRestated     Class = "side-effect-restated" // Compatible: in other words, or within what was declared
	SummaryChanged     Class = "summary-changed"      // Wording
	CapabilityGained   Class = "capability-gained"    // Expansion
	CapabilityWidened  Class = "capability-widened"   // Expansion
	CapabilityNarrowed Class = "capability-narrowed"  // Reduction
	CapabilityLost     Class = "capability-lost"      // Reduction
	CapabilityRestated Class = "capability-restated"  // Compatible
)

// A Weight says what a change means for those who use the tool.
type Weight string

// The weights, heaviest first.
const (
	// Breaking: who used the tool as it was can fail now.
	Breaking Weight = "breaking"
	// Expansion: the tool may do more than before, on its own word.
	Expansion Weight = "expansion"
	// Unseen: something changed, and nobody can say what.
	Unseen Weight = "unseen"
	// Addition: there is something new to use.
	Addition Weight = "addition"
	// Wording: texts that people and models read.
	Wording Weight = "wording"
	// Reduction: the tool may do less than before, on its own word.
	Reduction Weight = "reduction"
	// Compatible: nobody needs to act.
	Compatible Weight = "compatible"
)

// Weights are all weights, heaviest first.
var Weights = []Weight{Breaking, Expansion, Unseen, Addition, Wording, Reduction, Compatible}

// rank is the index in [Weights].
func (w Weight) rank() int { return slices.Index(Weights, w) }

// A ClassChange is one change with its class.
type ClassChange struct {
	Tool   string `json:"tool"`
	Class  Class  `json:"class"`
	Weight Weight `json:"weight"`
	// Component is the part of the interface that changed; "" for what stands
	// in the manifest, for the tool as a whole, and for what no fingerprint covers.
	Component fingerprint.Component `json:"component,omitzero"`
	// Path is an RFC 6901 pointer: into the component, for a declaration into
	// the tool's entry in the manifest, else into the tool. It leads into the
	// new value, or into the old one for what was removed.
	Path string `json:"path,omitzero"`
	// Text says what happened, as a clause without its subject: `adds the
	// required parameter "encoding"`. Names and values of the tool stand in it
	// quoted, escaped and cut.
	Text string `json:"text"`
	// Old and New are the value before and after, as JSON. Of one that is larger
	// than 256 bytes there is a JSON string of its beginning; [Diff] has all.
	Old jsontext.Value `json:"old,omitzero"`
	New jsontext.Value `json:"new,omitzero"`
	// Guess marks what is probable and not certain.
	Guess bool `json:"guess,omitzero"`
}

// Classes are all changes between two releases.
type Classes struct {
	// Changes are sorted by tool, then heaviest first, then as they stand in the
	// tool. There are at most 200 of each tool, the heaviest and some of each
	// weight, and More counts the others.
	Changes []ClassChange `json:"changes"`
	More    int           `json:"more,omitzero"`
	// Snapshots says that both sides had one. Otherwise interfaces were compared
	// by their digests.
	Snapshots bool `json:"snapshots"`
}

// Of returns the changes of one tool.
func (c Classes) Of(tool string) []ClassChange {
	byTool := func(c ClassChange, name string) int { return strings.Compare(c.Tool, name) }
	start, _ := slices.BinarySearchFunc(c.Changes, tool, byTool)
	end := start
	for end < len(c.Changes) && c.Changes[end].Tool == tool {
		end++
	}
	return c.Changes[start:end:end]
}
