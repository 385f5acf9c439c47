package e2e

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// thirdParty is whoever verifies a release with what others say of it, under a
// policy that takes nothing below level 3.
var thirdParty = strings.Fields("mcp-integrity verify --trust trust.yaml --artifact acme-tools-1.2.4.tgz --memory none --format json --output-file result.json" +
	" --provenance mcp-integrity.provenance.sigstore.json")

// caught verifies, as nobody's job, an envelope that somebody worked on, and wants that it fails,
// what is left of its level, and a finding of this name whose message matches.
func caught(ts *testscript.TestScript, args []string) {
	if len(args) != 4 {
		ts.Fatalf("usage: caught ENVELOPE LEVEL NAME PATTERN")
	}
	level, err := strconv.ParseFloat(args[1], 64)
	ts.Check(err)
	desk(ts, nil)
	exits(ts, append(append([]string{"1"}, thirdParty...), args[0], "--", "node", "dist/index.js"))
	result := document(ts, ts.ReadFile("result.json"), "result.json").(map[string]any)
	if got := result["trust_level"]; got != level {
		ts.Fatalf("level %v, want %v", got, level)
	}
	var all []any
	for _, list := range []string{"errors", "advisories"} {
		found, _ := result[list].([]any)
		all = append(all, found...)
	}
	pattern := regexp.MustCompile(args[3])
	if !slices.ContainsFunc(all, func(one any) bool {
		finding := one.(map[string]any)
		return finding["name"] == args[2] && pattern.MatchString(finding["message"].(string))
	}) {
		ts.Fatalf("no %s with %#q, but %v", args[2], args[3], all)
	}
}
