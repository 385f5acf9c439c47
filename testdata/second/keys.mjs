// Public keys and the two signature algorithms: Ed25519, and ES256 as JOSE writes it (r and s, 32 bytes each).

import { createHash, createPublicKey, verify } from 'node:crypto';
import { parseStrict } from './strictjson.mjs';

/** RFC 7638: the SHA-256, in base64url, of the required members in the order of their names. */
export function thumbprint(jwk) {
  const { crv, kty, x, y } = jwk;
  const required = kty === 'EC' ? { crv, kty, x, y } : { crv, kty, x };
  return createHash('sha256').update(JSON.stringify(required)).digest('base64url');
}

// The points of small order, by y, little-endian and without the sign bit, in every spelling: a signature under such a key
// holds for message after message and proves nothing.
const SMALL_ORDER = new Set([
  '0000000000000000000000000000000000000000000000000000000000000000', '0100000000000000000000000000000000000000000000000000000000000000',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05', 'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f', 'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
]);

function isSmallOrder(x) {
  const point = Buffer.from(x, 'base64url');
  point[31] &= 0x7f;
  return SMALL_ORDER.has(point.toString('hex'));
}

// The algorithm that a key is for, or null for a key that is none of ours: a key set may hold keys for other purposes.
function algorithmOf(jwk) {
  if (jwk.kty === 'OKP' && jwk.crv === 'Ed25519' && [undefined, 'EdDSA', 'Ed25519'].includes(jwk.alg)) return 'Ed25519';
  if (jwk.kty === 'EC' && jwk.crv === 'P-256' && [undefined, 'ES256'].includes(jwk.alg)) return 'ES256';
  return null;
}

/** Reads one JWK into {kid, algorithm, key}; null if it is for something else. A private key serves as its public half. */
export function readJWK(jwk) {
  const algorithm = algorithmOf(jwk);
  if (algorithm === null || (jwk.use !== undefined && jwk.use !== 'sig')) return null;
  const { kty, crv, x, y } = jwk;
  if (algorithm === 'Ed25519' && isSmallOrder(x)) throw new Error('a key of small order');
  const key = createPublicKey({ key: kty === 'EC' ? { kty, crv, x, y } : { kty, crv, x }, format: 'jwk' });
  return { kid: jwk.kid ?? thumbprint(jwk), algorithm, key };
}

/** Reads a JWKS value, or a single JWK, into a map from key id to key. */
export function readKeySet(value) {
  const keys = new Map();
  for (const jwk of value.keys ?? [value]) {
    const key = readJWK(jwk);
    if (key === null) continue;
    if (keys.has(key.kid)) throw new Error(`two keys with the id ${JSON.stringify(key.kid)}`);
    keys.set(key.kid, key);
  }
  return keys;
}

/** The same from the bytes of a file. */
export function parseKeySet(bytes) {
  return readKeySet(parseStrict(bytes));
}

/** Whether sig is a signature of message under a key of readJWK. Never throws on a malformed signature. */
export function verifies({ algorithm, key }, message, sig) {
  if (sig.length !== 64) return false; // both algorithms: a DER signature, for one, has another length or other bytes
  if (algorithm === 'Ed25519') return verify(null, message, key, sig);
  return verify('sha256', message, { key, dsaEncoding: 'ieee-p1363' }, sig);
}
