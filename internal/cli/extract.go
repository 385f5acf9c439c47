package cli

import (
	"context"
	"path/filepath"

	"github.com/mcp-integrity/seal-action/internal/declare"
	"github.com/mcp-integrity/seal-action/internal/platform"
	"github.com/mcp-integrity/seal-action/seal"
)

// runExtract writes what a server serves, byte for byte.
func runExtract(ctx context.Context, inv *invocation) error {
	s, err := surfaceOf(inv, nil)
	if err != nil {
		return err
	}
	if s == nil {
		return usagef("no server is given").withHint("mcp-integrity extract -- COMMAND ARG…, or --server-url URL")
	}
	v, err := s.lookTwice(ctx, inv.is("allow-nondeterministic"))
	if err != nil {
		return err
	}
	data, err := v.snapshot.Marshal()
	if err != nil {
		return failsf("%w", err)
	}
	if err := inv.print(inv.str("output"), data); err != nil {
		return err
	}
	inv.note("%d tools of %s %s, by protocol %s", len(v.snapshot.Tools), v.snapshot.Server.Name, orDash(v.snapshot.Server.Version), v.snapshot.Conditions.ProtocolVersion)
	return nil
}

// runInit writes mcp-integrity.yaml from a live server.
func runInit(ctx context.Context, inv *invocation) error {
	path := inv.str("config")
	if fileExists(path) {
		return usagef("%s exists already, and is kept", path).withHint("name another file with --config, and compare")
	}
	s, err := surfaceOf(inv, nil)
	if err != nil {
		return err
	}
	if s == nil {
		return usagef("no server is given").withHint("mcp-integrity init -- COMMAND ARG…")
	}
	v, err := s.look(ctx)
	if err != nil {
		return err
	}
	facts, err := inv.suggestion(ctx, s)
	if err != nil {
		return err
	}
	facts.ServerName, facts.ServerVersion = v.snapshot.Server.Name, v.snapshot.Server.Version
	data, err := declare.Suggest(facts, v.snapshot.Tools)
	if err != nil {
		return failsf("%w", err)
	}
	if err := writeFiles(file{path, data}); err != nil {
		return err
	}
	inv.note("wrote %s with the widest declarations for %d tools: narrow them down, and commit the file", filepath.Clean(path), len(v.snapshot.Tools))
	return nil
}

// suggestion is what init knows beside the tools.
func (i *invocation) suggestion(ctx context.Context, s *surface) (declare.Facts, error) {
	facts, err := platform.Detect(ctx, i.Getenv, ".")
	if err != nil {
		return declare.Facts{}, undecidedf("%w", err)
	}
	return declare.Facts{
		Publisher: seal.Publisher{ID: facts.PublisherID, Namespace: facts.Namespace, URL: facts.PublisherURL},
		Command:   s.target.Command,
		EnvNames:  s.envNames(),
	}, nil
}
