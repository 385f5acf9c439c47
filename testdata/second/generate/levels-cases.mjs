// Vectors for all four levels under a verifier's trust: §14, §15, decisions 10, 13, 15. The first group has, for every
// requirement of §15.2, a release that lacks just that.

import { attestation, envelope, json, manifest, SEARCH, sha256, VERIFIED, WRITE } from './build.mjs';
import { jcs } from '../bytes.mjs';
import { auditor, publisher, registry, renamed, scanner, scannerES256, secondScanner, stranger, thirdScanner } from './testkeys.mjs';

const NAMESPACE = 'namespace_verified';
const CLEAN = 'malware_scan_clean';
const VERIFIES = 'side_effects_verified';
const FOUND = 'side_effects_discrepancy_found';
const at = (minutes) => new Date(Date.parse('2026-03-01T12:00:00Z') + minutes * 60_000).toISOString().replace('.000', '');
const digest = (text) => `sha256:${sha256(Buffer.from(text))}`;

// full is a manifest that supports level 3; change takes something of its first tool away.
const full = (change = () => {}, tools = [SEARCH]) => manifest((m) => {
  for (const tool of m.tools) {
    Object.assign(tool.provenance, {
      build_system: 'github-actions', builder_id: 'https://github.com/actions/runner/github-hosted', build_timestamp: at(-10),
      slsa_level: 2, build_attestation_uri: 'https://github.com/acme-test/file-tools/attestations/1', sbom_uri: 'https://acme.example/sbom.json',
    });
    tool.artifact = { type: 'npm', identifier: '@acme-test/file-tools', version: '1.2.4', digest: digest('the artifact') };
    tool.lineage = {
      previous_version: '1.2.3', previous_manifest_digest: digest('the manifest before'),
      changes: [{ type: 'bugfix', description: 'Mends.', interface_changed: false, capabilities_changed: false, side_effects_changed: false }],
    };
  }
  change(m.tools[0], m);
}, { tools });

// says is one attestation: [key, role, type, minutes after the release, what else the statement says, options].
const says = (payload, [key, role, attestation_type, minutes, extra = {}, options = {}]) => attestation(payload, key, {
  says: { role, attestation_type, timestamp: at(minutes), ...extra }, ...options,
});

const PUBLISHER = [publisher, 'publisher', 'manifest_signed', 0];
const REGISTRY = [registry, 'registry', NAMESPACE, 10];
const SCANNER = [scanner, 'scanner', CLEAN, 20];
const AUDITOR = [auditor, 'auditor', 'code_review_passed', 20];
const PARTIES = [PUBLISHER, REGISTRY, SCANNER];

const entry = (holder, roles, keys, rest = {}) => ({ holder, roles, ...rest, jwks: { keys: keys.map((k) => k.jwk) } });
const ACME = entry('acme', ['publisher'], [publisher]);
const REG = entry('registry.example', ['registry'], [registry]);
const SCAN = entry('scan.example', ['scanner'], [scanner, scannerES256]);
const SECOND = entry('second.example', ['scanner'], [secondScanner]);
const THIRD = entry('third.example', ['scanner'], [thirdScanner]);
const AUDIT = entry('audit.example', ['auditor'], [auditor]);
const TRUST = [ACME, REG, SCAN, SECOND, THIRD, AUDIT];
const instead = (holder, changes) => TRUST.map((e) => (e.holder === holder ? { ...e, ...changes } : e));

const HOLDS = { interface: 'holds', artifact: 'holds', chain: 'holds', provenance: 'holds' };
const WORDS = { publisher: 'publisher manifest_signed acme', registry: `registry ${NAMESPACE} registry.example`, scanner: `scanner ${CLEAN} scan.example` };
const FOR = Object.values(WORDS);

// Each: description, level, what differs from the release that reaches level 3. sealed is the sealed level where it is another.
const without = (member) => (tool) => void delete tool.provenance[member];
const LACKS = {
  'nothing': ['nothing is lacking', 3, {}],
  'level-1-publisher': ['no publisher signs: nothing that others say is worth anything', null, { error: 'SIGNATURE_INVALID', signed: [REGISTRY, SCANNER] }],
  'level-1-composite-digest': ['no composite_digest', null, { error: 'MANIFEST_PARSE_ERROR', manifest: full((t) => void delete t.interface.composite_digest) }],
  'level-1-side-effects': ['no side_effects', null, { error: 'MANIFEST_PARSE_ERROR', manifest: full((t) => void delete t.side_effects) }],
  'level-1-capabilities': ['no capabilities_required', null, { error: 'MANIFEST_PARSE_ERROR', manifest: full((t) => void delete t.capabilities_required) }],
  'level-1-source-repo': ['no source_repo', 0, { manifest: full(without('source_repo')) }],
  'level-1-commit': ['no commit', 0, { manifest: full(without('commit')) }],
  'level-1-provenance': ['no provenance', 0, { manifest: full((t) => void delete t.provenance) }],
  'level-1-interface': ['no running server was compared', 0, { evidence: { interface: 'not_made' }, sealed: 3 }],
  'level-1-interface-match': ['the interface differs', 0, { evidence: { interface: 'broken' }, sealed: 3 }],
  'level-2-registry': ['no registry attests', 1, { signed: [PUBLISHER, SCANNER], for: [WORDS.publisher, WORDS.scanner] }],
  'level-2-registry-type': ['the registry attests schema_validated alone', 1, { signed: [PUBLISHER, [registry, 'registry', 'schema_validated', 10], SCANNER], for: [WORDS.publisher, 'registry schema_validated registry.example', WORDS.scanner] }],
  'level-2-artifact': ['no artifact', 1, { manifest: full((t) => void delete t.artifact) }],
  'level-2-artifact-digest': ['an artifact without digest', null, { error: 'MANIFEST_PARSE_ERROR', manifest: full((t) => void delete t.artifact.digest) }],
  'level-2-artifact-observed': ['no artifact was hashed', 1, { evidence: { artifact: 'not_made' }, sealed: 3 }],
  'level-2-artifact-match': ['the artifact differs', 1, { evidence: { artifact: 'broken' }, sealed: 3 }],
  'level-2-build-system': ['no build_system', 1, { manifest: full(without('build_system')) }],
  'level-2-builder-id': ['no builder_id', 1, { manifest: full(without('builder_id')) }],
  'level-2-build-timestamp': ['no build_timestamp', 1, { manifest: full(without('build_timestamp')) }],
  'level-2-lineage': ['no lineage, and it is not the first release', 1, { manifest: full((t) => void delete t.lineage), evidence: { not_first: true }, sealed: 3 }],
  'level-2-previous-version': ['no previous_version, and it is not the first release', 1, { manifest: full((t) => void delete t.lineage.previous_version), evidence: { not_first: true }, sealed: 3 }],
  'level-2-previous-manifest-digest': ['no previous_manifest_digest', 1, { manifest: full((t) => void delete t.lineage.previous_manifest_digest) }],
  'level-2-changes': ['no changes', 1, { manifest: full((t) => void delete t.lineage.changes) }],
  'level-2-changes-empty': ['an empty list of changes', 1, { manifest: full((t) => void (t.lineage.changes = [])) }],
  'level-2-chain': ['the chain was not followed', 1, { evidence: { chain: 'not_made' }, sealed: 3 }],
  'level-2-chain-valid': ['the chain is broken', 1, { evidence: { chain: 'broken' }, sealed: 3 }],
  'level-3-scanner': ['neither a scanner nor an auditor attests', 2, { signed: [PUBLISHER, REGISTRY], for: [WORDS.publisher, WORDS.registry] }],
  'level-3-build-attestation-uri': ['no build_attestation_uri', 2, { manifest: full(without('build_attestation_uri')) }],
  'level-3-slsa-level': ['no slsa_level', 2, { manifest: full(without('slsa_level')) }],
  'level-3-slsa-level-1': ['slsa_level 1', 2, { manifest: full((t) => void (t.provenance.slsa_level = 1)) }],
  'level-3-slsa-warranted': ['slsa_level 3, of which the provenance warrants 1', 2, { manifest: full((t) => void (t.provenance.slsa_level = 3)), evidence: { warranted_slsa_level: 1 }, sealed: 3 }],
  'level-3-provenance': ['the provenance was not checked', 2, { evidence: { provenance: 'not_made' }, sealed: 3 }],
  'level-3-provenance-valid': ['the provenance does not hold', 2, { evidence: { provenance: 'broken' }, sealed: 3 }],
  'recommended-sbom-uri': ['no sbom_uri, which is recommended', 3, { manifest: full(without('sbom_uri')) }],
};

const REACHES = {
  'first-release': ['a first release has no lineage', 3, { manifest: full((t) => void delete t.lineage), evidence: { chain: 'not_made' } }],
  'first-release-null': ['a first release whose previous_version is null', 3, { manifest: full((t) => void (t.lineage = { previous_version: null })), evidence: { chain: 'not_made' } }],
  'auditor': ['an auditor instead of a scanner', 3, { signed: [PUBLISHER, REGISTRY, AUDITOR], for: [WORDS.publisher, WORDS.registry, 'auditor code_review_passed audit.example'] }],
  'es256': ['a scanner with an ES256 key', 3, { signed: [PUBLISHER, REGISTRY, [scannerES256, 'scanner', CLEAN, 20]] }],
  'least-tool': ['two tools, one of them of level 1: a server is as good as its least tool', 1, { manifest: full((t) => void delete t.artifact, [SEARCH, WRITE]), tools: { searchFiles: 1, writeFile: 3 } }],
};

const quorum = { scanner: 2 };
const VOTES = {
  'one-of-two': ['2 scanners are asked for, 1 attests', 2, { quorum }],
  'two-of-three': ['2 scanners are asked for, 2 of 3 attest', 3, { quorum, signed: [...PARTIES, [thirdScanner, 'scanner', VERIFIES, 20]], for: [...FOR, `scanner ${VERIFIES} third.example`] }],
  'one-holder': ['one holder\'s two keys are one vote', 2, { quorum, signed: [...PARTIES, [scannerES256, 'scanner', VERIFIES, 20]], for: [...FOR, `scanner ${VERIFIES} scan.example`] }],
  'one-key': ['one key under two key ids and two holders is one vote', 2, {
    quorum, trust: [...TRUST, entry('twin.example', ['scanner'], [renamed(scanner, 'TEST-ONLY-twin')])],
    signed: [...PARTIES, [renamed(scanner, 'TEST-ONLY-twin'), 'scanner', VERIFIES, 20]], for: [...FOR, `scanner ${VERIFIES} twin.example`],
  }],
  'twice': ['one attestation twice is one vote', 2, { quorum, signed: [...PARTIES, SCANNER], for: [...FOR, WORDS.scanner] }],
  'auditor-beside': ['2 scanners or 1 auditor', 3, { quorum, signed: [...PARTIES, AUDITOR], for: [...FOR, 'auditor code_review_passed audit.example'] }],
  'lapsed': ['2 scanners, the word of one of whom is over', 2, { quorum, signed: [...PARTIES, [secondScanner, 'scanner', CLEAN, 20, { expires_at: at(60) }]] }],
};

const ALONE = { for: [WORDS.publisher, WORDS.registry] };
const UNCOUNTED = {
  'role': ['a scanner\'s key used as a registry', 1, { signed: [PUBLISHER, [secondScanner, 'registry', NAMESPACE, 10], SCANNER], for: [WORDS.publisher, WORDS.scanner] }],
  'publisher-as-scanner': ['the publisher\'s own key as a scanner', 2, { signed: [PUBLISHER, REGISTRY, [publisher, 'scanner', CLEAN, 20]], ...ALONE }],
  'publisher-and-scanner': ['a key that trust gives both roles counts as the publisher', 2, { trust: instead('acme', { roles: ['publisher', 'scanner'] }), signed: [PUBLISHER, REGISTRY, [publisher, 'scanner', CLEAN, 20]], ...ALONE }],
  'scanner-and-publisher': ['the same in another order', 2, { trust: instead('acme', { roles: ['publisher', 'scanner'] }), signed: [[publisher, 'scanner', CLEAN, 20], REGISTRY, PUBLISHER], ...ALONE }],
  'two-roles': ['a registry that is a scanner, too, counts once', 2, { trust: instead('registry.example', { roles: ['registry', 'scanner'] }), signed: [PUBLISHER, REGISTRY, [registry, 'scanner', CLEAN, 20]], ...ALONE }],
  'type': ['a type that trust does not list', 2, { trust: instead('scan.example', { types: [VERIFIES] }), ...ALONE }],
  'own-type': ['a type of one\'s own that trust does not list', 2, { signed: [PUBLISHER, REGISTRY, [scanner, 'scanner', 'com.example.fuzzed', 20]], ...ALONE }],
  'own-type-listed': ['a type of one\'s own that trust lists', 3, { trust: instead('scan.example', { types: ['com.example.fuzzed'] }), signed: [PUBLISHER, REGISTRY, [scanner, 'scanner', 'com.example.fuzzed', 20]], for: [...ALONE.for, 'scanner com.example.fuzzed scan.example'] }],
  'stranger': ['a scanner that trust does not list', 2, { signed: [PUBLISHER, REGISTRY, [stranger, 'scanner', CLEAN, 20]], ...ALONE }],
  'unbound': ['a scanner\'s signature without a statement, labelled by anyone', 2, { signed: [PUBLISHER, REGISTRY, [scanner, 'scanner', CLEAN, 20, {}, { bound: false }]], label: { role: 'scanner', attestation_type: CLEAN }, ...ALONE }],
  'expired': ['a scanner\'s word that is over', 2, { signed: [PUBLISHER, REGISTRY, [scanner, 'scanner', CLEAN, 20, { expires_at: VERIFIED }]], ...ALONE }],
  'registry-expired': ['a registry\'s word that is over', 1, { signed: [PUBLISHER, [registry, 'registry', NAMESPACE, 10, { expires_at: at(60) }], SCANNER], for: [WORDS.publisher, WORDS.scanner] }],
  'max-age': ['a word older than trust counts', 2, { trust: instead('scan.example', { max_age_seconds: 23 * 3600 }), ...ALONE }],
  'max-age-met': ['a word younger than that', 3, { trust: instead('scan.example', { max_age_seconds: 24 * 3600 }) }],
  'ahead': ['a word of a time to come', 2, { signed: [PUBLISHER, REGISTRY, [scanner, 'scanner', CLEAN, 24 * 60 + 6]], ...ALONE }],
};

const found = (key = scanner, minutes = 30, extra = {}) => [key, 'scanner', FOUND, minutes, extra];
const verifies = (key = scanner, minutes = 30) => [key, 'scanner', VERIFIES, minutes];
const BAD = `scanner ${FOUND} scan.example`;
const AGAINST = {
  'newer': ['a finding newer than the word for it', 2, { signed: [...PARTIES, found()], ...ALONE, against: [BAD] }],
  'older-other-question': ['a finding older than a word on another question', 2, { signed: [...PARTIES, found(scanner, 15)], against: [BAD] }],
  'taken-back': ['a finding that its holder took back', 3, { signed: [PUBLISHER, REGISTRY, found(), verifies(scanner, 40)], for: [...ALONE.for, `scanner ${VERIFIES} scan.example`] }],
  'same-time': ['a finding and the word for it at the same time', 2, { signed: [PUBLISHER, REGISTRY, found(), verifies()], ...ALONE, against: [BAD] }],
  'other-holder': ['a finding that another contradicts later', 2, { signed: [PUBLISHER, REGISTRY, found(), verifies(secondScanner, 40)], for: [...ALONE.for, `scanner ${VERIFIES} second.example`], against: [BAD] }],
  'order': ['the same in another order', 2, { signed: [found(), verifies(secondScanner, 40), REGISTRY, PUBLISHER], for: [...ALONE.for, `scanner ${VERIFIES} second.example`], against: [BAD] }],
  'lapsed': ['a finding that is over: no older word comes to life', 2, { signed: [...PARTIES, found(scanner, 30, { expires_at: at(60) })], ...ALONE }],
  'lapsed-and-newer': ['a finding that is over, and a newer word', 3, { signed: [PUBLISHER, REGISTRY, found(scanner, 30, { expires_at: at(60) }), verifies(scanner, 90)], for: [...ALONE.for, `scanner ${VERIFIES} scan.example`] }],
  'max-age': ['a finding does not go away by waiting', 2, { trust: instead('second.example', { max_age_seconds: 60 }), signed: [...PARTIES, found(secondScanner)], against: [`scanner ${FOUND} second.example`] }],
  'unlisted-type': ['a finding of a type that trust does not list', 2, { trust: instead('second.example', { types: [CLEAN] }), signed: [...PARTIES, [secondScanner, 'scanner', 'com.example.backdoor_found', 30]], against: ['scanner com.example.backdoor_found second.example'] }],
  'behind-dot': ['a finding whose last word stands behind a dot', 2, { signed: [...PARTIES, [secondScanner, 'scanner', 'com.example.scan.failed', 30]], against: ['scanner com.example.scan.failed second.example'] }],
  'behind-hyphen': ['a finding whose last word stands behind a hyphen', 2, { signed: [...PARTIES, [secondScanner, 'scanner', 'com.example.malware-found', 30]], against: ['scanner com.example.malware-found second.example'] }],
  'auditor': ['a finding of the standard by an auditor', 2, { signed: [...PARTIES, [auditor, 'auditor', FOUND, 30]], against: [`auditor ${FOUND} audit.example`] }],
  'stranger': ['a finding of somebody whom trust does not list', 3, { signed: [...PARTIES, found(stranger)] }],
  'second-role': ['a finding in a second role of one key', 1, { trust: instead('registry.example', { roles: ['registry', 'scanner'] }), signed: [...PARTIES, found(registry)], for: [WORDS.publisher, WORDS.scanner], against: [`scanner ${FOUND} registry.example`] }],
  'audit-failed': ['an audit that failed after it had passed', 2, { signed: [...PARTIES, [auditor, 'auditor', 'security_audit_passed', 20], [auditor, 'auditor', 'security_audit_failed', 30]], against: ['auditor security_audit_failed audit.example'] }],
};

// forged is the three parties' attestations with a change to the scanner's after it was signed.
const forged = (change, last = SCANNER) => ({ error: 'SIGNATURE_INVALID', signed: [PUBLISHER, REGISTRY, last], tamper: change });
const OTHER = jcs(manifest());
const FORGED = {
  'role': ['a scanner\'s word relabelled as an auditor\'s', null, forged((s) => void (s.role = 'auditor'))],
  'type': ['a finding relabelled as none', null, forged((s) => void (s.attestation_type = VERIFIES), found())],
  'timestamp': ['a word moved to another time', null, forged((s) => void (s.timestamp = at(50)))],
  'expiry': ['an expiry stripped', null, forged((s) => void delete s.expires_at, [scanner, 'scanner', CLEAN, 20, { expires_at: at(60) }])],
  'other-manifest': ['a word about another manifest', null, forged((s) => void Object.assign(s, says(OTHER, SCANNER)))],
  'other-statement': ['a statement about another manifest', null, forged((s) => void (s.details = says(OTHER, SCANNER).details))],
  'name': ['a stranger\'s key by the scanner\'s name', null, forged(() => {}, [renamed(stranger, scanner.kid), 'scanner', CLEAN, 20])],
};

function vector([description, level, changes]) {
  const { manifest: value = full(), signed = PARTIES, trust = TRUST, evidence = {}, sealed = level, error, tools, label, tamper, against = [] } = changes;
  const payload = jcs(value);
  const signatures = signed.map((s) => says(payload, s));
  if (label !== undefined) Object.assign(signatures.at(-1), label);
  if (tamper !== undefined) tamper(signatures.at(-1));
  const outputs = {
    trust_level: level, sealed_level: sealed, tool_levels: tools ?? { searchFiles: level },
    for: [...(changes.for ?? FOR)].sort(), against,
  };
  return {
    description, mis: '§14, §15; decisions 10, 13 and 15', expect: error === undefined ? 'valid' : 'invalid', error,
    verified_at: VERIFIED, trust, quorum: changes.quorum, evidence: { ...HOLDS, ...evidence },
    input_base64: json(envelope(payload, signatures)).toString('base64'),
    outputs: error === undefined ? outputs : undefined,
  };
}

function* levels() {
  const groups = { lacks: LACKS, reaches: REACHES, votes: VOTES, uncounted: UNCOUNTED, against: AGAINST, forged: FORGED };
  for (const [group, cases] of Object.entries(groups)) {
    for (const [name, c] of Object.entries(cases)) yield [`${group}-${name}`, vector(c)];
  }
}

export const kinds = { levels };
