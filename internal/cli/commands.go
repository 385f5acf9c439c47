package cli

import "context"

// command is one row of the command table.
type command struct {
	use, short, long, example string
	minArgs, maxArgs          int
	run                       func(context.Context, *invocation) error
}

// maxKeys bounds the keys of one JWKS command line.
const maxKeys = 100

var commands = []command{
	{
		use:   "seal [options] [-- SERVER ARG…]",
		short: "Run the server, fingerprint it, hash the artifact, sign, check, write",
		long: "seal starts the tool server twice, lists its tools, hashes the artifact, and signs a Sealed Manifest.\n" +
			"Nothing is written before our own verifier has accepted it. Without --key, a GitHub or GitLab job with an\n" +
			"identity token signs keyless, under its own name; a desk signs with its local key, in the namespace local.USER.",
		example: "  mcp-integrity seal --keyless --artifact acme-tools-1.2.4.tgz -- node dist/index.js\n" +
			"  mcp-integrity seal --key signing-key.json --artifact acme-tools-1.2.4.tgz -- node dist/index.js\n" +
			"  mcp-integrity seal --keyless --artifact acme-tools-1.2.5.tgz --publish github-release --semver error -- node dist/index.js\n" +
			"  mcp-integrity seal --server ./my-mcp-server --key ./signing-key.json \\\n" +
			"    --source-repo https://github.com/my-org/my-server --commit $(git rev-parse HEAD) --output ./mcp-integrity.json",
		run: runSeal,
	},
	{
		use:   "verify [MANIFEST] [options] [-- SERVER ARG…]",
		short: "Check a sealed manifest against a server, a snapshot, an artifact, a policy",
		long: "verify checks the signatures of a manifest (a file, a URL, or a target such as oci://REFERENCE), and only then\n" +
			"starts the server and compares. Where none is named it is looked for in this directory, beside the server, where\n" +
			"the server says, on its host, and in --registry; a server without one is held against what it served when it was\n" +
			"first met (tofu). Whose it should be is said by --trust, or by --key, --jwks, --namespace, --repo and --workflow.\n" +
			"The releases before it are looked for where it came from, in the directory beside it, and where --previous says.\n" +
			"Exit codes: 0 pass or warning, 1 fail, 2 wrong use, 3 undecided.",
		example: "  mcp-integrity verify mcp-integrity.json --offline --namespace io.github.acme --repo acme/tools \\\n" +
			"    --workflow .github/workflows/release.yml --ref 'refs/tags/*' --artifact acme-tools-1.2.4.tgz -- node dist/index.js\n" +
			"  mcp-integrity verify --key publisher.pub.json --namespace io.github.acme -- node dist/index.js\n" +
			"  mcp-integrity verify oci://ghcr.io/acme/tools:1.2.4 --namespace io.github.acme --artifact oci://ghcr.io/acme/tools:1.2.4\n" +
			"  mcp-integrity verify https://acme.example/.well-known/mcp-integrity.json \\\n" +
			"    --jwks https://acme.example/.well-known/mcp-integrity-keys.json --policy block_below_level_1 --server-url https://acme.example/mcp",
		maxArgs: 1, run: runVerify,
	},
	{
		use:   "check",
		short: "Verify every MCP server that this person's clients are configured to start",
		long: "check reads the MCP configuration of Claude Desktop, Claude Code, VS Code, Cursor, Windsurf, Zed and Gemini CLI, of\n" +
			"the user and of the project, lists the servers, and with consent starts each, as its client does, and verifies it;\n" +
			"one without a manifest is held against what it served when it was first met. The exit code is that of the worst.",
		example: "  mcp-integrity check\n" +
			"  mcp-integrity check --yes --trust trust.yaml --client cursor --format json",
		run: runCheck,
	},
	{
		use:   "tofu list|accept|block|unblock|forget [SERVER]",
		short: "See and decide about servers without a manifest, which are trusted on first use",
		long: "verify and check keep what a server without a manifest served when it was first met, and tell when it changes.\n" +
			"tofu list shows what is kept, and the words that moved; accept takes what you have seen (--pending); block refuses\n" +
			"a server, or one tool of it (--tool), whatever it serves; forget lets it be met for the first time again.",
		example: "  mcp-integrity tofu list\n" +
			"  mcp-integrity tofu accept 'node dist/index.js in /home/me/tools' --pending sha256:…\n" +
			"  mcp-integrity tofu block 'node dist/index.js in /home/me/tools' --tool runCommand",
		minArgs: 1, maxArgs: 2, run: runTOFU,
	},
	{
		use:     "extract [options] [-- SERVER ARG…]",
		short:   "Write what a server serves, byte for byte, as an interface snapshot",
		example: "  mcp-integrity extract --output server.interface.json -- node dist/index.js",
		run:     runExtract,
	},
	{
		use:   "diff OLD NEW",
		short: "Say what changed between two releases or snapshots, in words",
		long: "diff compares two interface snapshots, or the snapshots beside two manifests, and shows which words moved.\n" +
			"Invisible and bidirectional characters are made visible.",
		example: "  mcp-integrity diff old/mcp-integrity.interface.json new/mcp-integrity.interface.json",
		minArgs: 2, maxArgs: 2, run: runDiff,
	},
	{
		use:   "publish MANIFEST --to TARGET…",
		short: "Put a sealed release where it can be found",
		long: "publish puts a manifest, and the snapshot and provenance beside it, where users and machines look for them. It is\n" +
			"verified first. Publishing twice is harmless, and what a run before left half done is completed. A target that\n" +
			"fails does not undo the others; the report says what stands where.",
		example: "  mcp-integrity publish mcp-integrity.json --to github-release --to oci://ghcr.io/acme/tools:1.2.4\n" +
			"  mcp-integrity publish mcp-integrity.json --key publisher.pub.json --to well-known:public",
		minArgs: 1, maxArgs: 1, run: runPublish,
	},
	{
		use:   "attest MANIFEST --role ROLE --type TYPE",
		short: "Add a registry's, scanner's or auditor's attestation to a sealed manifest",
		long: "attest signs the manifest's payload, and a statement of what that signature means, beside the signatures that are\n" +
			"there; it changes none of them. Doing it again replaces your own word on the same question, and nobody else's.\n" +
			"A registry's attestation first does what it attests: the schema, the publisher's signature, and the namespace.\n" +
			"--from takes findings from a scanner's report, which must agree with what is attested.",
		example: "  mcp-integrity attest mcp-integrity.json --role registry --type namespace_verified --namespace io.github.acme --key registry-key.json\n" +
			"  mcp-integrity attest mcp-integrity.json --role scanner --type malware_scan_clean --from results.sarif --expires-in 30d --keyless\n" +
			"  mcp-integrity attest mcp-integrity.json --role auditor --type security_audit_passed --finding report=https://example.com/audit.pdf --key auditor-key.json",
		minArgs: 1, maxArgs: 1, run: runAttest,
	},
	{
		use:   "inspect FILE",
		short: "Print what a manifest, or a file beside one, says, unverified",
		long: "inspect checks no signature. It reads manifests, interface snapshots, Sigstore bundles and signed in-toto statements\n" +
			"such as verify --vsa writes. --extract writes one part in the form that other tools take: the payload's bytes,\n" +
			"the publisher's signature (DER for ES256), the in-toto statement, or a bundle (a DSSE envelope in padded base64).",
		example: "  mcp-integrity inspect mcp-integrity.json --extract payload --output payload.json",
		minArgs: 1, maxArgs: 1, run: runInspect,
	},
	{
		use:     "keygen",
		short:   "Make a signing key, or export the local one",
		example: "  mcp-integrity keygen --algorithm Ed25519 --key-id my-publisher-key-2026 --output ./signing-key.json",
		run:     runKeygen,
	},
	{
		use:   "jwks [KEY…]",
		short: "Print the public halves of keys as a JWKS document",
		long: "jwks prints one document of the keys that are named, and of those in --document. --retire marks a key that signs no\n" +
			"more; it stays for 90 days at least after the last manifest that it signed. --revocation takes a key out and leaves\n" +
			"the notice in its place: whoever reads the document refuses what that key signed, and does not forget.",
		example: "  mcp-integrity jwks signing-key.json --output mcp-integrity-keys.json\n" +
			"  mcp-integrity jwks acme-2027.json --document mcp-integrity-keys.json --retire acme-2026 --output mcp-integrity-keys.json\n" +
			"  mcp-integrity jwks --document mcp-integrity-keys.json --revocation revocation.json --output mcp-integrity-keys.json",
		maxArgs: maxKeys, run: runJWKS,
	},
	{
		use:   "revoke KEY",
		short: "Write a signed notice that a key is revoked",
		long: "revoke writes the notice of MIS §16.5 that KEY (its id, or a JWK file) is revoked, signed by that key itself where KEY\n" +
			"is its private half, or by another live key of yours. It has effect as soon as your key document carries it.",
		example: "  mcp-integrity revoke acme-2026.json --reason key_compromise\n" +
			"  mcp-integrity revoke acme-2026 --key acme-2027.json --replacement acme-2027 --output revocation.json",
		minArgs: 1, maxArgs: 1, run: runRevoke,
	},
	{
		use:     "init [options] [-- SERVER ARG…]",
		short:   "Write mcp-integrity.yaml from a live server",
		example: "  mcp-integrity init -- node dist/index.js",
		run:     runInit,
	},
	{
		use:   "doctor",
		short: "Say, before the build is spent, whether sealing here would end well",
		long: "doctor asks for the identity token that is only read, and for the front pages of the services that sign. It signs\n" +
			"nothing. Exit codes: 0 it would, 1 it would not, 3 something did not answer.",
		example: "  mcp-integrity doctor",
		run:     runDoctor,
	},
}
