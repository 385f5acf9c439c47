package cli

// kind is how an option's value is written.
type kind int

const (
	text     kind = iota
	boolean       // true or false
	list          // repeatable; one item a line in an environment
	duration      // 30s, 12h, 30d
)

// option is one row of the table from which flags, inputs, environment
// variables and help all come. It is declared once, here.
type option struct {
	name string
	kind kind
	help string
	// def is the default; defs are those of single commands.
	def  string
	defs map[string]string
	// values are the only ones that are allowed; nil for any.
	values []string
	// trust marks an option that decides trust (⚿): it comes from a flag or a
	// declared input, never from the ambient environment.
	trust bool
	// aliases are other names of it, by the standard's own examples.
	aliases []string
	// on names the commands that have it.
	on []string
}

var (
	runsServer = []string{"seal", "verify", "extract", "init"}
	sealing    = []string{"seal"}
	// signing are the commands that sign, or say whether signing would end well.
	signing   = []string{"seal", "doctor"}
	verifying = []string{"verify"}
	// remembering are the commands that keep what they saw from run to run.
	remembering = []string{"verify", "check", "tofu"}
	checking    = []string{"check"}
	// expecting are the commands to which one says whose a manifest should be.
	expecting = []string{"verify", "attest"}
	// byTrust are the commands that take a trust file.
	byTrust   = []string{"verify", "check", "attest"}
	attesting = []string{"attest"}
	revoking  = []string{"revoke"}
	// keyless are the commands that sign under a certificate.
	signsKeyless = []string{"seal", "attest"}
	// judging are the commands that open a manifest by keys and identities.
	judging  = []string{"verify", "publish"}
	trusting = []string{"verify", "publish", "attest"}
	// rooting are the commands that verify certificates.
	rooting    = []string{"verify", "check", "publish", "attest"}
	publishing = []string{"seal", "publish"}
)

var options = []option{
	// The server.
	{name: "server", help: "the server's `command`, split by shell quoting rules; no shell runs", on: runsServer, aliases: []string{"server-path"}},
	{name: "server-url", help: "the `URL` of a running server (Streamable HTTP, or the older SSE)", on: runsServer},
	{name: "header", kind: list, help: "a `NAME=VALUE` header for --server-url", on: runsServer},
	{name: "interface", help: "an interface snapshot `file`; nothing runs", on: []string{"seal", "verify", "init"}},
	{name: "cwd", help: "the server's working `directory` (default: this one)", on: runsServer},
	{name: "env", kind: list, help: "a `NAME[=VALUE]` variable that the server may see; it sees no other of yours", on: runsServer},
	{name: "timeout", kind: duration, def: "30s", help: "how long (a `DURATION`) a server may take to list its tools", on: []string{"seal", "verify", "check", "extract", "init"}},
	{name: "allow-nondeterministic", kind: boolean, help: "go on although two starts served different tools: those tools will fail to verify at random, and a real change will hide among the false ones", on: []string{"seal", "extract"}},

	// What is sealed.
	{name: "artifact", kind: list, help: "the artifact: a `path`, a glob, a directory, or oci://REFERENCE", on: []string{"seal", "verify"}},
	{name: "artifact-type", help: "what the artifact is, where that cannot be seen", values: []string{"npm", "pypi", "crate", "wasm", "binary", "docker", "mcpb", "source"}, on: sealing},
	{name: "digest-scope", def: "package", help: "which bytes the artifact's digest covers", values: []string{"package", "entrypoint", "bundle"}, on: sealing},
	{name: "checksums", help: "a checksums `file` that names the artifacts, too", on: sealing},
	{name: "source-repo", help: "the source repository's `URL` (default: from the platform or git)", on: sealing},
	{name: "commit", help: "the source `commit`, whole (default: from the platform or git)", on: sealing},
	{name: "publisher-id", help: "the publisher's public `id`, such as a domain or an address", on: sealing},
	{name: "built-elsewhere", kind: boolean, help: "the artifact was not built by this run: it gets no build provenance from here", on: signing},
	{name: "provenance", help: "the `file` with the build provenance that the artifact's builder made", on: sealing},
	{name: "slsa-provenance", help: "true: build provenance is required; false: none is made", values: []string{"true", "false"}, on: sealing},
	{name: "allow-undeclared", kind: boolean, help: "in CI, seal tools without declarations with the widest ones", on: sealing},
	{name: "digest-algorithm", def: "sha256", help: "the hash of fingerprints and artifacts", values: []string{"sha256", "sha512"}, on: sealing},
	{name: "expires-in", kind: duration, help: "how long (a `DURATION`) until the manifest should be fetched again, such as 90d", on: sealing},
	{name: "config", def: "mcp-integrity.yaml", help: "the declarations `file`", on: []string{"seal", "init"}},
	{name: "dry-run", kind: boolean, help: "do everything, write and publish nothing", on: sealing},

	// What follows what, and where it is found.
	{name: "previous", def: "auto", help: "the release before: auto (the last one where this one will be published, else the file that --output replaces), none, or a `FILE`, URL or target", on: sealing},
	{name: "previous", kind: list, help: "where the releases before this one are: a `FILE`, directory, URL or target such as oci://REFERENCE", on: verifying},
	{name: "reroot", help: "begin a new chain although there is a release before, and sign this `REASON`", on: sealing},
	{name: "change", kind: list, help: "what changed, as `TYPE:TEXT`; TYPE is bugfix, feature, security, refactor, dependency or breaking (default: as computed, and as conventional commits say)", on: sealing},
	{name: "semver", def: "warn", help: "what a version is that promises less than changed", values: []string{"error", "warn", "off"}, on: sealing},
	{name: "jwks", help: "the publisher's other keys, by which the release before was signed: a JWKS `file` or URL", on: sealing, trust: true},
	{name: "publish", kind: list, help: "a `TARGET` to publish to: dir:PATH, well-known:DIR, github-release, github-attestations, gitlab-release, gitlab-packages, oci://REFERENCE, mcp-registry, package:DIR, registry:URL", on: sealing},
	{name: "publish-to-registry", kind: boolean, help: "publish to the MCP registry, too (--publish mcp-registry)", on: sealing},
	{name: "to", kind: list, help: "a `TARGET` to publish to, as seal's --publish takes it", on: []string{"publish"}},
	{name: "server-json", def: "server.json", help: "the server.json `file` that is published to the MCP registry", on: publishing},
	{name: "manifest-url", help: "the `URL` that the MCP registry gives for the manifest (default: where another target put it)", on: publishing},
	{name: "registry", help: "the `URL` of a registry that is asked for the manifest (MIS §18.2) where none is named and none is found", on: verifying},
	{name: "memory", help: "the `directory` where verify remembers what it verified, or none (default: in the user's configuration directory)", on: remembering, trust: true},
	{name: "audit-log", help: "append what happened to this `file`, a JSON line an event (MIS §20.3)", on: []string{"verify", "check"}},

	// The servers of a person's clients.
	{name: "yes", kind: boolean, help: "start the servers without asking", on: checking},
	{name: "client", kind: list, help: "check the servers of this `client` alone, such as cursor or claude-code", on: checking},
	{name: "project", help: "the `directory` whose project files are read, too (default: this one)", on: checking},

	// What was met without a manifest.
	{name: "host", help: "the host `application` that knows the server, where several do", on: []string{"tofu"}},
	{name: "pending", help: "the `digest` of what you have seen and accept", on: []string{"tofu"}},
	{name: "tool", kind: list, help: "accept, block or unblock this `tool` alone", on: []string{"tofu"}},

	// What others say of a release.
	{name: "role", help: "who you are to the release", values: []string{"publisher", "registry", "scanner", "auditor"}, on: attesting},
	{name: "type", help: "what you attest, such as namespace_verified, malware_scan_clean, side_effects_discrepancy_found, code_review_passed, or a word behind a reverse-domain name (default for a publisher: manifest_signed)", on: attesting},
	{name: "expires-in", kind: duration, help: "how long (a `DURATION`) the attestation holds, such as 90d", on: attesting},
	{name: "finding", kind: list, help: "a `KEY=VALUE` that is signed with the attestation", on: attesting},
	{name: "from", help: "the scanner's report, a `file`: SARIF 2.1.0, or the JSON of osv-scanner, trivy, grype or mcp-scanner; one that found something is never attested as clean", on: attesting},
	{name: "key", help: "your private key, a JWK `file` (the JWK itself only by input or environment)", on: attesting, aliases: []string{"signing-key"}},

	// Keys and identities.
	{name: "key", help: "seal: the private key, a JWK `file` (the JWK itself only by input or environment); verify: the publisher's key, a JWK file or local", on: signing, aliases: []string{"signing-key"}},
	{name: "key", help: "the publisher's key: a JWK `file`, private or public, or local", on: judging, trust: true},
	{name: "key", help: "the publisher's key, a JWK `file`: an ES256 signature is then written as DER", on: []string{"inspect"}, trust: true},
	{name: "jwks", help: "the publisher's keys: a JWKS `file` or URL", on: trusting, trust: true},
	{name: "namespace", help: "the publisher's `namespace` (default: from the platform or git)", on: sealing},
	{name: "namespace", help: "the publisher `namespace` that you expect", on: expecting, trust: true},
	{name: "repo", help: "the source repository that you expect: `OWNER/NAME` on GitHub, or a URL", on: expecting, trust: true},
	{name: "workflow", help: "the workflow `file` that you expect to have signed, such as .github/workflows/release.yml; * stands within a path segment", on: expecting, trust: true},
	{name: "ref", help: "the source `ref` that you expect, such as refs/tags/v*", on: expecting, trust: true},
	{name: "issuer", help: "the `URL` of the identity's issuer (default: that of the repository's host)", on: expecting, trust: true},
	{name: "identity", help: "the certificate's `subject` that you expect, whole; * stands within a path segment", on: expecting, trust: true},
	{name: "allow-self-hosted", kind: boolean, help: "accept certificates of jobs on self-hosted runners", on: expecting, trust: true},
	{name: "trust", help: "the trust `file`, YAML: who may hold which role, with the policy and rules beside it", on: byTrust, trust: true},
	{name: "policy", help: "report_only, warn_below_level_N or block_below_level_N; that of --trust is a floor (default: warn_below_level_1)", on: []string{"verify", "check"}, trust: true},
	{name: "allow-unbound", kind: boolean, help: "count attestations that have no signed statement in every role", on: verifying, trust: true},
	{name: "offline", kind: boolean, help: "open no socket", on: []string{"verify", "check"}},
	{name: "provenance", help: "the `file` with the artifact's build provenance (default: the one beside the manifest, else where the manifest says)", on: verifying},
	{name: "vsa", help: "write a signed Verification Summary to this `file`", on: verifying},
	{name: "vsa-key", help: "the private key, a JWK `file`, that signs the summary", on: verifying},

	// Sigstore.
	{name: "keyless", kind: boolean, help: "sign under a certificate of Sigstore, for the identity of this job; beside --key: both", on: signsKeyless},
	{name: "trusted-root", help: "the trusted root `file` of the Sigstore instance (default: the public one's, kept fresh through TUF)", on: signing},
	{name: "trusted-root", help: "the trusted root `file` of the Sigstore instances that you trust (default: the public one's, kept fresh through TUF)", on: rooting, trust: true},
	{name: "signing-config", help: "the signing config `file` of the Sigstore instance: where to sign", on: []string{"seal", "attest", "doctor"}},
	{name: "tuf-mirror", help: "the `URL` of the TUF repository that distributes the trusted root", on: signing},
	{name: "tuf-mirror", help: "the `URL` of the TUF repository that distributes the trusted root", on: rooting, trust: true},
	{name: "tuf-root", help: "the root.json `file` from which --tuf-mirror is trusted", on: signing},
	{name: "tuf-root", help: "the root.json `file` from which --tuf-mirror is trusted", on: rooting, trust: true},
	{name: "patience", kind: duration, def: "5m", help: "how long (a `DURATION`) a service that signing needs, and that does not answer, is tried", on: signsKeyless},
	{name: "allow-public-log", kind: boolean, help: "let the name of a private repository appear in a public log", on: []string{"seal", "attest", "doctor"}},

	// Making keys.
	{name: "algorithm", def: "Ed25519", help: "the key's algorithm", values: []string{"Ed25519", "ES256"}, on: []string{"keygen"}},
	{name: "key-id", help: "the key's `id` (default: its RFC 7638 thumbprint)", on: []string{"keygen"}},
	{name: "local", kind: boolean, help: "export the desk's local key instead of making one", on: []string{"keygen"}},

	// Ending keys.
	{name: "key", help: "the private key, a JWK `file`, that signs the notice: the revoked one, or a live one of the same document", on: revoking},
	{name: "reason", def: "key_compromise", help: "why the key is revoked", values: []string{"key_compromise", "key_rotation", "publisher_deactivation"}, on: revoking},
	{name: "replacement", help: "the `id` of the key that takes its place", on: revoking},
	{name: "document", help: "the JWKS `file` that is continued: its keys, marks and notices stay", on: []string{"jwks"}},
	{name: "revocation", kind: list, help: "a revocation notice, a `file` as revoke writes it: the document carries it, and the key leaves", on: []string{"jwks"}},
	{name: "retire", kind: list, help: "the `id` of a key that signs no more, and stays for what it has signed", on: []string{"jwks"}},

	// Where results go.
	{name: "output", def: "mcp-integrity.json", help: "the `file` to write",
		defs: map[string]string{"extract": "-", "jwks": "-", "keygen": "signing-key.json", "inspect": "-", "attest": "", "revoke": "revocation.json"},
		on:   []string{"seal", "extract", "attest", "keygen", "jwks", "revoke", "inspect"}},
	{name: "extract", help: "write one part as other tools take it, instead of printing the whole", values: []string{"payload", "signature", "statement", "bundle"}, on: []string{"inspect"}},
	{name: "format", def: "text", help: "how the result is printed", values: []string{"text", "json"}, on: []string{"seal", "verify", "publish", "check", "attest", "tofu", "inspect", "doctor"}},
	{name: "format", def: "text", help: "how the result is printed", values: []string{"text", "json", "markdown"}, on: []string{"diff"}},
	{name: "output-file", def: "-", help: "the `file` where the result is printed; - is standard output", on: []string{"seal", "verify", "publish", "check", "attest", "tofu", "diff", "doctor"}},
}

// optionsOf returns the rows that a command has.
func optionsOf(name string) []option {
	var rows []option
	for _, o := range options {
		for _, on := range o.on {
			if on == name {
				if def, ok := o.defs[name]; ok {
					o.def = def
				}
				rows = append(rows, o)
			}
		}
	}
	return rows
}
