package verify

import (
	"context"
	"errors"

	"github.com/opencontainers/go-digest"

	"github.com/mcp-integrity/seal-action/seal"
	"github.com/mcp-integrity/seal-action/seal/fingerprint"
)

// surface is step 4: every live tool against the manifest, and back.
func (r *run) surface(ctx context.Context) {
	if r.Server == nil {
		r.skip("interface", "no server and no snapshot was given")
		return
	}
	seen, err := r.Server.Observe(ctx)
	switch {
	case errors.Is(err, ErrUnavailable):
		r.asked = true
		r.skip("interface", "%v", err)
		r.advise(seal.CodeServerUnavailable, "%v", err)
		return
	case err != nil:
		r.fail(seal.CodeInterfaceUnreadable, "%v", err)
		return
	}
	r.observation = &seen
	r.result.Observed, r.result.ClaimedLevel = seen.Observed, seen.ClaimedLevel
	r.serverInfo(seen.Server)
	for _, t := range seen.Tools {
		r.liveTool(t)
	}
	for _, name := range r.order {
		if c := r.checks[name]; !c.live {
			c.advisories = append(c.advisories, finding(seal.CodeMissingTool, name, "",
				"it is sealed, but the server does not list it: credentials or settings that it needs may be missing here"))
		}
	}
}

func (r *run) serverInfo(live fingerprint.ServerInfo) {
	sealed := r.opened.Manifest.Server
	if r.misnamed() {
		r.advise(seal.CodeServerMismatch, "serverInfo.name: got %.200q, want %.200q: it may be another server, which this manifest says nothing about, so the run does not pass", live.Name, sealed.Name)
	}
	if live.Version != sealed.Version {
		r.advise(seal.CodeVersionMismatch, "serverInfo.version: got %.200q, want %.200q: look for the manifest of that version", live.Version, sealed.Version)
	}
}

func (r *run) liveTool(t fingerprint.Tool) {
	c, known := r.checks[t.Name]
	if !known {
		c = &toolChecks{live: true}
		c.advisories = append(c.advisories, finding(seal.CodeUnknownTool, t.Name, "", "the server lists it, but the manifest does not know it"))
		r.checks[t.Name] = c
		r.order = append(r.order, t.Name)
		return
	}
	c.live = true
	sealed := c.sealed.Interface
	live, err := fingerprint.Of(t, sealed.Composite.Algorithm())
	if err != nil {
		c.iface = seal.Broken
		c.errors = append(c.errors, finding(seal.CodeInterfaceUnreadable, t.Name, "", "%v", err))
		return
	}
	diffs := fingerprint.Compare(sealed, live)
	c.iface = seal.Holds
	if len(diffs) > 0 {
		c.iface = seal.Broken
	}
	c.details = details(diffs)
	for _, d := range diffs {
		c.errors = append(c.errors, interfaceError(t.Name, d))
		if d.Component == fingerprint.Annotations && d.Want == "" {
			c.advisories = append(c.advisories, finding(seal.CodeInterfaceExtension, t.Name, string(d.Component), "the tool has annotations that the manifest does not cover"))
		}
	}
}

func details(diffs []fingerprint.Difference) InterfaceDetails {
	match := map[fingerprint.Component]*bool{}
	for _, c := range fingerprint.Components {
		match[c] = ptr(true)
	}
	for _, d := range diffs {
		match[d.Component] = ptr(false)
	}
	return InterfaceDetails{
		DescriptionMatch:  match[fingerprint.Description],
		InputSchemaMatch:  match[fingerprint.InputSchema],
		AnnotationsMatch:  match[fingerprint.Annotations],
		OutputSchemaMatch: match[fingerprint.OutputSchema],
	}
}

// interfaceError gives a difference its code (MIS §23; decision 16 for output
// schemas, which §23 forgot).
func interfaceError(tool string, d fingerprint.Difference) Finding {
	code := map[fingerprint.Component]seal.Code{
		fingerprint.Description:  seal.CodeDescriptionChanged,
		fingerprint.InputSchema:  seal.CodeSchemaChanged,
		fingerprint.Annotations:  seal.CodeAnnotationsChanged,
		fingerprint.OutputSchema: seal.CodeInterfaceMismatch,
	}[d.Component]
	return finding(code, tool, string(d.Component), "%s: got %s, want %s", d.Component, orNone(d.Got), orNone(d.Want))
}

func orNone(d digest.Digest) string {
	if d == "" {
		return "none"
	}
	return string(d)
}

// artifacts is step 5: every artifact that the caller has must be one that the
// manifest names.
func (r *run) artifacts(ctx context.Context) {
	var sealed []seal.Artifact
	known := map[seal.Artifact]bool{}
	for _, t := range r.opened.Manifest.Tools {
		if t.Artifact != nil && !known[*t.Artifact] {
			known[*t.Artifact] = true
			sealed = append(sealed, *t.Artifact)
		}
	}
	if r.Artifacts == nil {
		if len(sealed) > 0 {
			r.skip("artifact", "no artifact was given")
			r.advise(seal.CodeArtifactUnverifiable, "the manifest names %s %.200q, and no artifact was given", sealed[0].Type, sealed[0].Identifier)
		}
		return
	}
	if len(sealed) == 0 {
		r.fail(seal.CodeArtifactUnknown, "an artifact was given, and the manifest names none")
		return
	}
	have, err := r.Artifacts.Hash(ctx, sealed)
	if err != nil {
		r.asked = true
		r.skip("artifact", "%v", err)
		r.advise(seal.CodeArtifactUnverifiable, "%v", err)
		return
	}
	r.matchArtifacts(sealed, have)
	r.tied(have)
}

func (r *run) matchArtifacts(sealed []seal.Artifact, have []ObservedArtifact) {
	observed, strangers := map[digest.Digest]bool{}, false
	for _, h := range have {
		matches := false
		for _, d := range h.Digests {
			observed[d] = true
			for _, s := range sealed {
				matches = matches || s.Digest == d
			}
		}
		if !matches {
			strangers = true
			got := digest.Digest("")
			if len(h.Digests) > 0 {
				got = h.Digests[0]
			}
			why := orNone(got)
			if h.Why != "" {
				why = "no such artifact (" + h.Why + ")"
			}
			r.fail(seal.CodeArtifactMismatch, "%.200q: got %s, want %s of %s %.200q", h.Ref, why, sealed[0].Digest, sealed[0].Type, sealed[0].Identifier)
		}
	}
	for _, c := range r.checks {
		if c.sealed == nil || c.sealed.Artifact == nil {
			continue
		}
		switch {
		case observed[c.sealed.Artifact.Digest]:
			c.artifact = seal.Holds
		case strangers:
			c.artifact = seal.Broken
		} // else it is one that the caller did not hand over: not checked
	}
}

// tied is decision 19: an artifact and a surface that were both right may
// still have nothing to do with each other.
func (r *run) tied(have []ObservedArtifact) {
	if r.observation == nil || r.observation.Observed != Live {
		return
	}
	for _, h := range have {
		if h.RanIt {
			return
		}
	}
	r.advise(seal.CodeSurfaceNotTied, "the server that ran is not the artifact, or inside it: the two were checked side by side, and nothing here ties them")
}

func ptr[T any](v T) *T { return &v }
