package verify

import (
	"context"
	"time"

	"github.com/mcp-integrity/seal-action/seal/fingerprint"
)

// FirstUse keeps what servers without a manifest served when they were first met
// (MIS §20.2). Its answers are trusted, as those of [Memory] are. Its methods may
// be called from several goroutines.
type FirstUse interface {
	// Meet compares what a server serves now with what is kept of it. What is met
	// for the first time is kept. What changed is kept beside it, for somebody to
	// accept or to block: being seen twice does not make it accepted.
	Meet(ctx context.Context, server FirstUseKey, seen Observation, now time.Time) (Meeting, error)
}

// FirstUseKey names a server as the caller knows it: by the host application, and
// by how that was told to start or to reach it. What a server calls itself has no
// part in it, or it could become a stranger at will.
type FirstUseKey struct {
	Host   string `json:"host"`
	Server string `json:"server"`
}

// Meeting is what came of meeting a server.
type Meeting struct {
	// First says that it was met for the first time; Since is when that was.
	First bool
	Since time.Time
	// Blocked says that somebody blocked the server.
	Blocked bool
	// Changes are the tools that differ from those that are accepted, by name.
	Changes []FirstUseChange
}

// FirstUseChange is one tool that differs from what is accepted.
type FirstUseChange struct {
	Tool string
	// Blocked says that somebody blocked this tool.
	Blocked bool
	// Old and New are the tool as it was accepted and as it is served now. Raw is
	// empty where it is added or removed.
	Old, New fingerprint.Tool
	// Components are those that differ; none where the tool is added or removed.
	Components []fingerprint.Component
}
