// Package lineage says what changed from one release of a tool server to the
// next.
//
// [Diff] compares two lists of tools as their servers sent them. A tool counts
// as changed when its fingerprint does (MIS §9.4): texts that differ in white
// space between members, member order or number form are the same tool. What
// the fingerprint does not cover (title, icons, _meta, members that nobody
// knows) is compared too and reported apart, as unsealed: a host may show it to
// a person or a model although no signature stands behind it.
//
// Text is compared word by word, [Words]; JSON is compared member by member,
// with RFC 6901 pointers to what differs. The comparison is complete: where two
// components have different digests there is at least one change, and a change
// that is too large to be shown says how much is missing. It is also bounded:
// time and result grow with the size of the tools, whatever a stranger wrote
// into them, and the same input gives the same answer on every machine.
//
// The result carries a stranger's text. Whoever prints it escapes it for the
// place it is printed in.
package lineage

// Bounds. Two lists of tools have bounds of their own where they are read; these
// keep their comparison from costing more than reading them did.
const (
	// maxChanges bounds the schema changes kept for a tool, and apart from them
	// the unsealed ones. The largest tool of 35 real servers has 160 members in
	// its schema; nobody reviews more at a sitting. The rest is counted.
	maxChanges = 200

	// maxValue bounds the bytes of a value that a schema change shows. Nine of
	// ten real input schemas are smaller as a whole.
	maxValue = 4096

	// maxPath bounds a JSON pointer in bytes. What lies deeper is reported as a
	// change of its ancestor: a pointer that was cut would point elsewhere.
	maxPath = 512

	// maxCells bounds the work of one word comparison, tokens × tokens: two
	// texts of 2,000 words and spaces each, or 8 KiB. Beyond it whole sentences
	// are compared first.
	maxCells = 4 << 20

	// maxAllCells bounds the work of all word comparisons of one Diff: that of
	// 500 descriptions of 360 tokens, each rewritten from scratch.
	maxAllCells = 64 << 20
)
