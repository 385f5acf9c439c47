// Bytes and digests: base64 as the standard's decision 5 has it, RFC 8785, digest strings, DSSE's encoding of what is signed.

import { createHash } from 'node:crypto';
import canonicalize from 'canonicalize';
import { parseStrict } from './strictjson.mjs';

/** A refusal that has a name of the standard's §23. */
export class Refused extends Error {
  constructor(code, message) {
    super(message);
    this.name = 'Refused';
    this.code = code;
  }
}

export const PARSE = 'MANIFEST_PARSE_ERROR';
export const VERSION = 'MANIFEST_VERSION_UNSUPPORTED';
export const INVALID = 'SIGNATURE_INVALID';
export const NO_KEY = 'SIGNATURE_KEY_NOT_FOUND';
export const EXPIRED = 'SIGNATURE_EXPIRED';

const ENVELOPE_TYPE = 'application/vnd.mcp-integrity.manifest+json';
export { ENVELOPE_TYPE };

/**
 * Decodes base64 in the standard or the URL alphabet, but one of them per string, with all of its padding or none, without
 * white space and without stray bits: one byte string has four spellings at most, and none of them hides data.
 */
export function fromBase64(text) {
  const body = text.replace(/={1,2}$/, '');
  if (body.length !== text.length && text.length % 4 !== 0) throw new Error('padding of the wrong length');
  if (!/^(?:[A-Za-z0-9+/]*|[A-Za-z0-9_-]*)$/.test(body)) throw new Error('not base64 in one alphabet');
  const bytes = Buffer.from(body, 'base64url'); // reads both alphabets
  if (bytes.toString('base64url') !== body.replaceAll('+', '-').replaceAll('/', '_')) throw new Error('stray bits or digits');
  return bytes;
}

/** RFC 8785's bytes of a value that parseStrict gave. */
export function jcs(value) {
  return Buffer.from(canonicalize(value), 'utf8');
}

/** Whether the bytes are a strict JSON document in its own canonical form. Throws JSONRefused where they are no such document. */
export function isCanonical(bytes) {
  return jcs(parseStrict(bytes)).equals(bytes);
}

/** A digest string, "sha256:…" or "sha512:…". */
export function digest(algorithm, bytes) {
  return `${algorithm}:${createHash(algorithm).update(bytes).digest('hex')}`;
}

/** Whether a value is a digest string of the standard: known algorithm, lower case, all of its digits. */
export function isDigest(value) {
  return typeof value === 'string' && /^(?:sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$/.test(value);
}

/** DSSE's pre-authentication encoding: what a signature of an envelope is computed over. */
export function pae(type, payload) {
  const head = `DSSEv1 ${Buffer.byteLength(type)} ${type} ${payload.length} `;
  return Buffer.concat([Buffer.from(head, 'utf8'), payload]);
}
