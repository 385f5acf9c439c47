package cli_test

import (
	"os"
	"strings"
	"testing"

	"github.com/mcp-integrity/seal-action/internal/rules"
	"github.com/mcp-integrity/seal-action/internal/trust"
)

// TestTrustFileOfTheREADME: what people copy is read, rules and all.
func TestTrustFileOfTheREADME(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(readme), "## Say whom you trust")
	_, block, _ := strings.Cut(section, "```yaml\n")
	block, _, ok := strings.Cut(block, "```")
	if !ok {
		t.Fatal("there is no YAML in the section")
	}
	config, err := trust.Parse([]byte(block))
	if err != nil {
		t.Fatal(err)
	}
	compiled, err := rules.Compile(config.Rules())
	if err != nil || len(compiled) == 0 {
		t.Errorf("got %d rules, %v", len(compiled), err)
	}
}
