package lineage

import (
	"fmt"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/mcp-integrity/seal-action/seal"
)

// releases returns two releases of a server of n tools, with manifests. Each tool
// has a description of 60 words and ten parameters; of every tool in the second,
// where all is set, or of every tenth, the description, a type, a default and
// the egress changed.
func releases(b *testing.B, n int, all bool) (old, new Side) {
	b.Helper()
	tool := func(i int, changed bool) string {
		words, kind, limit := "Reads the file at the path and returns its contents as text.", "integer", 100
		if changed {
			words, kind, limit = "Reads a file from the given path, and returns what it holds as text.", "number", 200
		}
		var properties strings.Builder
		for p := range 10 {
			fmt.Fprintf(&properties, `,"p%d":{"type":%q,"description":"The number %d of the lines to be read, counted from the start.","default":%d,"minimum":0}`, p, kind, p, limit)
		}
		return fmt.Sprintf(`{"name":"tool_%04d","description":%q,"inputSchema":{"$schema":"http://json-schema.org/draft-07/schema#","type":"object","required":["p1"],"additionalProperties":false,"properties":{%s}},"annotations":{"readOnlyHint":true}}`,
			i, strings.Repeat(words+" ", 5), properties.String()[1:])
	}
	var olds, news []string
	for i := range n {
		olds, news = append(olds, tool(i, false)), append(news, tool(i, all || i%10 == 0))
	}
	old, new = sealSide(b, digest.SHA256, true, olds...), sealSide(b, digest.SHA256, true, news...)
	for i := range new.Manifest.Tools {
		if all || i%10 == 0 {
			new.Manifest.Tools[i].SideEffects = seal.SideEffects{NetworkEgress: true, NetworkEndpoints: []string{"*"}}
		}
	}
	return old, new
}

func BenchmarkReleases(b *testing.B) {
	for _, c := range []struct {
		name string
		all  bool
	}{{"tenth", false}, {"all", true}} {
		old, new := releases(b, 500, c.all)
		size := 0
		for i := range new.Tools {
			size += len(old.Tools[i].Raw) + len(new.Tools[i].Raw)
		}
		classes := Classify(old, new)
		b.Run("Diff/500tools/"+c.name, func(b *testing.B) {
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				Diff(old.Tools, new.Tools)
			}
		})
		b.Run("Classify/500tools/"+c.name, func(b *testing.B) {
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				Classify(old, new)
			}
		})
		b.Run("Entries/500tools/"+c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				Entries(classes, old.Manifest, new.Manifest, nil)
			}
		})
	}
}

func BenchmarkCompareVersions(b *testing.B) {
	for _, pair := range [][2]string{{"1.2.3", "1.2.4"}, {"1.2.3-rc.1", "1.2.3"}, {"1.0rc1", "1.0.post1"}} {
		b.Run(pair[0], func(b *testing.B) {
			for b.Loop() {
				CompareVersions(pair[0], pair[1])
			}
		})
	}
}
