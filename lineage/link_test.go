package lineage

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/mcp-integrity/seal-action/internal/sealtest"
	"github.com/mcp-integrity/seal-action/seal"
)

// linked is a manifest of two tools, of one package at a version.
func linked(t testing.TB, version string) *seal.Manifest {
	t.Helper()
	m := sealtest.Manifest(t, sealtest.Tools(t, 2)...)
	m.Server.Version = version
	for i := range m.Tools {
		tool := &m.Tools[i]
		tool.Version = version
		tool.Artifact = &seal.Artifact{Type: seal.NPM, Identifier: "acme", Version: version, Digest: digest.FromString(version)}
	}
	return m
}

func eachTool(m *seal.Manifest, change func(t *seal.Tool)) {
	for i := range m.Tools {
		change(&m.Tools[i])
	}
}

func TestNext(t *testing.T) {
	for name, tt := range map[string]struct {
		previous, current func(m *seal.Manifest)
		versions          [2]string // before and now; 1.0.0 and 1.1.0 by default
		want              error
		says              string
	}{
		"the next version": {},
		"itself":           {versions: [2]string{"1.0.0", "1.0.0"}, want: ErrItself, says: `"1.0.0"`},
		"itself, built again": {
			versions: [2]string{"1.0.0", "1.0.0"},
			previous: func(m *seal.Manifest) { eachTool(m, func(t *seal.Tool) { t.Provenance.BuildTimestamp = &m.IssuedAt }) },
			current: func(m *seal.Manifest) {
				m.IssuedAt = seal.NewTimestamp(m.IssuedAt.Add(time.Hour))
				eachTool(m, func(t *seal.Tool) { t.Provenance.BuildTimestamp = &m.IssuedAt })
			},
			want: ErrItself,
		},
		"the same version with other content": {
			versions: [2]string{"1.0.0", "1.0.0"},
			current:  func(m *seal.Manifest) { m.Tools[1].Provenance.Commit = strings.Repeat("a", 40) },
			want:     ErrSameVersion, says: `the first difference is tool "tool1": /provenance/commit: got "aaaa`,
		},
		"the same version with another artifact": {
			versions: [2]string{"1.0.0", "1.0.0"},
			current: func(m *seal.Manifest) {
				eachTool(m, func(t *seal.Tool) { t.Artifact.Digest = digest.FromString("again") })
			},
			want: ErrSameVersion, says: "/artifact/digest",
		},
		"the same version in another form": {versions: [2]string{"1.0.0", "v1.0"}, want: ErrSameVersion},
		"an older version":                 {versions: [2]string{"1.10.0", "1.9.0"}, want: ErrNewerVersion, says: `got "1.9.0", want one after "1.10.0"`},
		"a pre-release of it":              {versions: [2]string{"1.1.0", "1.1.0-rc.1"}, want: ErrNewerVersion},
		"issued before it": {
			current: func(m *seal.Manifest) { m.IssuedAt = seal.NewTimestamp(m.IssuedAt.Add(-time.Second)) },
			want:    ErrIssuedLater, says: "issued_at: got 2026-02-20T14:59:59Z, want 2026-02-20T15:00:00Z or later",
		},
		"another namespace": {
			previous: func(m *seal.Manifest) { m.Server.Publisher.Namespace = "io.github.other" },
			want:     ErrOtherPublisher, says: `got "io.github.other", want "io.github.acme"`,
		},
		"another id of the same publisher": {previous: func(m *seal.Manifest) { m.Server.Publisher.ID = "old@acme.example" }},
		"another server": {
			previous: func(m *seal.Manifest) { m.Server.Name = "other" },
			want:     ErrOtherServer,
		},
		"another repository": {
			previous: func(m *seal.Manifest) {
				eachTool(m, func(t *seal.Tool) { t.Provenance.SourceRepo = "https://github.com/acme/other" })
			},
			want: ErrOtherRepository,
		},
		"another repository of one tool": {
			previous: func(m *seal.Manifest) { m.Tools[0].Provenance.SourceRepo = "https://github.com/acme/other" },
			want:     ErrOtherRepository,
		},
		"the repository in other letters": {
			previous: func(m *seal.Manifest) {
				eachTool(m, func(t *seal.Tool) { t.Provenance.SourceRepo = "https://github.com/Acme/File-Tools" })
			},
		},
		"no repository before": {
			previous: func(m *seal.Manifest) { eachTool(m, func(t *seal.Tool) { t.Provenance = nil }) },
		},
		"no package, and one server version": {
			previous: func(m *seal.Manifest) {
				eachTool(m, func(t *seal.Tool) { t.Artifact = nil })
				m.Server.Version = "0.2.0"
			},
			current: func(m *seal.Manifest) {
				eachTool(m, func(t *seal.Tool) { t.Artifact = nil })
				m.Server.Version = "0.2.0"
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if tt.versions[0] == "" {
				tt.versions = [2]string{"1.0.0", "1.1.0"}
			}
			previous, current := linked(t, tt.versions[0]), linked(t, tt.versions[1])
			for _, side := range []struct {
				m      *seal.Manifest
				change func(m *seal.Manifest)
			}{{previous, tt.previous}, {current, tt.current}} {
				if side.change != nil {
					side.change(side.m)
				}
			}
			d := digest.FromString("payload")
			link, err := Next(Ancestor{Manifest: previous, Digest: d, Ref: "dir:out"}, current)
			if !errors.Is(err, tt.want) || (err == nil) != (tt.want == nil) {
				t.Fatalf("got %v, want %v", err, tt.want)
			}
			if err != nil {
				if !strings.HasPrefix(err.Error(), "dir:out: ") || !strings.Contains(err.Error(), tt.says) {
					t.Errorf("got %q, want where it was found, and %q", err, tt.says)
				}
				return
			}
			if want := (Link{PreviousVersion: tt.versions[0], Digest: d}); link != want || !link.Names(previous) {
				t.Errorf("got %v, want %v", link, want)
			}
			eachTool(current, func(t *seal.Tool) { t.Lineage = link.Lineage(nil) })
			if read, err := LinkOf(current); err != nil || read != link {
				t.Errorf("read %v, %v, want what was written, %v", read, err, link)
			}
		})
	}
}

func TestNextWantsADigest(t *testing.T) {
	for _, d := range []digest.Digest{"", "x", "sha256:", "sha256:ab", digest.SHA512.FromString("x")} {
		if _, err := Next(Ancestor{Manifest: linked(t, "1.0.0"), Digest: d}, linked(t, "1.1.0")); err == nil {
			t.Errorf("%q: got no error", d)
		}
	}
}

func TestLinkOf(t *testing.T) {
	version, d := "1.0.0", digest.FromString("payload")
	whole := &seal.Lineage{PreviousVersion: &version, PreviousManifestDigest: d}
	other := "1.0.1"
	for name, tt := range map[string]struct {
		tools []*seal.Lineage
		want  Link
		says  string // in the error
	}{
		"no tools":                      {want: Link{Absent: true}},
		"none":                          {tools: []*seal.Lineage{nil, nil}, want: Link{Absent: true}},
		"null":                          {tools: []*seal.Lineage{{}, nil}, want: Link{Absent: true}},
		"one":                           {tools: []*seal.Lineage{whole, whole}, want: Link{PreviousVersion: version, Digest: d}},
		"sha512":                        {tools: []*seal.Lineage{{PreviousVersion: &version, PreviousManifestDigest: digest.SHA512.FromString("x")}}, want: Link{PreviousVersion: version, Digest: digest.SHA512.FromString("x")}},
		"one tool has none":             {tools: []*seal.Lineage{whole, nil}, want: Link{PreviousVersion: version, Digest: d}},
		"the first tool has none":       {tools: []*seal.Lineage{nil, whole}, want: Link{PreviousVersion: version, Digest: d}},
		"the third says something else": {tools: []*seal.Lineage{whole, {}, {PreviousVersion: &other, PreviousManifestDigest: d}}, says: `tool "tool0" names "1.0.0"`},
		"another digest":                {tools: []*seal.Lineage{whole, {PreviousVersion: &version, PreviousManifestDigest: digest.FromString("x")}}, says: `tool "tool1"`},
		"another version":               {tools: []*seal.Lineage{whole, {PreviousVersion: &other, PreviousManifestDigest: d}}, says: `"1.0.1"`},
		"a version and no digest":       {tools: []*seal.Lineage{{PreviousVersion: &version}}, says: "no previous_manifest_digest"},
		"a digest and no version":       {tools: []*seal.Lineage{{PreviousManifestDigest: d}}, says: "no previous_version"},
		"a digest that is none":         {tools: []*seal.Lineage{{PreviousVersion: &version, PreviousManifestDigest: "sha256:ab"}}, says: `got "sha256:ab"`},
		"a digest without algorithm":    {tools: []*seal.Lineage{{PreviousVersion: &version, PreviousManifestDigest: "ab"}}, says: `got "ab"`},
	} {
		t.Run(name, func(t *testing.T) {
			m := sealtest.Manifest(t, sealtest.Tools(t, len(tt.tools))...)
			for i, l := range tt.tools {
				m.Tools[i].Lineage = l
			}
			got, err := LinkOf(m)
			if tt.says != "" {
				if !errors.Is(err, ErrNoLink) || !strings.Contains(err.Error(), tt.says) {
					t.Errorf("got %v, want %v with %q", err, ErrNoLink, tt.says)
				}
				return
			}
			if err != nil || got != tt.want {
				t.Errorf("got %v, %v, want %v", got, err, tt.want)
			}
		})
	}
}

func TestCheckOrder(t *testing.T) {
	artifact := func(id, version string) *seal.Artifact {
		return &seal.Artifact{Type: seal.NPM, Identifier: id, Version: version}
	}
	type side struct {
		server    string
		artifacts []*seal.Artifact
	}
	for name, tt := range map[string]struct {
		previous, current side
		want              error
		advice            string
	}{
		"forward":            {previous: side{"1", []*seal.Artifact{artifact("a", "1.0")}}, current: side{"1", []*seal.Artifact{artifact("a", "1.1")}}},
		"one of two forward": {previous: side{"1", []*seal.Artifact{artifact("a", "1.0"), artifact("b", "2.0")}}, current: side{"1", []*seal.Artifact{artifact("a", "1.0"), artifact("b", "2.1")}}},
		"one of two back":    {previous: side{"1", []*seal.Artifact{artifact("a", "1.0"), artifact("b", "2.0")}}, current: side{"1", []*seal.Artifact{artifact("a", "1.1"), artifact("b", "1.9")}}, want: ErrNewerVersion},
		"none forward":       {previous: side{"1", []*seal.Artifact{artifact("a", "1.0"), artifact("b", "2.0")}}, current: side{"1", []*seal.Artifact{artifact("b", "2.0"), artifact("a", "1.0")}}, want: ErrSameVersion},
		"another package":    {previous: side{"1", []*seal.Artifact{artifact("a", "1.0")}}, current: side{"1", []*seal.Artifact{artifact("b", "0.9")}}, want: ErrNewerVersion},
		"not comparable":     {previous: side{"1", []*seal.Artifact{artifact("a", "blue")}}, current: side{"1", []*seal.Artifact{artifact("a", "green")}}, advice: "cannot be compared"},
		"a package is new":   {previous: side{"1", []*seal.Artifact{nil}}, current: side{"2", []*seal.Artifact{artifact("a", "0.1")}}},
		"server forward":     {previous: side{"1.9", []*seal.Artifact{nil}}, current: side{"1.10", []*seal.Artifact{nil}}},
		"server back":        {previous: side{"1.10", []*seal.Artifact{nil}}, current: side{"1.9", []*seal.Artifact{nil}}, advice: `got "1.9" after "1.10"`},
		"server the same":    {previous: side{"1.0", []*seal.Artifact{nil}}, current: side{"1.0", []*seal.Artifact{nil}}, advice: `is "1.0" in both`},
		"server without":     {previous: side{"", []*seal.Artifact{nil}}, current: side{"", []*seal.Artifact{nil}}, advice: "neither release has a version"},
		"server with, now":   {previous: side{"", []*seal.Artifact{nil}}, current: side{"1", []*seal.Artifact{nil}}, advice: "one of the two releases has no version"},
		"server by commits":  {previous: side{"abc", []*seal.Artifact{nil}}, current: side{"def", []*seal.Artifact{nil}}},
	} {
		t.Run(name, func(t *testing.T) {
			manifest := func(s side) *seal.Manifest {
				m := &seal.Manifest{Server: seal.Server{Version: s.server}}
				for _, a := range s.artifacts {
					m.Tools = append(m.Tools, seal.Tool{Artifact: a})
				}
				return m
			}
			advice, err := CheckOrder(manifest(tt.previous), manifest(tt.current))
			if !errors.Is(err, tt.want) || (err == nil) != (tt.want == nil) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
			if (advice == "") != (tt.advice == "") || !strings.Contains(advice, tt.advice) {
				t.Errorf("got advice %q, want %q", advice, tt.advice)
			}
		})
	}
}

// TestDifference: every member of a manifest is either a difference between two
// releases, or what a rerun changes.
func TestDifference(t *testing.T) {
	later := func(d time.Duration) *seal.Timestamp {
		at := seal.NewTimestamp(sealtest.Time.Add(d))
		return &at
	}
	level := 2
	for name, tt := range map[string]struct {
		change func(m *seal.Manifest)
		want   string // "" for a rerun
	}{
		"nothing":   {change: func(*seal.Manifest) {}},
		"issued_at": {change: func(m *seal.Manifest) { m.IssuedAt = *later(time.Hour); m.ExpiresAt = later(25 * time.Hour) }},
		"issued_at, rounded": {change: func(m *seal.Manifest) {
			m.IssuedAt = *later(time.Hour)
			m.ExpiresAt = later(25*time.Hour + time.Second)
		}},
		"build_timestamp":      {change: func(m *seal.Manifest) { m.Tools[0].Provenance.BuildTimestamp = later(time.Minute) }},
		"lineage":              {change: func(m *seal.Manifest) { m.Tools[0].Lineage = &seal.Lineage{PreviousManifestDigest: "x"} }},
		"order of the tools":   {change: func(m *seal.Manifest) { slices.Reverse(m.Tools) }},
		"expires_at":           {change: func(m *seal.Manifest) { m.ExpiresAt = later(48 * time.Hour) }, want: "expires_at: got 48h0m0s after issued_at, want 24h0m0s after issued_at"},
		"no expires_at":        {change: func(m *seal.Manifest) { m.ExpiresAt = nil }, want: "expires_at: got no expiry"},
		"no build_timestamp":   {change: func(m *seal.Manifest) { m.Tools[0].Provenance.BuildTimestamp = nil }, want: `tool "tool0": /provenance/build_timestamp: got nothing`},
		"publisher":            {change: func(m *seal.Manifest) { m.Server.Publisher.URL = "https://acme.example" }, want: `/server/publisher/url: got "https://acme.example", want nothing`},
		"server version":       {change: func(m *seal.Manifest) { m.Server.Version = "2" }, want: `/server/version: got "2", want "1.0.0"`},
		"tool version":         {change: func(m *seal.Manifest) { m.Tools[1].Version = "2" }, want: `tool "tool1": /version`},
		"a tool less":          {change: func(m *seal.Manifest) { m.Tools = m.Tools[:1] }, want: "the tools: got 1, want 2"},
		"another tool":         {change: func(m *seal.Manifest) { m.Tools[0].Name = "new" }, want: `tool "new": got one, want none`},
		"a tool renamed":       {change: func(m *seal.Manifest) { m.Tools[0].Name = "zero" }, want: `tool "tool0": got none, want one`},
		"interface":            {change: func(m *seal.Manifest) { m.Tools[0].Interface.Composite = digest.FromString("x") }, want: "/interface/composite_digest"},
		"artifact":             {change: func(m *seal.Manifest) { m.Tools[0].Artifact = nil }, want: "/artifact: got nothing"},
		"reads":                {change: func(m *seal.Manifest) { m.Tools[0].SideEffects.Reads = nil }, want: "/side_effects/reads"},
		"egress":               {change: func(m *seal.Manifest) { m.Tools[0].SideEffects.NetworkEgress = true }, want: "/side_effects/network_egress: got true, want false"},
		"capabilities":         {change: func(m *seal.Manifest) { m.Tools[0].Capabilities[0].Actions = []string{"read", "write"} }, want: `/capabilities_required/0/actions/1: got "write", want nothing`},
		"commit":               {change: func(m *seal.Manifest) { m.Tools[0].Provenance.Commit = "x" }, want: "/provenance/commit"},
		"slsa_level":           {change: func(m *seal.Manifest) { m.Tools[0].Provenance.SLSALevel = &level }, want: "/provenance/slsa_level: got 2, want nothing"},
		"build attestation":    {change: func(m *seal.Manifest) { m.Tools[0].Provenance.BuildAttestationURI = "https://x" }, want: "/provenance/build_attestation_uri"},
		"a long value, cut":    {change: func(m *seal.Manifest) { m.Tools[0].SideEffects.Summary = strings.Repeat("x", 1000) }, want: "…, want nothing"},
		"a name with a slash":  {change: func(m *seal.Manifest) { m.Tools[0].Name = "tool0/a" }, want: `tool "tool0": got none`},
		"two things, the tool": {change: func(m *seal.Manifest) { m.Server.Version = "2"; m.Tools[0].Version = "2" }, want: `tool "tool0": /version`},
	} {
		t.Run(name, func(t *testing.T) {
			make := func() *seal.Manifest {
				m := linked(t, "1.0.0")
				m.ExpiresAt = later(24 * time.Hour)
				eachTool(m, func(t *seal.Tool) { t.Provenance.BuildTimestamp = later(0) })
				return m
			}
			published, current := make(), make()
			tt.change(current)
			got := Difference(published, current)
			if (got == "") != (tt.want == "") || !strings.Contains(got, tt.want) || len(got) > 600 {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			if SameRelease(published, current) != (tt.want == "") || (Difference(current, published) == "") != (tt.want == "") {
				t.Error("it depends on which of the two comes first")
			}
		})
	}
}

func FuzzDifference(f *testing.F) {
	a, err := seal.MarshalManifest(linked(f, "1.0.0"))
	if err != nil {
		f.Fatal(err)
	}
	b, err := seal.MarshalManifest(linked(f, "1.1.0"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(a, b)
	f.Add(a, a)
	f.Fuzz(func(t *testing.T, a, b []byte) {
		ma, errA := seal.ParseManifest(a)
		mb, errB := seal.ParseManifest(b)
		if errA != nil || errB != nil {
			return
		}
		if got := Difference(ma, ma); got != "" {
			t.Errorf("a manifest differs from itself: %s", got)
		}
		if SameRelease(ma, mb) != SameRelease(mb, ma) {
			t.Error("it depends on which of the two comes first")
		}
		if _, err := LinkOf(ma); err != nil && !errors.Is(err, ErrNoLink) {
			t.Errorf("got %v", err)
		}
		_, _ = Next(Ancestor{Manifest: ma, Digest: digest.FromBytes(a)}, mb)
	})
}
