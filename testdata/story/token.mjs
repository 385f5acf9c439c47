// Makes a token of an MCP registry whose private key one has, as its own login would for the owner of a namespace:
//
//   node token.mjs SEED PATTERN      PATTERN such as io.github.acme/*
import { createPrivateKey, createPublicKey, sign } from 'node:crypto';

const [seed, pattern] = process.argv.slice(2);
// An Ed25519 private key in PKCS#8 is this prefix and its seed (RFC 8410 §7).
const der = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), Buffer.from(seed, 'hex')]);
const key = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
createPublicKey(key); // fails on a seed of another length

const now = Math.floor(Date.now() / 1000);
const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
const text = `${part({ alg: 'EdDSA', typ: 'JWT' })}.${part({
  iss: 'mcp-registry', iat: now, nbf: now, exp: now + 3600, auth_method: 'none', auth_method_sub: 'story',
  permissions: [{ action: 'publish', resource: pattern }],
})}`;
console.log(`${text}.${sign(null, Buffer.from(text), key).toString('base64url')}`);
