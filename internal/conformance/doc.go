// Package conformance holds this implementation against test data that is not
// its own: the language-neutral vectors of testdata/vectors, which other
// implementations run too, RFC 8785's data, and Project Wycheproof's.
//
// It has tests only. Each vector goes through every entry point that takes
// such bytes: the functions of the packages, the readers of files, a tool
// server that lists them over HTTP and over stdio, and the command line, in
// process, with its exit code. A directory of vectors that no entry point
// runs, a kind without vectors, an entry point without any, and a member of a
// vector that nobody reads are failures.
//
// The runner is held against itself: every vector is also run with its
// expectation turned round and with each of its outputs changed, and an entry
// point must complain.
package conformance
