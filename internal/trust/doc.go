// Package trust reads trust.yaml, in which a verifier says whom it trusts: which
// key or identity may hold which role and attest which types, for which
// namespaces. It answers who signed, and as what.
//
//	policy: block_below_level_2
//	publishers:
//	  - namespace: io.github.acme
//	    identity: {repository: acme/file-tools, workflow: .github/workflows/release.yml, ref: refs/tags/*}
//	  - namespace: com.example
//	    jwks: https://example.com/.well-known/mcp-integrity-keys.json
//	registries: [{name: acme-registry, jwks: ./registry-keys.json, types: [namespace_verified]}]
//	scanners:
//	  require: 2
//	  max_age: 30d
//	  holders: [{name: a, identity: {repository: a/scan}}, {name: b, key: ./b.pub.json, namespaces: [io.github.*]}]
//	auditors: [{name: c, key: ./auditor.pub.json}]
//	rules: ['tools.all(t, !t.side_effects.network_egress || t.trust_level >= 3)']
//
// The YAML is read in one way only (package strictyaml), by a JSON Schema
// ([Schema]). Beyond the schema:
//
//   - Each entry has exactly one of identity, key and jwks. Only a publisher of
//     io.github.OWNER or io.gitlab.GROUP may have none: the forge's certificate
//     proves the owner (decision 12). An identity beside such a namespace is of
//     that owner.
//   - An identity names somebody, and who vouches for it: an issuer alone is all
//     the world. Repositories, owners and issuers are compared whole. A * stands
//     in workflow, ref and subject, within one path segment, and never where the
//     owner of a subject is named.
//   - Entries of publishers with one namespace are alternatives. Names of other
//     holders are unique within their role, and each holder is one vote.
//   - types are those that may raise a level; absent, every positive type of MIS
//     §14.4. Bad news of a role always counts.
//
// # One role, one vote
//
// No key and no identity counts in two roles, or twice in a threshold (decision
// 10a). A file by which one could is refused: two holders whose identities one
// certificate could match ([Parse]), and two whose documents have one key
// ([Config.Resolve]). Publishers of several namespaces may share theirs, for a
// run looks at one namespace; so may a holder and a publisher in whose namespace
// the holder does not count.
//
// # The namespace
//
// Which publisher counts depends on the namespace, and before a signature is
// verified the manifest's is only a claim. [Trust.Authenticator] takes the claim
// to look entries up, and what it then accepts is the signature of somebody whom
// the file trusts with that very namespace. So the caller sets [verify.Verifier]'s
// Namespace to it, and a payload that names another one fails:
//
//	namespace := envelope.Claim().Namespace // or --namespace
//	known, err := t.Publisher(namespace)    // err: its keys could not be had
//	v.Keys, v.Ancestors = t.Authenticator(namespace, keyless), t.Ancestors(namespace, keyless)
//	v.IdentityExpected = known
//	if known {
//		v.Namespace = namespace
//	}
//	v.Quorum = t.Quorum()
//
// Of a namespace that the file does not list, a certificate's signature is
// authentic and unexpected, which warns, and fails in a blocking mode; a key's
// is nobody's.
package trust

// Bounds beside those of package strictyaml. The schema has the rest: 100
// holders of a role, and texts of 500 characters.
const (
	// maxPublishers bounds the entries under publishers: each is compared with
	// each other holder.
	maxPublishers = 1_000
	// maxAgeDays is the greatest age, a hundred years: any would do that a
	// time.Duration can hold.
	maxAgeDays = 36_500
	// maxLoads is how many key documents are fetched at once: a file names a few
	// dozen, and their hosts are strangers to each other.
	maxLoads = 8
)
