package rules

import (
	"slices"

	"github.com/mcp-integrity/seal-action/seal"
	"github.com/mcp-integrity/seal-action/verify"
)

// variables are those of a rule: each member is one, under its name in JSON.
// Their types, and those of all they hold, are read off the Go types, so that a
// new member of the manifest or the result is one of the language, too.
type variables struct {
	Tools    []tool         `json:"tools"`
	Tool     *tool          `json:"tool"`
	Level    *int           `json:"level"`
	Server   server         `json:"server"`
	Result   result         `json:"result"`
	Now      seal.Timestamp `json:"now"`
	Manifest *seal.Manifest `json:"manifest"`
}

// tool is a tool as rules see it. The tag absent says why a pointer is nil.
type tool struct {
	Name   string `json:"name"`
	Sealed bool   `json:"sealed"`

	*seal.Tool         `absent:"the manifest does not know this tool"`
	*verify.ToolResult `absent:"the run has no result for this tool"`
}

// server is the server that was verified. Publisher is absent where nobody's
// signature held.
type server struct {
	Name      string            `json:"name"`
	Version   string            `json:"version"`
	Publisher *verify.Publisher `json:"publisher"`
}

// result is the verdict as far as it is known.
type result struct {
	Outcome    hidden           `json:"outcome"`
	Errors     []verify.Finding `json:"errors"`
	Advisories []verify.Finding `json:"advisories"`

	*verify.Result
}

// hidden hides the embedded member of the same name.
type hidden struct{}

// view is what the rules see of in.
func view(in verify.RuleInput) *variables {
	r, m := in.Result, in.Manifest
	v := &variables{
		Tools:    tools(r.Results, m.Tools),
		Level:    &r.TrustLevel,
		Server:   server{Name: m.Server.Name, Version: m.Server.Version, Publisher: r.Publisher},
		Now:      r.VerifiedAt,
		Manifest: m,
	}
	// nil would be absent, and no finding is a finding known.
	v.Result = result{Result: r, Errors: append([]verify.Finding{}, r.Errors...), Advisories: []verify.Finding{}}
	for _, a := range r.Advisories {
		if a.Code != seal.CodeRuleBroken {
			v.Result.Advisories = append(v.Result.Advisories, a)
		}
	}
	return v
}

// tools joins the results with the manifest's entries, by name. Neither can hide
// a tool that the other has.
func tools(results []verify.ToolResult, sealed []seal.Tool) []tool {
	entries := make(map[string]*seal.Tool, len(sealed))
	for n := range sealed {
		entries[sealed[n].Name] = &sealed[n]
	}
	all := make([]tool, 0, max(len(results), len(sealed)))
	for n := range results {
		r := &results[n]
		entry := entries[r.ToolName]
		all = append(all, tool{Name: r.ToolName, Sealed: entry != nil, Tool: entry, ToolResult: r})
	}
	if len(sealed) == len(results) && !slices.ContainsFunc(all, func(t tool) bool { return t.Tool == nil }) {
		return all
	}
	seen := make(map[string]bool, len(results))
	for n := range results {
		seen[results[n].ToolName] = true
	}
	for n := range sealed {
		if name := sealed[n].Name; !seen[name] {
			all = append(all, tool{Name: name, Sealed: true, Tool: &sealed[n]})
		}
	}
	return all
}
