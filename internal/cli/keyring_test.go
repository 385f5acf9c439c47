package cli

import (
	"testing"
	"time"

	"github.com/mcp-integrity/seal-action/internal/keys"
	"github.com/mcp-integrity/seal-action/seal"
)

// A retired key counts for what a signed statement dates before, and neither
// without a time nor by a label that anybody can write.
func TestStandingOfRetired(t *testing.T) {
	key, err := keys.Generate(keys.Ed25519, "k")
	if err != nil {
		t.Fatal(err)
	}
	set, err := keys.NewSet(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	retired := time.Date(2026, 2, 15, 10, 0, 0, 0, time.UTC)
	if err := set.Retire("k", retired); err != nil {
		t.Fatal(err)
	}
	stamp := func(after time.Duration) *seal.Timestamp {
		at := seal.NewTimestamp(retired.Add(after))
		return &at
	}
	for name, c := range map[string]struct {
		at        *seal.Timestamp
		statement []byte
		want      seal.Code
	}{
		"signed before":   {stamp(-time.Hour), []byte("{}"), 0},
		"signed after":    {stamp(time.Hour), []byte("{}"), seal.CodeKeyRetired},
		"no time":         {nil, []byte("{}"), seal.CodeKeyRetired},
		"stripped":        {nil, nil, seal.CodeKeyRetired},
		"a label, before": {stamp(-time.Hour), nil, seal.CodeKeyRetired},
	} {
		who := seal.Authenticated{KeyID: "k", Thumbprint: key.Public().Thumbprint, Statement: c.statement}
		err := standing([]keys.Set{set}, seal.Signature{KeyID: "k", Timestamp: c.at}, who)
		if got := seal.CodeOf(err, 0); got != c.want {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
