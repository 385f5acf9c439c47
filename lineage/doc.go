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
//
// # Classes
//
// [Classify] says what the changes mean: each has a [Class], a [Weight] for
// those who use the tool, and a clause that a person would write. It compares
// the two snapshots, and member by member what the two manifests declare.
//
// Schemas are compared as the sets of values that they allow. An input schema
// that allows less breaks callers, one that allows more adds something; with an
// output schema it is the other way round. Other words for the same set are
// [SchemaRewritten]; what is not understood is [SchemaChanged], and counts as
// breaking. Two liberties are taken with the sets,
// since all who write schemas take them: a new optional parameter is an
// addition, although an open object allowed any value under its name, and the
// arguments of a call are an object.
//
// Nothing can be left unsaid: there is a change for a tool exactly where
// [FlagsOf] or [Diff] sees one, or the summary for people changed.
//
// [StepOf] says what the step between two versions announces, [Gate] holds the
// changes against it. [Entries] writes the change entries of MIS §13.3 and never
// understates; [Understated] checks those of others.
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

	// minOfWeight are the changes of each weight that a tool keeps, however many
	// heavier ones there are: egress does not hide behind a hundred parameters.
	minOfWeight = maxChanges / 8

	// maxSchemaDepth bounds the schemas within schemas that are followed, through
	// references too. The deepest of 35 real servers has 9.
	maxSchemaDepth = 500

	// minSteps is the work that the comparison of even the smallest schemas is
	// granted, in members visited; each of their bytes grants one more.
	minSteps = 1000

	// maxRefs bounds the references that lead to references.
	maxRefs = 32

	// maxExclusive bounds the alternatives of a oneOf that are compared with each
	// other. Beyond it they count as overlapping.
	maxExclusive = 100

	// maxWide bounds the patterns among declared names that are tried on the
	// other names. A name that none of them covers counts as new.
	maxWide = 16

	// maxRenames bounds the tools on each side that are compared with each other
	// to guess which was renamed, maxRenameText the bytes of a description that
	// are read for it. Beyond maxRenames only equal tools are found.
	maxRenames    = 40
	maxRenameText = 4096

	// maxQuoted bounds the bytes of a name or value in a sentence, and maxNamed
	// how many there are. Of the names in 35 real servers, the longest has 46.
	maxQuoted = 60
	maxNamed  = 5

	// maxGlimpse bounds the bytes of a value that a class change shows.
	maxGlimpse = 256

	// maxSentence bounds a description that is written here, in bytes: three
	// lines of a report. maxSubjects bounds the commits that it names.
	maxSentence = 400
	maxSubjects = 3

	// maxStated bounds the changes that a publisher states for a release, each of
	// which stands in every tool; maxStatedText the bytes of one.
	maxStated     = 16
	maxStatedText = 500

	// maxCommits bounds the different commits that count.
	maxCommits = 1000

	// maxVersion bounds a version that is compared, in bytes. npm allows 256.
	maxVersion = 256
)
