// Builds the sealed releases that the vectors are made of: a valid one first, and one place in it to change.

import { createHash } from 'node:crypto';
import { ENVELOPE_TYPE, jcs, pae } from '../bytes.mjs';
import { composite, fingerprintBytes } from '../fingerprint.mjs';
import { publisher } from './testkeys.mjs';

export const ISSUED = '2026-03-01T12:00:00Z';
export const VERIFIED = '2026-03-02T12:00:00Z';
export const NAMESPACE = 'io.github.acme-test';
export const STATEMENT_TYPE = 'application/vnd.in-toto+json';

// The tool of the standard's own vector, §27.1, and one without description and annotations, both as a server may send them.
export const SEARCH = Buffer.from(`{"name":"searchFiles","description":"Search files in a directory by keyword.","inputSchema":${''
}{"type":"object","properties":{"query":{"type":"string","description":"Search keyword"},"max_results":{"type":"integer","default":10}},"required":["query"]},${''
}"annotations":{"title":"Search Files","readOnlyHint":true,"destructiveHint":false,"openWorldHint":false}}`);
export const WRITE = Buffer.from('{"inputSchema": {"type": "object", "properties": {"path": {"type": "string"}}},\n "name": "writeFile", "outputSchema": {"type": "object"}}');

/** A tool's bytes with changes: from a function of its parsed value. */
export function changed(tool, change) {
  const value = JSON.parse(tool);
  return Buffer.from(JSON.stringify(change(value) ?? value));
}

const SIDE_EFFECTS = {
  reads: ['filesystem'], writes: [], network_egress: false, executes_code: false, accesses_env_vars: false,
  spawns_processes: false, modifies_system_state: false, persists_data: false,
};

function sealedTool(bytes, algorithm) {
  return {
    name: JSON.parse(bytes).name,
    version: '1.2.4',
    interface: fingerprintBytes(bytes, algorithm),
    side_effects: { ...SIDE_EFFECTS },
    capabilities_required: [{ resource: 'filesystem', actions: ['read'], required: true }],
    provenance: { source_repo: 'https://github.com/acme-test/file-tools', commit: 'abc123def456789abc123def456789abc123def4' },
  };
}

/** A valid manifest of level 1; change may alter it in place or return another. */
export function manifest(change = () => {}, { tools = [SEARCH, WRITE], algorithm = 'sha256' } = {}) {
  const value = {
    seal_version: '1.0',
    server: { name: 'acme-file-tools', version: '1.2.4', publisher: { id: 'security@acme.example', namespace: NAMESPACE } },
    tools: tools.map((tool) => sealedTool(tool, algorithm)),
    issued_at: ISSUED,
  };
  return change(value) ?? value;
}

/** Makes a tool's composite follow from its parts again, after a change to them. */
export function recompose(tool, algorithm = 'sha256') {
  tool.interface.composite_digest = composite(algorithm, tool.interface);
}

export const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');
export const base64url = (bytes) => bytes.toString('base64url');

/** The predicate that a publisher signs. */
export function predicate(extra = {}) {
  return {
    role: 'publisher', attestation_type: 'manifest_signed', timestamp: ISSUED,
    interface_snapshot: { sha256: sha256(Buffer.from('the snapshot of these vectors')) }, ...extra,
  };
}

/** The in-toto statement about a payload. */
export function statement(payload, says) {
  return {
    _type: 'https://in-toto.io/Statement/v1',
    subject: [{ name: 'mcp-integrity.json', digest: { sha256: sha256(payload) } }],
    predicateType: 'https://mcp-integrity.org/attestation/v1',
    predicate: says,
  };
}

/** Signs bytes as a DSSE envelope with one signature. */
export function dsse(type, bytes, key, keyid = key.kid) {
  return { payloadType: type, payload: base64url(bytes), signatures: [{ keyid, sig: base64url(key.sign(pae(type, bytes))) }] };
}

/**
 * One entry of signatures[]: a bound attestation by key. Options: says (the predicate), about (the payload that the statement
 * names), change (of the statement before it is signed), inner (of the statement's envelope), bound: false for none.
 */
export function attestation(payload, key = publisher, { says = predicate(), about = payload, change = () => {}, inner = () => {}, bound = true } = {}) {
  const entry = { keyid: key.kid, sig: base64url(key.sign(pae(ENVELOPE_TYPE, payload))) };
  if (!bound) return entry;
  for (const label of ['role', 'attestation_type', 'timestamp', 'expires_at']) {
    if (says[label] !== undefined) entry[label] = says[label];
  }
  const value = statement(about, says);
  const signed = dsse(STATEMENT_TYPE, jcs(change(value) ?? value), key);
  entry.details = { statement: inner(signed) ?? signed };
  return entry;
}

/** A whole envelope value around payload bytes. */
export function envelope(payload, signatures) {
  return { payloadType: ENVELOPE_TYPE, payload: base64url(payload), signatures };
}

/** The valid envelope of the valid manifest, by key. */
export function sealed(value = manifest(), key = publisher, options = {}) {
  const payload = jcs(value);
  return envelope(payload, [attestation(payload, key, options)]);
}

export const json = (value) => Buffer.from(JSON.stringify(value));
