package trust

import (
	"bytes"
	_ "embed"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/mcp-integrity/seal-action/internal/strictyaml"
	"github.com/mcp-integrity/seal-action/seal"
)

// Filename is the usual name of the file, and the one in errors; see
// [strictyaml.In].
const Filename = "trust.yaml"

// MaxSize bounds the file, in bytes.
const MaxSize = strictyaml.MaxSize

// SchemaID is the $id of the file's JSON Schema, and where editors find it.
const SchemaID = "https://mcp-integrity.org/schemas/v1/trust-yaml.json"

//go:embed schema/trust.schema.json
var schemaJSON []byte

// Schema returns the JSON Schema (2020-12) of the file.
func Schema() []byte { return bytes.Clone(schemaJSON) }

var format = &strictyaml.Format{
	Filename: Filename, Schema: schemaJSON, SchemaID: SchemaID,
	InsteadOfMerge: "every entry is written where it stands",
	Pattern:        patternMessage,
	Enum: func(url string) string {
		if strings.HasSuffix(url, "/policy") { // the nearest could be the laxest
			return "want report_only, warn_below_level_N or block_below_level_N with N from 0 to 3"
		}
		return ""
	},
	Unit: func(url string) string {
		if strings.HasSuffix(url, "/max_age") {
			return "d"
		}
		return ""
	},
	Elsewhere: []strictyaml.Place{
		{Def: "identity", Name: "identity"},
		{Def: "holder", Name: "an element of holders"},
		{Def: "holders", Name: "a mapping with require, max_age and holders"},
		{Def: "publisher", Name: "an element of publishers"},
	},
}

func patternMessage(url string) string {
	switch {
	case strings.HasSuffix(url, "/name"):
		return "want at most 64 letters, digits, dots, hyphens and underscores"
	case strings.HasSuffix(url, "/namespace_pattern"):
		return "want a reverse-domain name such as io.github.acme, or with a * within a part, such as io.github.*"
	}
	return "want an exact reverse-domain name, such as io.github.acme"
}

// A Config is a trust file that was read and holds. Keys are still where it says
// that they are; see [Config.Resolve].
type Config struct {
	policy  seal.Policy
	entries []*entry // publishers first, then registries, scanners and auditors
	quorum  seal.Quorum
	rules   []*strictyaml.Node
	doc     *strictyaml.Document
}

// An entry is one way to know one holder of a role.
type entry struct {
	role seal.Role
	name string
	// namespace is a publisher's. namespaces are the patterns of those for which
	// any other holder counts; nil for all.
	namespace  string
	namespaces []string
	// identity, key or jwks: one is set. The latter are as they are written.
	identity  *seal.Identity
	key, jwks string
	types     []string // nil for every positive one
	maxAge    time.Duration

	at, sourceAt strictyaml.Position // of the entry, and of identity, key or jwks
	path         string
}

// holder names whose vote it is: that of a role under one name.
func (e *entry) holder() string { return string(e.role) + "/" + e.name }

// String names the entry in errors.
func (e *entry) String() string {
	if e.role == seal.RolePublisher {
		return fmt.Sprintf("the publisher %q (line %d)", e.namespace, e.at.Line)
	}
	return fmt.Sprintf("the %s %q (line %d)", e.role, e.name, e.at.Line)
}

// counts says whether the entry counts for manifests of a namespace.
func (e *entry) counts(namespace string) bool {
	if e.role == seal.RolePublisher {
		return e.namespace == namespace
	}
	return e.namespaces == nil || slices.ContainsFunc(e.namespaces, func(pattern string) bool {
		return matches(pattern, namespace, ".")
	})
}

// meets says whether e and o are two holders who may count in one run.
func (e *entry) meets(o *entry) bool {
	switch isPublisher, too := e.role == seal.RolePublisher, o.role == seal.RolePublisher; {
	case isPublisher && too:
		return false
	case isPublisher:
		return o.counts(e.namespace)
	case too:
		return e.counts(o.namespace)
	}
	return true
}

// Parse reads a trust file, at most [MaxSize] bytes. The error is
// [strictyaml.Errors], each with its line; errors.As finds the first
// [*strictyaml.Error].
func Parse(data []byte) (*Config, error) {
	doc, err := format.Read(data)
	if err != nil {
		return nil, err
	}
	r := reader{doc: doc, config: &Config{doc: doc, quorum: seal.Quorum{}}}
	r.read(doc.Root)
	if err := r.errs.Join(); err != nil {
		return nil, err
	}
	r.compare()
	if err := r.errs.Join(); err != nil {
		return nil, err
	}
	return r.config, nil
}

// Policy returns what the file says; the zero Policy where it says nothing. See
// [PolicyFloor].
func (c *Config) Policy() seal.Policy { return c.policy }

// Quorum returns how many holders it takes where that is more than one.
func (c *Config) Quorum() seal.Quorum { return maps.Clone(c.quorum) }

// Rules returns the rules in the order of the file. The caller type-checks them;
// see [Config.RuleError].
func (c *Config) Rules() []string {
	var rules []string
	for _, n := range c.rules {
		rules = append(rules, n.String())
	}
	return rules
}

// RuleError is what is wrong with the rule of that index, with its line.
func (c *Config) RuleError(i int, err error) error {
	return strictyaml.Errors{c.doc.Wrap(c.rules[i].At, strictyaml.ElementPath("rules", i), err)}
}
