// Opening an envelope: DSSE with base64url and JOSE signatures (§7, decisions 1 to 6), and the signed statement in
// details.statement that alone says who vouches for what, and when (decision 10).

import { createHash } from 'node:crypto';
import { ENVELOPE_TYPE, EXPIRED, fromBase64, INVALID, jcs, NO_KEY, pae, PARSE, Refused } from './bytes.mjs';
import { parseStrict } from './strictjson.mjs';
import { arrayOf, checkManifest, closed, expect, oneOf, string, time } from './schema.mjs';
import { verifies } from './keys.mjs';

const MAX_SIGNATURES = 100; // bounds the signature checks that one document can ask for
const STATEMENT_TYPE = 'application/vnd.in-toto+json';
const STATEMENT_V1 = 'https://in-toto.io/Statement/v1';
const ATTESTATION_V1 = 'https://mcp-integrity.org/attestation/v1';
const LABELS = ['role', 'attestation_type', 'timestamp', 'expires_at'];

const anyObject = expect('not an object', (v) => v !== null && typeof v === 'object' && !Array.isArray(v));
const role = oneOf('publisher', 'registry', 'scanner', 'auditor');

const ENVELOPE = closed({
  payloadType: oneOf(ENVELOPE_TYPE),
  payload: string,
  signatures: arrayOf(closed({ keyid: string, sig: string }, {
    role, attestation_type: string, timestamp: time, expires_at: time, details: anyObject,
  })),
});

const hex256 = expect('not a SHA-256', (v) => typeof v === 'string' && /^[0-9a-f]{64}$/.test(v));
const sha256Set = closed({ sha256: hex256 });

const INNER = closed({
  payloadType: oneOf(STATEMENT_TYPE),
  payload: string,
  signatures: (v, where) => {
    arrayOf(closed({ keyid: string, sig: string }))(v, where);
    if (v.length !== 1) throw new Error(`${where}: ${v.length} signatures, want 1`);
  },
});

const STATEMENT = closed({
  _type: oneOf(STATEMENT_V1),
  subject: (v, where) => {
    arrayOf(closed({ name: oneOf('mcp-integrity.json'), digest: sha256Set }))(v, where);
    if (v.length !== 1) throw new Error(`${where}: ${v.length} subjects, want 1`);
  },
  predicateType: oneOf(ATTESTATION_V1),
  predicate: closed(
    { role, attestation_type: string, timestamp: time },
    { expires_at: time, findings: () => {}, interface_snapshot: sha256Set, reroot: () => {} },
  ),
});

// parsed runs a reader of document bytes and gives whatever it throws the one name that §23 has for it.
function parsed(what, read) {
  try {
    return read();
  } catch (error) {
    if (error instanceof Refused) throw error;
    throw new Refused(PARSE, `${what}: ${error.message}`);
  }
}

// readEnvelope reads what stands around the payload, and no more: {payload bytes, signatures}. Nothing of it is verified.
export function readEnvelope(bytes) {
  return parsed('envelope', () => {
    const envelope = parseStrict(bytes);
    ENVELOPE(envelope, '');
    const { signatures } = envelope;
    if (signatures.length < 1 || signatures.length > MAX_SIGNATURES) throw new Error(`${signatures.length} signatures`);
    return { payload: fromBase64(envelope.payload), signatures };
  });
}

// readPayload reads bytes whose signature holds: a payload that was tampered with is a matter of its signature (§27.2).
export function readPayload(payload) {
  return parsed('payload', () => {
    const manifest = parseStrict(payload);
    if (!jcs(manifest).equals(payload)) throw new Error('not in its canonical form');
    checkManifest(manifest);
    return manifest;
  });
}

/** Opens the statement of one signature under the key of that signature. Throws Error where it does not hold. */
function readStatement(inner, signature, key, payload) {
  INNER(inner, '/details/statement');
  const [{ keyid, sig }] = inner.signatures;
  if (keyid !== signature.keyid) throw new Error(`the statement is by key ${JSON.stringify(keyid).slice(0, 100)}`);
  const bytes = fromBase64(inner.payload);
  if (!verifies(key, pae(STATEMENT_TYPE, bytes), fromBase64(sig))) throw new Error('the signature of the statement does not verify');
  const statement = parseStrict(bytes);
  STATEMENT(statement, '');
  const want = createHash('sha256').update(payload).digest('hex');
  const got = statement.subject[0].digest.sha256;
  if (got !== want) throw new Error(`the statement is about payload ${got}, this one is ${want}`);
  const { predicate } = statement;
  for (const label of LABELS) {
    if (signature[label] !== predicate[label]) throw new Error(`${label} is ${signature[label]}, signed is ${predicate[label]}`);
  }
  return predicate;
}

/** What the key of a signature signed beside it: the predicate, or null where there is no statement. Throws Refused. */
export function signedPredicate(signature, key, payload) {
  try {
    if (!verifies(key, pae(ENVELOPE_TYPE, payload), fromBase64(signature.sig))) throw new Error('the signature does not verify');
    const inner = signature.details?.statement;
    return inner === undefined ? null : readStatement(inner, signature, key, payload);
  } catch (error) {
    throw new Refused(INVALID, error.message);
  }
}

/**
 * Checks one signature at a time in milliseconds. Gives {keyid, role, attestation_type, bound, timestamp?, expires_at?,
 * interface_snapshot?}; throws Refused with the name of what is wrong.
 */
function checkSignature(signature, payload, keys, now) {
  const key = keys.get(signature.keyid);
  if (key === undefined) throw new Refused(NO_KEY, `no key ${JSON.stringify(signature.keyid).slice(0, 100)}`);
  const predicate = signedPredicate(signature, key, payload);
  if (predicate === null) return unbound(signature);
  if (predicate.expires_at !== undefined && Date.parse(predicate.expires_at) <= now) {
    throw new Refused(EXPIRED, `expired at ${predicate.expires_at}`);
  }
  return { keyid: signature.keyid, ...predicate, bound: true };
}

// An attestation without a statement counts as the publisher's "I signed this", without a time, and as nothing else.
function unbound(signature) {
  const role = signature.role ?? 'publisher';
  const type = signature.attestation_type ?? 'manifest_signed';
  if (role !== 'publisher' || type !== 'manifest_signed') throw new Refused(INVALID, `unbound ${role} ${type}`);
  return { keyid: signature.keyid, role, attestation_type: type, bound: false };
}

/**
 * Opens an envelope: every signature that names a known key must hold, and one of them must be the publisher's. Gives
 * {payload, manifest, attestations, skipped}; skipped counts signatures by keys that nobody gave us.
 */
export function open(bytes, keys, now) {
  const { payload, signatures } = readEnvelope(bytes);
  const attestations = [];
  let missing = null;
  for (const signature of signatures) {
    try {
      attestations.push(checkSignature(signature, payload, keys, now));
    } catch (error) {
      if (error.code !== NO_KEY) throw error;
      missing = error;
    }
  }
  if (!attestations.some((a) => a.role === 'publisher')) throw missing ?? new Refused(INVALID, 'no publisher attestation');
  return { payload, manifest: readPayload(payload), attestations, skipped: signatures.length - attestations.length };
}
