package publish

import (
	"path"
	"slices"
	"strings"

	"github.com/mcp-integrity/seal-action/seal/strictjson"
)

// maxPackaging bounds a file that says what goes into a package, in bytes. A large
// package.json has 20 kB.
const maxPackaging = 1 << 20

// packageNotes says where what packs a directory would leave the manifest out. The
// files are their owner's, and are never changed; one that we cannot read says
// nothing.
func packageNotes(f *folder) []string {
	var notes []string
	text := func(name string) string {
		data, err := f.read(name, maxPackaging)
		if err != nil {
			return ""
		}
		return string(data)
	}
	if note := npmNote(text("package.json"), text(".npmignore"), text(".gitignore")); note != "" {
		notes = append(notes, note)
	}
	if project := text("pyproject.toml") + text("setup.py") + text("setup.cfg"); project != "" && !strings.Contains(project+text("MANIFEST.in"), packageName) {
		notes = append(notes, `Python: no wheel has its project's root in it: have the build backend take `+packageName+` (setuptools: "include `+packageName+`" in MANIFEST.in for the sdist, package-data for the wheel; hatch: force-include)`)
	}
	if cargo := text("Cargo.toml"); declaresInclude(cargo) && !strings.Contains(cargo, packageName) {
		notes = append(notes, `Cargo.toml: "include" leaves `+packageName+` out of the crate: add it there`)
	}
	return notes
}

// npmNote says whether npm would leave the manifest out: what the list "files" does
// not have, or, where there is none, what .npmignore, or else .gitignore, has.
func npmNote(packageJSON, npmignore, gitignore string) string {
	var doc struct {
		Files *[]string `json:"files"`
	}
	if packageJSON == "" || strictjson.UnmarshalOpen([]byte(packageJSON), &doc) != nil {
		return ""
	}
	if doc.Files != nil {
		if !lastMatch(*doc.Files, filesMatch) {
			return `package.json: "files" leaves ` + packageName + ` out of the package: add it there`
		}
		return ""
	}
	name, ignore := ".npmignore", npmignore
	if ignore == "" {
		name, ignore = ".gitignore", gitignore
	}
	lines := slices.DeleteFunc(strings.Split(ignore, "\n"), func(l string) bool {
		l = strings.TrimSpace(l)
		return l == "" || strings.HasPrefix(l, "#")
	})
	if lastMatch(lines, ignoreMatch) {
		return name + ": it leaves " + packageName + ` out of the package: add "!/` + packageName + `", or a list "files" to package.json`
	}
	return ""
}

// lastMatch says whether the last pattern that matches the manifest's name is one
// without "!".
func lastMatch(patterns []string, match func(string) bool) bool {
	for _, p := range slices.Backward(patterns) {
		p = strings.TrimSpace(p)
		negated := strings.HasPrefix(p, "!")
		if match(strings.TrimPrefix(p, "!")) {
			return !negated
		}
	}
	return false
}

// filesMatch says whether an entry of "files" takes in a file at the root.
func filesMatch(pattern string) bool {
	pattern = strings.TrimPrefix(strings.TrimPrefix(pattern, "./"), "/")
	switch pattern {
	case "", ".", "*", "**", "**/*":
		return true
	}
	return ignoreMatch(pattern)
}

// ignoreMatch says whether a pattern, as git writes them, matches a file at the
// root. One for directories does not, nor one for what lies below one.
func ignoreMatch(pattern string) bool {
	pattern = strings.TrimPrefix(strings.TrimPrefix(pattern, "/"), "**/")
	ok, err := path.Match(pattern, packageName)
	return err == nil && ok
}

// declaresInclude says whether a Cargo.toml has a list of what goes into the crate.
func declaresInclude(cargo string) bool {
	for line := range strings.Lines(cargo) {
		name, _, ok := strings.Cut(line, "=")
		if ok && strings.TrimSpace(name) == "include" {
			return true
		}
	}
	return false
}
