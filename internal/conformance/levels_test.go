package conformance

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/mcp-integrity/seal-action/internal/keys"
	"github.com/mcp-integrity/seal-action/seal"
)

// trusted is an entry of a vector's trust.
type trusted struct {
	Holder string         `json:"holder"`
	Roles  []seal.Role    `json:"roles"`
	Types  []string       `json:"types"`
	MaxAge int            `json:"max_age_seconds"`
	JWKS   jsontext.Value `json:"jwks"`
}

// evidence is what a vector says of the checks that no file can hold.
type evidence struct {
	Interface  check `json:"interface"`
	Artifact   check `json:"artifact"`
	Chain      check `json:"chain"`
	Provenance check `json:"provenance"`
	NotFirst   bool  `json:"not_first"`
	Warranted  *int  `json:"warranted_slsa_level"`
}

type check seal.Check

func (c *check) UnmarshalText(b []byte) error {
	i := slices.Index([]string{"not_made", "holds", "broken"}, string(b))
	if i < 0 {
		return fmt.Errorf("a check: got %q", b)
	}
	*c = check(i)
	return nil
}

// trust is an authenticator over a vector's trust.
type trust []member

type member struct {
	trusted
	keys seal.Keys
}

func trustOf(v vector) (trust, error) {
	var all trust
	for _, entry := range v.Trust {
		set, err := keys.ParseSet(entry.JWKS)
		if err != nil {
			return nil, err
		}
		m := member{entry, seal.Keys{Roles: entry.Roles}}
		for _, k := range set.Keys {
			m.keys.Public = append(m.keys.Public, k.Seal())
		}
		all = append(all, m)
	}
	return all, nil
}

func (t trust) Authenticate(ctx context.Context, s seal.Signature, message []byte) (seal.Authenticated, error) {
	err := error(&seal.Error{Code: seal.CodeSignatureKeyNotFound, Err: errors.New("nobody whom the vector trusts")})
	for _, m := range t {
		a, bad := m.keys.Authenticate(ctx, s, message)
		if bad == nil {
			a.Holder, a.Types, a.MaxAge = m.Holder, m.Types, time.Duration(m.MaxAge)*time.Second
			return a, nil
		}
		if seal.CodeOf(bad, 0) != seal.CodeSignatureKeyNotFound {
			err = bad
		}
	}
	return seal.Authenticated{}, err
}

// evidenceOf is what the vector says is known of a tool.
func (v vector) evidenceOf(tool *seal.Tool, words seal.Standing) seal.Evidence {
	e := v.Evidence
	return seal.Evidence{
		Tool: tool, Standing: words, Quorum: v.Quorum,
		Interface: seal.Check(e.Interface), Artifact: seal.Check(e.Artifact), Chain: seal.Check(e.Chain), Provenance: seal.Check(e.Provenance),
		NotFirst: e.NotFirst, Warranted: e.Warranted,
	}
}

// standing is what must come out of a levels vector.
type standing struct {
	TrustLevel  int            `json:"trust_level"`
	SealedLevel int            `json:"sealed_level"`
	ToolLevels  map[string]int `json:"tool_levels"`
	For         []string       `json:"for"`
	Against     []string       `json:"against"`
}

// levelsUnder opens the envelope of a levels vector and evaluates its levels.
func levelsUnder(ctx context.Context, v vector) (*standing, error) {
	who, err := trustOf(v)
	if err != nil {
		return nil, err
	}
	e, err := seal.ParseEnvelope(v.bytes())
	if err != nil {
		return nil, err
	}
	opened, err := e.Open(ctx, who, seal.OpenOptions{Now: v.VerifiedAt})
	if err != nil {
		return nil, err
	}
	for _, r := range opened.Rejections {
		if r.Err.Code == seal.CodeSignatureInvalid {
			return nil, r.Err
		}
	}
	words := seal.StandingOf(opened.Attestations, opened.Lapsed)
	s := &standing{
		SealedLevel: seal.SealedLevel(opened.Manifest, seal.Evidence{Standing: words, Quorum: v.Quorum}),
		ToolLevels:  map[string]int{}, For: named(words.For), Against: named(words.Against), TrustLevel: 3,
	}
	for i := range opened.Manifest.Tools {
		tool := &opened.Manifest.Tools[i]
		level := seal.Level(seal.Requirements(v.evidenceOf(tool, words)))
		s.ToolLevels[tool.Name], s.TrustLevel = level, min(s.TrustLevel, level)
	}
	return s, nil
}

func named(all []seal.Attestation) []string {
	words := []string{}
	for _, a := range all {
		words = append(words, strings.Join([]string{string(a.Role), a.Type, a.Holder}, " "))
	}
	slices.Sort(words)
	return words
}

var levelsEntries = []entry{
	{"Open, StandingOf and Requirements", nil, func(d *desk, v vector) error {
		got, err := levelsUnder(d.Context(), v)
		if wrong := v.judgeCode(err); wrong != nil || err != nil {
			return wrong
		}
		var want standing
		if err := v.outputs(&want); err != nil {
			return err
		}
		return differs("standing", *got, want)
	}},
}

// TestLevelsLackEachRequirement: there is a vector for every requirement that
// the level function knows, which lacks just that one.
func TestLevelsLackEachRequirement(t *testing.T) {
	lacked := map[string]bool{}
	for _, v := range load(t, "levels") {
		if !strings.HasPrefix(v.file, "lacks-") || !v.valid() {
			continue
		}
		for _, name := range unmet(t, v) {
			lacked[name] = true
		}
	}
	for _, v := range load(t, "levels") {
		if v.file != "lacks-nothing.json" {
			continue
		}
		for name := range requirementsOf(t, v) {
			// A publisher's signature is lacking in a vector that does not open; who
			// speaks against a release has vectors of its own.
			if special := []string{"a valid publisher signature", "nobody whom you trust speaking against it"}; !slices.Contains(special, name) && !lacked[short(name)] {
				t.Errorf("no vector lacks %q", name)
			}
		}
	}
}

// short is a requirement's name without what it was found to be.
func short(name string) string {
	name, _, _ = strings.Cut(name, " (it is")
	return name
}

func unmet(t *testing.T, v vector) []string {
	var names []string
	for name, met := range requirementsOf(t, v) {
		if !met {
			names = append(names, short(name))
		}
	}
	return names
}

func requirementsOf(t *testing.T, v vector) map[string]bool {
	t.Helper()
	who, err := trustOf(v)
	if err != nil {
		t.Fatal(err)
	}
	e, err := seal.ParseEnvelope(v.bytes())
	if err != nil {
		t.Fatal(err)
	}
	opened, err := e.Open(t.Context(), who, seal.OpenOptions{Now: v.VerifiedAt})
	if err != nil {
		t.Fatalf("%s: %v", v.file, err)
	}
	all := map[string]bool{}
	for _, r := range seal.Requirements(v.evidenceOf(&opened.Manifest.Tools[0], seal.StandingOf(opened.Attestations, opened.Lapsed))) {
		all[r.Name] = r.Met
	}
	return all
}
