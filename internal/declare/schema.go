package declare

import (
	"bytes"
	_ "embed"
	"fmt"
	"strings"

	"github.com/mcp-integrity/seal-action/internal/strictyaml"
	"github.com/mcp-integrity/seal-action/seal"
)

// SchemaID is the $id of the file's JSON Schema, and where editors find it.
const SchemaID = "https://mcp-integrity.org/schemas/v1/mcp-integrity-yaml.json"

//go:embed schema/mcp-integrity.schema.json
var schemaJSON []byte

// Schema returns the JSON Schema (2020-12) of the file.
func Schema() []byte { return bytes.Clone(schemaJSON) }

// format is the file's.
var format = &strictyaml.Format{
	Filename: Filename, Schema: schemaJSON, SchemaID: SchemaID,
	InsteadOfMerge: "use defaults, or quote the name",
	Pattern:        patternMessage,
	AnyOf:          resourceMessage,
	PropertyNames:  `a variable's name is not empty and has neither "=" nor NUL in it`,
	Elsewhere: []strictyaml.Place{
		{Def: "side_effects", Name: "side_effects"},
		{Def: "declaration", Name: "defaults, or in a tool under tools"},
		{Def: "capability", Name: "an element of capabilities_required"},
	},
}

// otherWords are what people write for a resource category.
var otherWords = map[string]string{
	"file": "filesystem", "files": "filesystem", "fs": "filesystem", "disk": "filesystem",
	"net": "network", "http": "network", "https": "network", "internet": "network",
	"env": "environment", "db": "database", "sql": "database",
	"exec": "process", "shell": "process", "subprocess": "process", "os": "system",
}

func resourceMessage(text string) string {
	want := "want one of " + strings.Join(seal.Resources, ", ") + ", or a name of your own with a reverse-domain prefix, such as com.example.printer"
	guess := otherWords[strings.ToLower(text)]
	if guess == "" {
		guess = strictyaml.Nearest(text, seal.Resources)
	}
	switch {
	case text == "*":
		return fmt.Sprintf("there is no category for all: write [%s]", strings.Join(seal.Resources, ", "))
	case guess != "":
		return fmt.Sprintf("unknown resource category %s, did you mean %q?", strictyaml.Quoted(text), guess)
	}
	return fmt.Sprintf("unknown resource category %s, %s", strictyaml.Quoted(text), want)
}

func patternMessage(url string) string {
	switch {
	case strings.HasSuffix(url, "/reverse_domain"):
		return "want a reverse-domain name, such as io.github.acme"
	case strings.HasSuffix(url, "/url"):
		return "want a URL that begins with https:// or http://"
	}
	return "want a text without NUL"
}
