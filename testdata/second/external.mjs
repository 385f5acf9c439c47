// Runs other people's test data through this implementation: RFC 8785's author's, and Project Wycheproof's for the two
// signature algorithms. Brought by `go mod download` from the pins in ../vectors/external.
//
// One line per failure; the last line is "N passed, M failed". Exit 1 if M is not 0.

import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { jcs } from './bytes.mjs';
import { readJWK, verifies } from './keys.mjs';
import { parseStrict } from './strictjson.mjs';

const CANONICALIZATION = 'github.com/cyberphone/json-canonicalization';
const WYCHEPROOF = 'github.com/c2sp/wycheproof';
const tally = { passed: 0, failed: 0 };

function count(ok, what) {
  tally[ok ? 'passed' : 'failed']++;
  if (!ok) console.log(what);
}

// directories maps each pinned module to where it lies: a stream of JSON objects, one behind the other.
function directories() {
  const cwd = fileURLToPath(new URL('../vectors/external/', import.meta.url));
  const stream = execFileSync('go', ['mod', 'download', '-json'], { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
  const modules = JSON.parse(`[${stream.trim().replaceAll(/\}\s*\{/g, '},{')}]`);
  return new Map(modules.map(({ Path, Dir }) => [Path, Dir]));
}

function runCanonicalization(root) {
  const [input, output] = ['input', 'output'].map((name) => join(root, 'testdata', name));
  for (const file of readdirSync(input)) {
    const got = jcs(parseStrict(readFileSync(join(input, file))));
    count(got.equals(readFileSync(join(output, file))), `${CANONICALIZATION} ${file}: got ${got}`);
  }
}

// jwkOf makes a JWK of Wycheproof's raw key: 32 bytes for Ed25519, 04‖x‖y for P-256.
function jwkOf({ pk, uncompressed }) {
  const text = (hex) => Buffer.from(hex, 'hex').toString('base64url');
  if (pk !== undefined) return { kty: 'OKP', crv: 'Ed25519', x: text(pk) };
  return { kty: 'EC', crv: 'P-256', x: text(uncompressed.slice(2, 66)), y: text(uncompressed.slice(66)) };
}

function runWycheproof(root, file) {
  const { testGroups } = JSON.parse(readFileSync(join(root, 'testvectors_v1', file), 'utf8'));
  for (const group of testGroups) {
    const key = readJWK(jwkOf(group.publicKey));
    for (const { tcId, comment, msg, sig, result } of group.tests) {
      const holds = verifies(key, Buffer.from(msg, 'hex'), Buffer.from(sig, 'hex'));
      count(holds === (result === 'valid'), `${WYCHEPROOF} ${file} ${tcId} (${comment}): ${holds}, want ${result}`);
    }
  }
}

const found = directories();
runCanonicalization(found.get(CANONICALIZATION));
runWycheproof(found.get(WYCHEPROOF), 'ed25519_test.json');
runWycheproof(found.get(WYCHEPROOF), 'ecdsa_secp256r1_sha256_p1363_test.json');
console.log(`${tally.passed} passed, ${tally.failed} failed`);
process.exitCode = tally.failed === 0 && tally.passed > 400 ? 0 : 1;
