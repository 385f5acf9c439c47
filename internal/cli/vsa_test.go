package cli

import (
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/mcp-integrity/seal-action/seal"
	"github.com/mcp-integrity/seal-action/verify"
)

func TestBuildLevel(t *testing.T) {
	a, b := digest.FromString("a"), digest.FromString("b")
	of := func(d digest.Digest, level int) verify.Provenance {
		return verify.Provenance{Subject: string(d), SLSALevel: level}
	}
	for name, tt := range map[string]struct {
		found  []verify.Provenance
		sealed int
		want   int // -1 for none
	}{
		"none":                                  {nil, 3, -1},
		"another artifact's":                    {[]verify.Provenance{of(b, 3)}, 3, -1},
		"its own, and another artifact's":       {[]verify.Provenance{of(a, 2), of(b, 3)}, 3, 2},
		"the manifest says less":                {[]verify.Provenance{of(a, 2)}, 0, 0},
		"the manifest says more":                {[]verify.Provenance{of(a, 1)}, 3, 1},
		"two of one artifact: the least counts": {[]verify.Provenance{of(a, 3), of(a, 1)}, 3, 1},
	} {
		t.Run(name, func(t *testing.T) {
			got := -1
			if l := buildLevel(tt.found, a, tt.sealed); l != nil {
				got = *l
			}
			if got != tt.want {
				t.Errorf("got %d, want %d", got, tt.want)
			}
		})
	}
}

func TestOneArtifact(t *testing.T) {
	one, other := seal.Artifact{Digest: digest.FromString("a")}, seal.Artifact{Digest: digest.FromString("b")}
	two := 2
	tool := func(a *seal.Artifact, level *int) seal.Tool {
		return seal.Tool{Artifact: a, Provenance: &seal.Provenance{SLSALevel: level}}
	}
	for name, tt := range map[string]struct {
		tools []seal.Tool
		level int
		err   string
	}{
		"none":            {[]seal.Tool{tool(nil, nil)}, 0, "names none"},
		"two":             {[]seal.Tool{tool(&one, &two), tool(&other, &two)}, 0, "names several"},
		"one":             {[]seal.Tool{tool(&one, &two), tool(&one, &two)}, 2, ""},
		"one without say": {[]seal.Tool{tool(&one, &two), tool(&one, nil)}, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, level, err := oneArtifact(&seal.Manifest{Tools: tt.tools})
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Errorf("got %v, want %q", err, tt.err)
				}
				return
			}
			if err != nil || level != tt.level {
				t.Errorf("got %d, %v, want %d", level, err, tt.level)
			}
		})
	}
}
