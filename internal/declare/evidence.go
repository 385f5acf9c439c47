package declare

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"

	"github.com/mcp-integrity/seal-action/seal/strictjson"
)

// Bounds on what is looked at in a schema: evidence, not a proof.
const (
	// maxSchemaDepth is of schemas within schemas.
	maxSchemaDepth = 8
	// maxProperties is of property names in one tool.
	maxProperties = 1_000
)

// hintNames are the behavioural hints of MCP's ToolAnnotations.
var hintNames = []string{"readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint"}

// hints are a tool's annotations as far as they are booleans. Annotations come
// from the server: they are its word, and nothing is derived from their lack.
type hints struct {
	said      map[string]bool
	malformed []string // present, not null, and no boolean
}

func (h hints) is(name string, value bool) bool {
	v, ok := h.said[name]
	return ok && v == value
}

// readHints reads annotations as they came; nil has no hints.
func readHints(annotations []byte) hints {
	h := hints{said: map[string]bool{}}
	var members map[string]any
	if annotations == nil || strictjson.UnmarshalOpen(annotations, &members) != nil {
		return h
	}
	for _, name := range hintNames {
		switch v := members[name].(type) {
		case bool:
			h.said[name] = v
		case nil:
		default:
			h.malformed = append(h.malformed, name)
		}
	}
	return h
}

// vocabulary maps words in property names to the resource category that they
// make likely. "command" is a process that runs code; the rest is read or
// written.
var vocabulary = map[string]string{
	"path": "filesystem", "paths": "filesystem", "file": "filesystem", "files": "filesystem",
	"filename": "filesystem", "filepath": "filesystem", "dir": "filesystem", "directory": "filesystem",
	"directories": "filesystem", "folder": "filesystem", "cwd": "filesystem",
	"url": "network", "urls": "network", "uri": "network", "host": "network", "hostname": "network",
	"endpoint": "network", "domain": "network", "webhook": "network",
	"command": "process", "cmd": "process", "shell": "process", "script": "process",
	"query": "database", "sql": "database", "table": "database", "database": "database", "db": "database",
	"env": "environment", "environment": "environment", "key": "environment",
	"clipboard": "clipboard",
}

// evidence is what a tool's own words make likely.
type evidence struct {
	hints hints
	// properties are, by resource category, the first property that names it.
	properties map[string]string
}

func gather(annotations, inputSchema []byte) evidence {
	e := evidence{hints: readHints(annotations), properties: map[string]string{}}
	var schema any
	if inputSchema == nil || strictjson.UnmarshalOpen(inputSchema, &schema) != nil {
		return e
	}
	for _, name := range propertyNames(nil, schema, 0) {
		for _, word := range words(name) {
			if resource, ok := vocabulary[word]; ok && e.properties[resource] == "" {
				e.properties[resource] = name
			}
		}
	}
	return e
}

// propertyNames appends the names in "properties" of a schema and of those
// within it, sorted: a JSON object has no order, and one tool is to have one
// suggestion.
func propertyNames(names []string, schema any, depth int) []string {
	object, ok := schema.(map[string]any)
	if !ok || depth > maxSchemaDepth {
		return names
	}
	properties, _ := object["properties"].(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		if len(names) >= maxProperties {
			return names
		}
		names = propertyNames(append(names, name), properties[name], depth+1)
	}
	names = propertyNames(names, object["items"], depth+1)
	for _, keyword := range []string{"anyOf", "oneOf", "allOf"} {
		alternatives, _ := object[keyword].([]any)
		for _, sub := range alternatives {
			names = propertyNames(names, sub, depth+1)
		}
	}
	return names
}

// words splits a name at punctuation and at lower-to-upper steps:
// "repoURL_path" has repo, url and path.
func words(name string) []string {
	var b strings.Builder
	lower := false
	for _, r := range name {
		switch {
		case !unicode.IsLetter(r) && !unicode.IsDigit(r):
			b.WriteByte(' ')
		case unicode.IsUpper(r) && lower:
			b.WriteByte(' ')
			fallthrough
		default:
			b.WriteRune(unicode.ToLower(r))
		}
		lower = unicode.IsLower(r)
	}
	return strings.Fields(b.String())
}

// String lists the hints, such as "readOnlyHint: true, openWorldHint: false".
func (h hints) String() string {
	var said []string
	for _, name := range hintNames {
		if v, ok := h.said[name]; ok {
			said = append(said, fmt.Sprintf("%s: %t", name, v))
		}
	}
	return strings.Join(said, ", ")
}
