// Runs the test vectors through this implementation:
//
//   node vectors.mjs [DIRECTORY]            by default ../vectors
//
// One line per vector that fails, with what was got and wanted; the last line is "N passed, M failed". Exit 1 if M is not 0.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isDeepStrictEqual } from 'node:util';
import { composite, fingerprintBytes } from './fingerprint.mjs';
import { fromBase64, isCanonical, jcs, pae, Refused } from './bytes.mjs';
import { levelsOf } from './levels.mjs';
import { checkManifest } from './schema.mjs';
import { open } from './envelope.mjs';
import { readJWK, readKeySet, verifies } from './keys.mjs';
import { parseStrict } from './strictjson.mjs';
import { verifySeal } from './verify.mjs';

// inputBytes reads either form of a vector's bytes: base64, or a rule for documents too large to store.
function inputBytes({ input_base64, input_parts }) {
  if (input_parts === undefined) return Buffer.from(input_base64, 'base64');
  return Buffer.from(input_parts.map(({ text, times }) => text.repeat(times)).join(''), 'utf8');
}

// Each kind: a function of the vector that gives its outputs, or throws where the input is to be refused.
const KINDS = {
  json: (v) => void parseStrict(inputBytes(v)),
  canonicalization: (v) => ({ canonical_base64: jcs(parseStrict(inputBytes(v))).toString('base64') }),
  canonical: (v) => {
    if (!isCanonical(inputBytes(v))) throw new Error('not canonical');
  },
  base64: (v) => ({ bytes_base64: fromBase64(v.input).toString('base64') }),
  pae: (v) => ({ pae_base64: pae(v.payload_type, Buffer.from(v.payload_base64, 'base64')).toString('base64') }),
  fingerprint: (v) => fingerprintBytes(inputBytes(v), v.algorithm),
  composite: (v) => ({ composite_digest: composite(v.algorithm, v.input) }),
  schema: (v) => checkManifest(parseStrict(Buffer.from(JSON.stringify(v.input)))),
  signature: (v) => {
    const message = Buffer.from(v.message_base64, 'base64');
    if (!verifies(readJWK(v.jwk), message, fromBase64(v.sig))) throw new Refused('SIGNATURE_INVALID', 'does not verify');
  },
  envelope: (v) => {
    const { payload, attestations } = open(inputBytes(v), readKeySet(v.jwks), Date.parse(v.verified_at));
    const publisher = attestations.find((a) => a.role === 'publisher');
    return {
      payload_base64: payload.toString('base64'),
      publisher: { keyid: publisher.keyid, bound: publisher.bound, timestamp: publisher.timestamp ?? null },
    };
  },
  level: (v) => verifySeal({
    ...v, envelope: inputBytes(v), keys: readKeySet(v.jwks), tools: v.tools_base64.map((t) => Buffer.from(t, 'base64')),
  }),
  levels: (v) => levelsOf({ ...v, envelope: inputBytes(v) }),
};

// names compares error names: INTERFACE_MISMATCH is the family of the codes that name a component and may stand beside them.
function sameNames(got, want) {
  const set = (names) => {
    const exact = names.filter((n) => n !== 'INTERFACE_MISMATCH' || !names.some((o) => /^INTERFACE_.*_CHANGED$/.test(o)));
    return [...new Set(exact)].sort();
  };
  return isDeepStrictEqual(set(got), set(want));
}

function checkLevel(vector, got) {
  const { errors, advisories, ...rest } = vector.outputs;
  if (got.outcome !== vector.expect) return `outcome ${got.outcome}, want ${vector.expect}: ${JSON.stringify(got)}`;
  if (!sameNames(got.errors, errors)) return `errors ${got.errors}, want ${errors}`;
  const silent = advisories.filter((a) => !got.advisories.includes(a));
  if (silent.length > 0) return `advisories ${got.advisories}, want ${advisories}`;
  for (const [name, want] of Object.entries(rest)) {
    if (!isDeepStrictEqual(got[name], want)) return `${name} ${JSON.stringify(got[name])}, want ${JSON.stringify(want)}`;
  }
  return null;
}

/** Runs one vector. Gives null, or what was wrong. */
function run(kind, vector) {
  let got;
  try {
    got = KINDS[kind](vector);
  } catch (error) {
    if (vector.expect !== 'invalid') return `refused: ${error.message}`;
    const names = [vector.error ?? []].flat();
    if (names.length > 0 && !names.includes(error.code)) return `refused with ${error.code} (${error.message}), want ${names}`;
    return null;
  }
  if (kind === 'level') return checkLevel(vector, got);
  if (vector.expect === 'invalid') return `accepted: ${JSON.stringify(got)}`;
  const want = vector.outputs;
  if (want !== undefined && !isDeepStrictEqual({ ...got }, want)) return `got ${JSON.stringify(got)}, want ${JSON.stringify(want)}`;
  return null;
}

const root = process.argv[2] ?? fileURLToPath(new URL('../vectors/', import.meta.url));
const tally = { passed: 0, failed: 0 };
for (const kind of Object.keys(KINDS)) {
  for (const file of readdirSync(join(root, kind)).sort()) {
    const wrong = run(kind, JSON.parse(readFileSync(join(root, kind, file), 'utf8')));
    tally[wrong === null ? 'passed' : 'failed']++;
    if (wrong !== null) console.log(`${kind}/${file}: ${wrong.slice(0, 1000)}`);
  }
}
console.log(`${tally.passed} passed, ${tally.failed} failed`);
process.exitCode = tally.failed === 0 && tally.passed > 0 ? 0 : 1;
