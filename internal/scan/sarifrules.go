package scan

import (
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// scoreOf reads a security-severity. It is empty where there is none, or 0; what
// is no score is unknown, which speaks against.
func scoreOf(v jsontext.Value) grade {
	text := strings.Trim(string(v), `"`)
	if text == "" || text == "null" || strings.Trim(text, "0.") == "" {
		return ""
	}
	if s := severityScored(text); s != unknown {
		return s
	}
	return severityNamed(text)
}

// sarifRules are the rules of a run and what they say of results without level.
type sarifRules struct {
	byID  map[string]sarifDefault
	index []sarifDefault // of the driver's, for ruleIndex
	n     int
}

type sarifDefault struct {
	level string
	score grade
}

var sarifLevels = []string{"none", "note", "warning", "error"}

func (s *sarifRules) add(rule *sarifRule, driver bool) {
	def := sarifDefault{rule.Default.Level, scoreOf(rule.Properties.Security)}
	if def.level == "" {
		def.level = "warning"
	}
	if driver {
		s.index = append(s.index, def)
	}
	if rule.ID != "" {
		s.byID[rule.ID] = worse(s.byID[rule.ID], def)
	}
}

// of finds the rule of a result, by its id or an id above it in the hierarchy
// (§3.27.5), and by its index in the driver. Where both say something, the worse
// counts. No rule, and a level that may be overridden, is a warning.
func (s *sarifRules) of(id string, index *int64, overrides bool) sarifDefault {
	var def sarifDefault
	for above, cut := id, true; cut; {
		if d, ok := s.byID[above]; ok {
			def = d
			break
		}
		i := strings.LastIndexByte(above, '/')
		if cut = i > 0; cut {
			above = above[:i]
		}
	}
	if index != nil && *index >= 0 && *index < int64(len(s.index)) {
		def = worse(def, s.index[*index])
	}
	if def.level == "" || overrides {
		def = worse(def, sarifDefault{level: "warning"})
	}
	return def
}

// worse takes the higher level and score of two; a level of no list is the highest.
func worse(a, b sarifDefault) sarifDefault {
	if a.level == "" || b.level != "" && rank(sarifLevels, b.level) > rank(sarifLevels, a.level) {
		a.level = b.level
	}
	scores := []string{"", string(low), string(medium), string(high), string(critical)}
	if rank(scores, string(b.score)) > rank(scores, string(a.score)) {
		a.score = b.score
	}
	return a
}

func rank(order []string, word string) int {
	if i := slices.Index(order, word); i >= 0 {
		return i
	}
	return len(order)
}
