// Package e2e has no code, but tests: mcp-integrity, as a program, seals and
// verifies on a real Sigstore, as jobs of GitHub and GitLab.
//
//	go build -o /tmp/mcp-integrity ./cmd/mcp-integrity                 # in the main module
//	SIGSTACK_BIN=DIR MCP_INTEGRITY=/tmp/mcp-integrity go test ./e2e    # in this one
//
// Each script has a Sigstore of its own, so that faults and counts are its own,
// too, and the release in release/: a server (node dist/index.js), its
// declarations, and its package acme-tools-1.2.4.tgz. Besides testscript's commands there are:
//
//	github KEY=VALUE…               what follows runs as a job of GitHub (the keys: ../README.md), for acme/file-tools at refs/tags/v1.2.4
//	gitlab KEY=VALUE…               … of GitLab, for the project acme/file-tools; id_tokens=none gives it no token
//	desk                            … as nobody's job
//	exits CODE COMMAND…             runs a command, and wants its exit code
//	offline CODE COMMAND…           the same without a network, where to ask for a socket is death; CODE killed wants just that
//	fault SERVICE MODE KEY=VALUE…   makes a service of the Sigstore fail
//	heal                            ends all faults, and forgets all counts
//	fails CODE PATTERN…             the README's release job wants this exit code and these words, and that nothing is written
//	holds                           the same job succeeds, a consumer's verification passes, and the files are taken away again
//	caught ENVELOPE LEVEL NAME PATTERN   a third party, at a desk, fails to verify it, with that level left and a finding of that name
//	audit KEY=N…                    wants what took effect since heal, or since the last audit
//	logged SERVICE TEXT             wants that a service has been sent TEXT since heal, or since this was last asked (! logged: that it has not)
//	stackdown                       stops the Sigstore
//	another                         what follows runs on a second Sigstore, that of somebody else; FIRST_TRUSTED_ROOT is the first one's root
//	pack FILE NAME VERSION          writes an npm package
//	compile FILE [VERSION]          builds a tool server that others wrote, the MCP Go SDK's example "everything"; with VERSION, as a later release of it
//	sum VARIABLE FILE               sets a variable to the SHA-256 of a file
//	json FILE PATH VALUE            wants a member of a JSON document, such as tools.0.name
//	jsonis FILE WANT                wants a JSON document to be, member for member, that in file WANT, whose $VARIABLES are filled in
//	edit FILE PATH JSON|@FILE[:PATH]|absent   sets a member of a JSON document, by JSON or as it is in another, or takes it away
//	payload ENVELOPE FILE           writes a DSSE envelope's payload
//	forge STATEMENT BUNDLE          signs any statement as the job, past mcp-integrity: with a certificate, a log entry and a timestamp that are real
//	readme SECTION N                runs the Nth block of shell commands in a section of the README as it stands
package e2e
