// Package stack runs a private Sigstore on loopback: upstream's Fulcio, Rekor
// v2 and timestamp authority as child processes, and around them what a CI
// platform and the Internet are to a program that signs.
//
// What is real: the three servers, every certificate, log entry and timestamp
// that they issue, and the trusted root, signing configuration and TUF
// repository that lead to them. What is ours:
//
//   - an OpenID Connect issuer with the production URLs of GitHub and GitLab,
//     reached through a CONNECT proxy ([Proxy]), so that certificates carry the
//     very identities that users pin;
//   - GitHub's attestation store, at its production URL through the same proxy,
//     so that a verifier follows what a manifest really names ([Store]);
//   - the runner's token endpoint and the environment of a job, both made of
//     one set of claims ([GitHubJob], [GitLabJob]);
//   - a signer of certificate timestamps, since no CT log comes without a
//     database ([sctSigner]);
//   - a door in front of each service, by which a test makes it fail before or
//     after it took effect, and counts what it did ([Door]);
//   - an HTTP endpoint to steer all that from a shell ([Stack.ControlURL]).
//
// Everything listens on 127.0.0.1, on ports that were free, and lives in one
// directory. A stack belongs to one test at a time where faults or counters are
// used: they are the stack's, not the caller's.
package stack
