// Writes thousands of damaged envelopes as vectors, each with this implementation's verdict, for another one to disagree with:
//
//   node mutants.mjs DIRECTORY
//
// They are vectors of the kind "envelope" without error names: what counts is that both accept the same documents and read the
// same payload in them. Three families: bytes changed, left out or put in; members of a valid envelope removed or replaced; and
// the same to members of a manifest that is then validly signed.

import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { jcs } from './bytes.mjs';
import { open } from './envelope.mjs';
import { attestation, envelope, json, manifest, sealed, VERIFIED } from './generate/build.mjs';
import { publisher, publisherES256 } from './generate/testkeys.mjs';
import { readKeySet } from './keys.mjs';

const jwks = { keys: [publisher.jwk, publisherES256.jwk] };
const TOOLS = { tools: [Buffer.from('{"name":"a","inputSchema":{}}')] };
const DIGEST = `sha256:${'0f'.repeat(32)}`;
const VALUES = [null, 'x', 0, 1, true, [], {}, [null], { a: 1 }, ['a'], 'publisher', '2026-03-01T12:00:00Z'];
const MORE = [
  ...VALUES, 3, 4, -1, 1.5, DIGEST, DIGEST.toUpperCase(), 'sha256:', 'https://b.example', '/a', 'a b', '2026-13-01T00:00:00Z',
  '2026-02-29T00:00:00Z', '2026-03-01T24:00:00Z', '2026-03-01T12:00:00', '2026-03-01T12:00:00+24:00', 'urn:x', 'é', '\u{1f600}', '\u0000',
];

// Every optional member is there, so that each can be removed and replaced.
const FULL = manifest((m) => {
  const [tool] = m.tools;
  m.expires_at = '2026-09-01T12:00:00Z';
  m.server.publisher.url = 'https://a.example';
  tool.artifact = { type: 'npm', identifier: 'a', version: '1', digest: DIGEST, download_url: 'https://a.example/x', digest_scope: 'package' };
  Object.assign(tool.provenance, {
    branch: 'main', build_system: 'b', build_workflow: 'w', builder_id: 'https://a.example', build_timestamp: '2026-02-20T14:30:00Z',
    slsa_level: 2, build_attestation_uri: 'https://a.example', sbom_uri: 'https://a.example', reproducible: true,
  });
  Object.assign(tool.side_effects, {
    network_egress: true, network_endpoints: ['*'], execution_context: 'native', env_vars_accessed: ['A'], human_readable_summary: 's',
  });
  tool.capabilities_required[0].scope = '*';
  const flags = { interface_changed: false, capabilities_changed: false, side_effects_changed: false };
  tool.lineage = { previous_version: '1', previous_manifest_digest: DIGEST, changes: [{ type: 'bugfix', description: 'd', ...flags }] };
}, TOOLS);

function* damagedBytes(bytes) {
  for (let at = 0; at < bytes.length; at++) {
    const [before, after] = [bytes.subarray(0, at), bytes.subarray(at)];
    for (const bit of [0x01, 0x20, 0x80]) yield [`bit ${bit} of byte ${at}`, Buffer.concat([before, Buffer.from([bytes[at] ^ bit]), after.subarray(1)])];
    yield [`byte ${at} left out`, Buffer.concat([before, after.subarray(1)])];
    yield [`blank put in before byte ${at}`, Buffer.concat([before, Buffer.from(' '), after])];
  }
}

function* paths(value, path = []) {
  if (value === null || typeof value !== 'object') return;
  for (const name of Object.keys(value)) {
    yield [...path, name];
    yield* paths(value[name], [...path, name]);
  }
}

// operated gives copies of a value in which one member is removed, renamed or replaced.
function* operated(value, replacements) {
  const change = (path, operation) => {
    const copy = structuredClone(value);
    operation(path.slice(0, -1).reduce((o, name) => o[name], copy), path.at(-1));
    return copy;
  };
  for (const path of paths(value)) {
    const remove = (parent, name) => (Array.isArray(parent) ? parent.splice(Number(name), 1) : delete parent[name]);
    yield [`${path.join('.')} removed`, change(path, remove)];
    yield [`${path.join('.')} in capitals`, change(path, (parent, name) => {
      const member = parent[name];
      remove(parent, name);
      parent[name.toUpperCase()] = member;
    })];
    for (const replacement of replacements) {
      yield [`${path.join('.')} = ${JSON.stringify(replacement)}`, change(path, (parent, name) => void (parent[name] = replacement))];
    }
  }
}

function signed(value) {
  const payload = jcs(value);
  return envelope(payload, [attestation(payload, publisher, { bound: false })]);
}

function* mutants() {
  const small = sealed(manifest(undefined, TOOLS));
  yield* damagedBytes(json(small));
  for (const [what, value] of operated(small, VALUES)) yield [`envelope: ${what}`, json(value)];
  for (const [what, value] of operated(FULL, MORE)) yield [`manifest: ${what}`, json(signed(value))];
}

function verdict(bytes) {
  try {
    const { payload, attestations } = open(bytes, readKeySet(jwks), Date.parse(VERIFIED));
    const { keyid, bound, timestamp = null } = attestations.find((a) => a.role === 'publisher');
    return { expect: 'valid', outputs: { payload_base64: payload.toString('base64'), publisher: { keyid, bound, timestamp } } };
  } catch {
    return { expect: 'invalid' };
  }
}

const directory = join(process.argv[2], 'envelope');
rmSync(directory, { recursive: true, force: true });
mkdirSync(directory, { recursive: true });
let count = 0;
for (const [description, bytes] of mutants()) {
  const vector = { kind: 'envelope', description, mis: '', jwks, verified_at: VERIFIED, input_base64: bytes.toString('base64'), ...verdict(bytes) };
  writeFileSync(join(directory, `${String(count++).padStart(6, '0')}.json`), JSON.stringify(vector));
}
console.log(`${count} vectors`);
