package cli

import (
	"bytes"
	"context"
	"fmt"
	"strings"

	"github.com/opencontainers/go-digest"

	"github.com/mcp-integrity/seal-action/seal/fingerprint"
)

// observe lists the server twice, in two fresh processes. What is sealed must
// be what the next process serves, too.
func (r *sealRun) observe(ctx context.Context) error {
	v, err := r.surface.lookTwice(ctx, r.is("allow-nondeterministic"))
	if err != nil {
		return err
	}
	r.view = v
	if r.snapshot, err = v.snapshot.Marshal(); err != nil {
		return failsf("%w", err)
	}
	return nil
}

func (s *surface) lookTwice(ctx context.Context, allowUnstable bool) (view, error) {
	v, err := s.look(ctx)
	if err != nil || !s.live() {
		return v, err
	}
	again, err := s.look(ctx)
	if err != nil {
		return v, err
	}
	unstable, order := unstable(v.snapshot, again.snapshot)
	if order {
		s.inv.note("two starts listed the tools in different orders: the first is kept, nothing depends on it")
	}
	switch {
	case len(unstable) == 0:
		return v, nil
	case allowUnstable:
		s.inv.warn("two starts served different surfaces, and the first is sealed; these will fail to verify at random:\n%s", strings.Join(unstable, "\n"))
		return v, nil
	}
	return v, failsf("two starts of the server served different surfaces:\n%s", strings.Join(unstable, "\n")).
		withHint("seal with fixed settings (--env, --cwd, arguments), or mend the server; --allow-nondeterministic seals what cannot be verified reliably")
}

// maxDifferences bounds the lines that name differences.
const maxDifferences = 20

// unstable names what differs between two looks at one server, a line each.
// Only what a manifest seals counts.
func unstable(a, b *fingerprint.Snapshot) (lines []string, order bool) {
	say := func(format string, args ...any) {
		if len(lines) < maxDifferences {
			lines = append(lines, fmt.Sprintf(format, args...))
		}
	}
	if a.Server != b.Server {
		say("serverInfo: first %q %q, then %q %q", a.Server.Name, a.Server.Version, b.Server.Name, b.Server.Version)
	}
	then := map[string]fingerprint.Tool{}
	for i, t := range b.Tools {
		then[t.Name] = t
		order = order || i >= len(a.Tools) || a.Tools[i].Name != t.Name
	}
	for _, t := range a.Tools {
		name := fmt.Sprintf("%.100q", t.Name)
		u, ok := then[t.Name]
		if !ok {
			say("tool %s: served at first, then not", name)
			continue
		}
		delete(then, t.Name)
		if bytes.Equal(t.Raw, u.Raw) {
			continue
		}
		for _, c := range componentsThatDiffer(t, u) {
			say("tool %s: %s", name, c)
		}
	}
	for name := range then {
		say("tool %.100q: not served at first, then served", name)
	}
	return lines, order && len(lines) == 0
}

func componentsThatDiffer(t, u fingerprint.Tool) []string {
	x, errX := fingerprint.Of(t, digest.SHA256)
	y, errY := fingerprint.Of(u, digest.SHA256)
	if errX != nil || errY != nil {
		return []string{"cannot be fingerprinted"}
	}
	var lines []string
	for _, d := range fingerprint.Compare(x, y) {
		first, second := parts(t, u, d.Component)
		at := firstDifference(first, second)
		lines = append(lines, fmt.Sprintf("%s differs from byte %d on: first %s, then %s", d.Component, at, around(first, at), around(second, at)))
	}
	return lines
}

func parts(t, u fingerprint.Tool, c fingerprint.Component) (a, b []byte) {
	switch c {
	case fingerprint.Description:
		return []byte(t.Description), []byte(u.Description)
	case fingerprint.InputSchema:
		return t.InputSchema, u.InputSchema
	case fingerprint.Annotations:
		return t.Annotations, u.Annotations
	}
	return t.OutputSchema, u.OutputSchema
}

func firstDifference(a, b []byte) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}

// around quotes what stands at a place, on character bounds or not.
func around(b []byte, at int) string {
	return fmt.Sprintf("…%q…", b[max(at-20, 0):min(at+40, len(b))])
}
