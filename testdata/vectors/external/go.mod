// Test data of others, pinned by checksum and fetched at test time by `go mod download -json`: never built, never shipped.
module external-vectors

go 1.26.4

require (
	github.com/c2sp/wycheproof v0.0.0-20260902155932-3fa63dd0344a
	github.com/cyberphone/json-canonicalization v0.0.0-20241213102144-19d51d7fe467
)
