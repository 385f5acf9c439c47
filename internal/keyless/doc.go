// Package keyless signs and verifies with Sigstore (decision 11 of the project).
// It is the only one that imports sigstore-go.
//
// # Verifying
//
// A Sigstore bundle proves that the holder of an identity signed some bytes at
// some time: a certificate binds the identity to a key, a log or a timestamp
// authority vouches for the time, at which the certificate must have been valid.
// [Trust] holds the trusted roots that say which authorities and logs these may
// be. [Trust.Verify] promises:
//
//   - It opens no socket, reads no file and no clock: the same bundle and the
//     same trust give the same answer on every machine.
//   - The requirements belong to the trusted root, never to the bundle. A root
//     with transparency logs requires a log entry, a root with certificate
//     transparency logs requires a signed certificate timestamp, and every root
//     requires a time from one that it names. The root is chosen by the
//     authority that issued the certificate; where several roots name that
//     authority, what any of them requires is required. So the bundle of a
//     public instance cannot pass as one of GitHub's own instance, which has no
//     logs, by leaving its log entry out.
//   - A log's key counts within its time only, for Rekor v2, too.
//   - What it returns was verified. The statement is exactly the signed bytes.
//   - Whom the certificate names is for the caller to compare: an identity that
//     nobody expected proves nothing ([Authenticator], [seal.Identity.Match]).
//
// Some parts of a bundle prove nothing and may be changed without effect: of a
// Rekor v2 entry its body and kind and its proof's index, size and root hash,
// which verification computes anew or takes from what is signed; the hint beside
// a DSSE signature; and one of two vouchers for the time. So a bundle's own
// digest names nothing.
//
// The chain that bundles of v0.1 and v0.2 carry beside their certificate is
// hearsay, and not read: a root in it is neither trusted nor refused.
//
// Bundles of media types v0.1 to v0.3 are read, with a certificate on P-256
// (MIS §7.1 allows ES256 and no other ECDSA). A bundle that is signed by a bare
// key is refused: no root of ours names it.
//
// # Signing
//
// [Begin] makes one ephemeral P-256 key and has it certified once;
// [Session.Sign] and [Session.SignStatements] use that key (decision 11). Each
// bundle has passed the caller's [Trust] before it is handed out. A service that
// does not answer is an [*Outage], one that says no is a [*Refused]; neither,
// nor any notice, holds a part of the identity token.
package keyless
