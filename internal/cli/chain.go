package cli

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mcp-integrity/seal-action/internal/memory"
	"github.com/mcp-integrity/seal-action/internal/publish"
	"github.com/mcp-integrity/seal-action/verify"
)

// sameMachine are the targets that --offline allows: they open no socket.
var sameMachine = []string{"dir:", "well-known:", "package:"}

// placeOf is the place that the manifest's argument names: a target, or the URL
// of a host that has the history beside it. It is nil for a file.
func (i *invocation) placeOf() (publish.Place, error) {
	if len(i.args) == 0 {
		return nil, nil
	}
	name := i.args[0]
	env := i.placeEnv(name)
	env.ReadOnly = true
	switch {
	case publish.Known(name):
		if err := i.allowed(name); err != nil {
			return nil, err
		}
		p, err := publish.Open(name, env)
		if err != nil {
			return nil, usagef("%w", err)
		}
		return p, nil
	case isURL(name):
		// Whatever else it may be, its manifest is fetched from there; only the
		// layout of a history needs the form.
		if p, err := publish.Open(name, env); err == nil {
			return p, nil
		}
	}
	return nil, nil
}

// allowed keeps --offline from opening sockets.
func (i *invocation) allowed(source string) error {
	if i.has("offline") && i.is("offline") && (isURL(source) || publish.Known(source)) &&
		!slices.ContainsFunc(sameMachine, func(p string) bool { return strings.HasPrefix(source, p) }) {
		return usagef("--offline and %.200s exclude each other: name a file or a directory", source)
	}
	return nil
}

// chainOf gives the verifier the releases before the manifest, from where the
// caller says, from where the manifest came, or from the directory beside it;
// and what earlier runs verified.
func (i *invocation) chainOf(v *verifier) error {
	var all sources
	env := i.placeEnv(i.manifestArgument())
	for _, name := range i.list("previous") {
		if err := i.allowed(name); err != nil {
			return err
		}
		for _, stem := range stemsOf(env.Stem) {
			env.Stem = stem
			s, err := openSource(name, env)
			if err != nil {
				return err
			}
			all = append(all, s)
		}
	}
	v.ChainAsked = len(all) > 0
	switch {
	case v.place != nil:
		all = append(all, v.place)
	case len(all) == 0:
		file := i.manifestArgument()
		if history := strings.TrimSuffix(file, ".json"); !isURL(file) && history != file && isDirectory(history) {
			env.ReadOnly = true
			beside, err := publish.Open("dir:"+filepath.Dir(file), env)
			if err != nil {
				return usagef("%w", err)
			}
			all = append(all, beside)
		}
	}
	if len(all) > 0 {
		v.Chain = all
	}
	return i.memoryOf(v)
}

// stemsOf are the names that the files of a release may have at a source: that
// of the file at hand, which may have been given another, and the usual one.
func stemsOf(stem string) []string {
	if stem == publish.DefaultStem {
		return []string{stem}
	}
	return []string{stem, publish.DefaultStem}
}

// memoryOf gives the verifier what earlier runs of this user verified.
func (i *invocation) memoryOf(v *verifier) error {
	dir := i.stateDir("memory")
	if dir == "" || i.str("key") == "local" {
		return nil // what this desk sealed for itself is no release
	}
	m, err := memory.Open(dir)
	if err != nil {
		return usagef("--memory: %w", err)
	}
	v.Memory = m
	return nil
}

// fromPlace fetches the newest release of the place that the caller named.
func (v *verifier) fromPlace(ctx context.Context) ([]byte, error) {
	release, err := v.place.Latest(ctx)
	switch {
	case errors.Is(err, verify.ErrNoRelease):
		if args := v.sigstore.inv.args; len(args) > 0 && strings.HasPrefix(args[0], "dir:") {
			v.sigstore.inv.talk("hint: what was sealed with --output NAME.json is verified as %s/NAME.json", strings.TrimPrefix(args[0], "dir:"))
		}
		return nil, fmt.Errorf("%w: %w", errNoManifest, err)
	case err != nil:
		exit := placeError(err)
		if exit.code == ExitFails {
			return nil, exit
		}
		if exit.hint != "" {
			v.sigstore.inv.talk("hint: %s", ourLines(exit.hint))
		}
		if errors.Is(err, verify.ErrUnavailable) {
			return nil, err
		}
		return nil, fmt.Errorf("%w: %w", verify.ErrUnavailable, err)
	}
	v.sigstore.inv.note("manifest: %s", release.Ref)
	if b, ok := v.Provenance.(*builds); ok && b.file == "" && release.Provenance != nil {
		b.data, b.ref = release.Provenance, release.Ref
	}
	return release.Envelope, nil
}
