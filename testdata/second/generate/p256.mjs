// ES256 with RFC 6979's nonce, so that the vectors come out the same every time: node's own ECDSA draws a random one.
//
// For the generator and its test keys only. BigInt arithmetic is not constant-time: it would leak a real key.

import { createHash, createHmac } from 'node:crypto';

const P = 0xffffffff00000001000000000000000000000000ffffffffffffffffffffffffn;
export const N = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
const A = P - 3n;
const G = [
  0x6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296n,
  0x4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5n,
];

const mod = (a, m) => ((a % m) + m) % m;

function inverse(a, m) {
  let [low, high, x, y] = [mod(a, m), m, 1n, 0n];
  while (low > 1n) {
    const ratio = high / low;
    [low, high, x, y] = [high - ratio * low, low, y - ratio * x, x];
  }
  return mod(x, m);
}

function add(a, b) {
  if (a === null) return b;
  if (b === null) return a;
  if (a[0] === b[0] && mod(a[1] + b[1], P) === 0n) return null;
  const slope = a[0] === b[0] ? (3n * a[0] * a[0] + A) * inverse(2n * a[1], P) : (b[1] - a[1]) * inverse(b[0] - a[0], P);
  const x = mod(slope * slope - a[0] - b[0], P);
  return [x, mod(slope * (a[0] - x) - a[1], P)];
}

export function multiply(k, point = G) {
  let out = null;
  for (let addend = point; k > 0n; k >>= 1n, addend = add(addend, addend)) {
    if (k & 1n) out = add(out, addend);
  }
  return out;
}

export const toInt = (bytes) => BigInt(`0x${Buffer.from(bytes).toString('hex')}`);
export const to32 = (int) => Buffer.from(int.toString(16).padStart(64, '0'), 'hex');
const hmac = (key, ...parts) => createHmac('sha256', key).update(Buffer.concat(parts)).digest();

// RFC 6979 §3.2, for a hash as long as the group order.
function* nonces(d, hash) {
  const seed = Buffer.concat([to32(d), to32(mod(toInt(hash), N))]);
  let k = Buffer.alloc(32, 0);
  let v = Buffer.alloc(32, 1);
  for (const mark of [0, 1]) {
    k = hmac(k, v, Buffer.from([mark]), seed);
    v = hmac(k, v);
  }
  for (;;) {
    v = hmac(k, v);
    yield toInt(v);
    k = hmac(k, v, Buffer.from([0]));
    v = hmac(k, v);
  }
}

/** The 64 bytes r‖s of the ES256 signature of message under the private scalar d. */
export function signES256(d, message) {
  const hash = createHash('sha256').update(message).digest();
  for (const k of nonces(d, hash)) {
    if (k < 1n || k >= N) continue;
    const r = mod(multiply(k)[0], N);
    const s = mod(inverse(k, N) * (toInt(hash) + r * d), N);
    if (r !== 0n && s !== 0n) return Buffer.concat([to32(r), to32(s)]);
  }
}

/** The other signature that verifies under the same key: s replaced by the group's order minus s. */
export function flipS(sig) {
  return Buffer.concat([sig.subarray(0, 32), to32(N - toInt(sig.subarray(32)))]);
}
