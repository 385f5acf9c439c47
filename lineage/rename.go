package lineage

// maxRenames bounds the tools that are compared with each other to guess which
// was renamed: beyond it only those with equal texts are found.
const maxRenames = 40

// minAlike is the part of their words that two tools must share to be taken for
// one: a guess, so a high one.
const minAlike = 0.75

// renames returns, for each added tool that is like a removed one, the name of
// the latter. Every name stands there once.
func renames(pairs []paired) map[string]string {
	return nil
}

func (l *ledger) guessRenamed(from string) {
	l.add(ClassChange{Class: ToolRenamed, Weight: Compatible, Guess: true, Text: "is probably " + quote(from) + " under another name", Old: jsonString(from), New: jsonString(l.tool)})
}
