// Vectors for one signature under one key (§7.1, decision 6).

import { createHash } from 'node:crypto';
import { ENVELOPE_TYPE, jcs, pae } from '../bytes.mjs';
import { base64url, manifest } from './build.mjs';
import { flipS, N, to32, toInt } from './p256.mjs';
import { publisher, publisherES256, rfc6979, rfc8032, stranger } from './testkeys.mjs';

const L = (1n << 252n) + 27742317777372353535851937790883648493n; // the order of Ed25519's group

const message = pae(ENVELOPE_TYPE, jcs(manifest()));
const edwards = publisher.sign(message);
const ecdsa = publisherES256.sign(message);
const [r, s] = [ecdsa.subarray(0, 32), ecdsa.subarray(32)];

/** r‖s in the form that X.509 and OpenSSL use. */
export function der(sig) {
  const integer = (bytes) => {
    const trimmed = Buffer.from(bytes.toString('hex').replace(/^(?:00)+/, ''), 'hex');
    const body = trimmed[0] & 0x80 ? Buffer.concat([Buffer.from([0]), trimmed]) : trimmed;
    return Buffer.concat([Buffer.from([0x02, body.length]), body]);
  };
  const body = Buffer.concat([integer(sig.subarray(0, 32)), integer(sig.subarray(32))]);
  return Buffer.concat([Buffer.from([0x30, body.length]), body]);
}

export function flipped(bytes, at) {
  const out = Buffer.from(bytes);
  out[at] ^= 1;
  return out;
}

// S of an Ed25519 signature is little-endian; S+L verifies too where a verifier forgets to look.
function plusL(sig) {
  const S = toInt(Buffer.from(sig.subarray(32)).reverse()) + L;
  return Buffer.concat([sig.subarray(0, 32), to32(S).reverse()]);
}

const zero = Buffer.alloc(32);
const ONE = Buffer.from([1, ...Array(31).fill(0)]); // the neutral element of Ed25519's group

const GOOD = {
  'ed25519': ['Ed25519 over an envelope\'s PAE', publisher, message, edwards],
  'es256': ['ES256 over an envelope\'s PAE, r and s of 32 bytes each', publisherES256, message, ecdsa],
  'es256-other-s': ['the other s of the same signature: JOSE knows no low-s rule, both are accepted', publisherES256, message, flipS(ecdsa)],
  'ed25519-empty-message': ['RFC 8032, 7.1, test 1', rfc8032, Buffer.alloc(0), rfc8032.sign(Buffer.alloc(0))],
  'es256-rfc6979': ['RFC 6979, A.2.5, SHA-256, "sample"', rfc6979, Buffer.from('sample'), rfc6979.sign(Buffer.from('sample'))],
};

const BAD = {
  'ed25519-first-byte': ['R changed', publisher, message, flipped(edwards, 0)],
  'ed25519-last-byte': ['S changed', publisher, message, flipped(edwards, 63)],
  'ed25519-message': ['the message changed', publisher, flipped(message, message.length - 1), edwards],
  'ed25519-other-key': ['another key', stranger, message, edwards],
  'ed25519-s-plus-l': ['S not reduced: a second signature that nobody made', publisher, message, plusL(edwards)],
  'ed25519-short': ['63 bytes', publisher, message, edwards.subarray(0, 63)],
  'ed25519-long': ['65 bytes', publisher, message, Buffer.concat([edwards, Buffer.alloc(1)])],
  'ed25519-empty': ['no bytes', publisher, message, Buffer.alloc(0)],
  'ed25519-zeros': ['64 zeros', publisher, message, Buffer.alloc(64)],
  'ed25519-prehashed': ['a signature over the SHA-512 of the message', publisher, message, publisher.sign(createHash('sha512').update(message).digest())],
  'es256-r': ['r changed', publisherES256, message, flipped(ecdsa, 0)],
  'es256-s': ['s changed', publisherES256, message, flipped(ecdsa, 63)],
  'es256-message': ['the message changed', publisherES256, flipped(message, 0), ecdsa],
  'es256-der': ['the same numbers in DER', publisherES256, message, der(ecdsa)],
  'es256-swapped': ['s before r', publisherES256, message, Buffer.concat([s, r])],
  'es256-r-zero': ['r = 0', publisherES256, message, Buffer.concat([zero, s])],
  'es256-s-zero': ['s = 0', publisherES256, message, Buffer.concat([r, zero])],
  'es256-s-order': ['s = the order of the group', publisherES256, message, Buffer.concat([r, to32(N)])],
  'es256-r-order': ['r = the order of the group', publisherES256, message, Buffer.concat([to32(N), s])],
  'es256-short': ['63 bytes', publisherES256, message, ecdsa.subarray(0, 63)],
  'es256-long': ['65 bytes', publisherES256, message, Buffer.concat([Buffer.alloc(1), ecdsa])],
  'es256-empty': ['no bytes', publisherES256, message, Buffer.alloc(0)],
  'es256-double-hashed': ['a signature over the SHA-256 of the message', publisherES256, message, publisherES256.sign(createHash('sha256').update(message).digest())],
  'algorithm-by-signature': ['an Ed25519 signature under a P-256 key', publisherES256, message, edwards],
  'algorithm-by-key': ['an ES256 signature under an Ed25519 key', publisher, message, ecdsa],
};

// Keys that are to be refused: the signature would hold under the key that they claim to be, or no such key exists.
const { x, y } = publisherES256.jwk;
const BAD_KEYS = {
  'key-off-curve': ['a P-256 point that is not on the curve', { ...publisherES256.jwk, y: base64url(flipped(Buffer.from(y, 'base64url'), 31)) }, ecdsa],
  'key-point-short': ['a P-256 coordinate of 31 bytes', { ...publisherES256.jwk, x: base64url(Buffer.from(x, 'base64url').subarray(1)) }, ecdsa],
  'key-ed25519-short': ['an Ed25519 key of 31 bytes', { ...publisher.jwk, x: base64url(Buffer.from(publisher.jwk.x, 'base64url').subarray(1)) }, edwards],
  'key-small-order': ['a key of small order, under which this signature holds for every message', { ...publisher.jwk, x: base64url(ONE) }, Buffer.concat([ONE, zero])],
  'key-alg-rs256': ['an Ed25519 key that says it is for RS256', { ...publisher.jwk, alg: 'RS256' }, edwards],
  'key-alg-es384': ['a P-256 key that says it is for ES384', { ...publisherES256.jwk, alg: 'ES384' }, ecdsa],
  'key-curve-ed448': ['an Ed448 key: not one of the standard\'s algorithms', { ...publisher.jwk, crv: 'Ed448' }, edwards],
  'key-curve-secp256k1': ['another curve of the same size', { ...publisherES256.jwk, crv: 'secp256k1' }, ecdsa],
  'key-symmetric': ['a shared secret is no public key', { kty: 'oct', alg: 'HS256', kid: 'TEST-ONLY-secret', k: publisher.jwk.x }, edwards],
  'key-use-enc': ['a key for encryption', { ...publisher.jwk, use: 'enc' }, edwards],
};

const encoded = (key, bytes, sig) => ({ jwk: key, message_base64: bytes.toString('base64'), sig });

function* signature() {
  const mis = '§7.1, §7.4; decision 6';
  for (const [name, [description, key, bytes, sig]] of Object.entries(GOOD)) {
    yield [name, { description, mis, expect: 'valid', ...encoded(key.jwk, bytes, base64url(sig)) }];
  }
  const read = { 'ed25519-base64-padded': ['padded base64url is read', publisher, base64url(edwards) + '=='], 'es256-base64-standard': ['the standard alphabet is read', publisherES256, ecdsa.toString('base64')] };
  for (const [name, [description, key, sig]] of Object.entries(read)) {
    yield [name, { description, mis: 'decision 5', expect: 'valid', ...encoded(key.jwk, message, sig) }];
  }
  yield ['ed25519-alg-name', { description: 'a JWK whose alg is Ed25519 (RFC 9864) instead of EdDSA', mis: 'decision 6', expect: 'valid', ...encoded({ ...publisher.jwk, alg: 'Ed25519' }, message, base64url(edwards)) }];
  for (const [name, [description, key, bytes, sig]] of Object.entries(BAD)) {
    yield [`refused-${name}`, { description: `${description}: refused`, mis, expect: 'invalid', error: 'SIGNATURE_INVALID', ...encoded(key.jwk, bytes, base64url(sig)) }];
  }
  for (const [name, [description, key, sig]] of Object.entries(BAD_KEYS)) {
    yield [`refused-${name}`, { description: `${description}: refused`, mis, expect: 'invalid', ...encoded(key, message, base64url(sig)) }];
  }
}

export const kinds = { signature };
