package declare

import (
	"fmt"
	"strings"
	"testing"

	"github.com/mcp-integrity/seal-action/seal/fingerprint"
)

// BenchmarkParse reads what Suggest wrote for a large server.
func BenchmarkParse(b *testing.B) {
	var tools []fingerprint.Tool
	for i := range 300 {
		tools = append(tools, tool(fmt.Sprintf("tool_%d", i), "Does something.", `{"readOnlyHint":true}`, "path"))
	}
	out, err := Suggest(Facts{}, tools)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("suggested", benchParse(out))
	b.Run("all taken over", benchParse([]byte(uncomment(string(out), all))))
}

// BenchmarkParseWorst reads files of nearly MaxSize that are made to be slow.
func BenchmarkParseWorst(b *testing.B) {
	var members strings.Builder
	for i := range 10_000 {
		fmt.Fprintf(&members, "  t%d: {a: 1, b: [1, 2, 3, 4, 5, 6, 7], c: {d: e},}\n", i)
	}
	for name, in := range map[string]string{
		"members":      "tools:\n" + members.String(),
		"empty values": "[" + strings.Repeat("a: ,", 5_900) + strings.Repeat("{a: b},", 55_000) + "]",
		"flow mapping": "{" + strings.Repeat("a: b,", MaxSize/5-1) + "}",
		"comments":     strings.Repeat("#\n", MaxSize/2),
		"quotes":       strings.Repeat(`"`, MaxSize),
	} {
		b.Run(name, benchParse([]byte(in)))
	}
}

func benchParse(in []byte) func(*testing.B) {
	return func(b *testing.B) {
		b.SetBytes(int64(len(in)))
		b.ReportAllocs()
		for b.Loop() {
			_, _ = Parse(in)
		}
	}
}
