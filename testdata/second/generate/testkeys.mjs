// The test keys: derived from their names, published with their private halves, and good for nothing but these vectors.

import { createHash, createPrivateKey, createPublicKey, sign } from 'node:crypto';
import { thumbprint } from '../keys.mjs';
import { multiply, N, signES256, to32, toInt } from './p256.mjs';

const PKCS8_ED25519 = Buffer.from('302e020100300506032b657004220420', 'hex'); // what stands before the 32-byte seed

function ed25519(kid, seed) {
  const key = createPrivateKey({ key: Buffer.concat([PKCS8_ED25519, seed]), format: 'der', type: 'pkcs8' });
  const { x } = createPublicKey(key).export({ format: 'jwk' });
  const jwk = { kty: 'OKP', crv: 'Ed25519', alg: 'EdDSA', use: 'sig', kid, x };
  return finish(jwk, seed, (message) => sign(null, message, key));
}

function p256(kid, seed) {
  const d = (toInt(seed) % (N - 1n)) + 1n;
  const [x, y] = multiply(d).map((c) => to32(c).toString('base64url'));
  const jwk = { kty: 'EC', crv: 'P-256', alg: 'ES256', use: 'sig', kid, x, y };
  return finish(jwk, to32(d), (message) => signES256(d, message));
}

function finish(jwk, secret, signer) {
  const privateJWK = { ...jwk, d: secret.toString('base64url') };
  return { kid: jwk.kid, jwk, privateJWK, thumbprint: thumbprint(jwk), sign: signer };
}

const seedOf = (name) => createHash('sha256').update(`mcp-integrity test vectors: ${name}`).digest();

export const publisher = ed25519('TEST-ONLY-publisher-ed25519', seedOf('publisher-ed25519'));
export const publisherES256 = p256('TEST-ONLY-publisher-es256', seedOf('publisher-es256'));
export const stranger = ed25519('TEST-ONLY-stranger-ed25519', seedOf('stranger-ed25519'));
export const registry = ed25519('TEST-ONLY-registry-ed25519', seedOf('registry-ed25519'));

// Those of the other parties have no file of their own: the vectors that they sign hold their public halves.
export const scanner = ed25519('TEST-ONLY-scanner-ed25519', seedOf('scanner-ed25519'));
export const scannerES256 = p256('TEST-ONLY-scanner-es256', seedOf('scanner-es256'));
export const secondScanner = ed25519('TEST-ONLY-second-scanner-ed25519', seedOf('second-scanner-ed25519'));
export const thirdScanner = ed25519('TEST-ONLY-third-scanner-ed25519', seedOf('third-scanner-ed25519'));
export const auditor = ed25519('TEST-ONLY-auditor-ed25519', seedOf('auditor-ed25519'));

/** The same key under another key id. */
export const renamed = (key, kid) => ({ ...key, kid, jwk: { ...key.jwk, kid } });

/** File name to content of vectors/keys: the private key of each, and the one set of public keys. */
export function keyFiles() {
  const all = { 'publisher-ed25519': publisher, 'publisher-es256': publisherES256, 'stranger-ed25519': stranger, 'registry-ed25519': registry };
  const files = Object.entries(all).map(([name, key]) => [`${name}.test-private.json`, key.privateJWK]);
  return [...files, ['jwks.json', { keys: Object.values(all).map((key) => key.jwk) }]];
}

// A generator that signs wrongly would hand out wrong vectors: the two RFCs' own examples are checked at every run.
const RFC8032_SEED = Buffer.from('9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60', 'hex');
const RFC8032_SIG = 'e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b';
const RFC6979_D = 0xc9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721n;
const RFC6979_SIG = 'efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8';

export const rfc8032 = ed25519('RFC 8032, 7.1, test 1', RFC8032_SEED);
export const rfc6979 = p256('RFC 6979, A.2.5', to32(RFC6979_D - 1n));

function selfTest(got, want, what) {
  if (got.toString('hex') !== want) throw new Error(`the generator does not reproduce ${what}`);
}
selfTest(rfc8032.sign(Buffer.alloc(0)), RFC8032_SIG, 'RFC 8032, 7.1, test 1');
selfTest(rfc6979.sign(Buffer.from('sample')), RFC6979_SIG, 'RFC 6979, A.2.5');
