// Package server runs a tool server, or reaches one over HTTP, lists its tools,
// and keeps the bytes of every tool as they came.
//
//	listing, err := server.List(ctx, server.Target{Command: argv}, server.Options{})
//
// The server is a stranger's program. What this package promises, whatever the
// server does:
//
//   - Every tool that it listed is in the [Listing], byte for byte and in its
//     order, or the call fails. Nothing is dropped, repaired or marshalled again.
//   - It is told nothing about us: the client name is one that anybody could have,
//     there are no capabilities and no extensions, the environment is built and
//     never inherited, the home is empty. A server that knows its verifier could
//     behave for as long as it is watched. One that looks through /proc, or knows
//     our network address, can still guess; only an isolated run ends that.
//   - On Linux, a server that runs under our user, and is not root, cannot read our
//     memory, environment or files (see [Shield]).
//   - It is gone when List returns, with all that it started, and so are its home
//     and its temporary directory. On Linux that holds for daemons as well (see
//     [MaybeSupervise]), and a server that cannot be ended fails the listing;
//     elsewhere an [Options.Notice] says what was not to be had.
//   - Time, bytes, messages, pages, tools and nesting are bounded, before anything
//     is kept in memory (limits.go).
//
// # Two lifecycles
//
// The handshake comes first: initialize offering 2025-11-25, any answer among
// 2024-11-05, 2025-03-26, 2025-06-18 and 2025-11-25, notifications/initialized,
// then tools/list page by page. All of 35 real servers speak it, 9 the other one.
// A server that never answers what it does not know would hang a client that
// asked for server/discover first.
//
// Where initialize is answered by a JSON-RPC error the stateless lifecycle of
// 2026-07-28 follows: server/discover, then tools/list, each request carrying
// its version, client name and (empty) capabilities in _meta. It runs in a
// process of its own: a server may take the failed handshake as the end.
//
// # Two transports
//
// Over stdio the client is our own, because the bytes are the point: each line is
// checked as strict JSON before anything is read from it, so an envelope with two
// "result" members is refused, and the size of a line is known before it is held.
// Over HTTP the Go SDK's transports carry the messages (Streamable HTTP, and the
// older HTTP+SSE where POST is refused) behind a round tripper that bounds and
// checks every body before the SDK sees it. The same session code drives both.
//
// # Reading an answer
//
// Messages may come before, between and around the answers, as the protocol
// allows: notifications are passed over, ping is answered, every other request
// gets "method not found" since no capability was declared. An answer to an id
// that was never asked is passed over, as all SDKs do. A second answer to an id
// that was already answered is refused: which one a host believes depends on the
// host. JSON-RPC batches are read where 2025-03-26 was agreed, which had them, and
// refused elsewhere.
//
// A server that does not declare the tools capability is asked nevertheless; when
// it then answers "method not found" it serves no tools. A nextCursor that is
// absent or null ends the list; any string, the empty one too, is a cursor,
// because the protocol calls cursors opaque and some clients follow it.
package server
