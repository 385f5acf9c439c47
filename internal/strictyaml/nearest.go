package strictyaml

import "strings"

// maxCompared bounds the names that are compared, in bytes: the cost is the
// product of two lengths.
const maxCompared = 64

// Nearest returns the candidate that name most likely was meant to be, or "":
// one that differs in case or punctuation only, or by an edit for every three
// characters at most, or its plural. Of equals, the first.
func Nearest(name string, candidates []string) string {
	if len(name) > maxCompared {
		return ""
	}
	best, least := "", len(name)/3+1
	if len(name) < 3 {
		least = 0 // any two short names are an edit or two apart
	}
	for _, c := range candidates {
		if same := squash(name); squash(c) == same || squash(c) == plural(same) {
			return c
		}
		if len(c) > maxCompared {
			continue
		}
		if d := distance(strings.ToLower(name), strings.ToLower(c)); d < least {
			best, least = c, d
		}
	}
	return best
}

// squash drops what is written in several ways: writeFile, write-file, write_file.
func squash(s string) string {
	return strings.ToLower(strings.NewReplacer("_", "", "-", "", " ", "").Replace(s))
}

// plural is the usual one: registry, registries.
func plural(word string) string {
	if stem, ok := strings.CutSuffix(word, "y"); ok {
		return stem + "ies"
	}
	return word + "s"
}

// distance is the least number of bytes to insert, delete, replace or swap
// with the next (optimal string alignment) that makes a into b.
func distance(a, b string) int {
	before, row, next := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		next[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			next[j] = min(row[j]+1, next[j-1]+1, row[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				next[j] = min(next[j], before[j-2]+1)
			}
		}
		before, row, next = row, next, before
	}
	return row[len(b)]
}
