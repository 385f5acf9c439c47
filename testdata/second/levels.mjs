// All four levels (§15): what the attestations of several parties come to under a verifier's trust (decision 10), and what
// each level asks of a tool. What a file cannot hold, such as a running server, comes in as evidence.

import { EXPIRED, INVALID, NO_KEY, Refused } from './bytes.mjs';
import { readEnvelope, readPayload, signedPredicate } from './envelope.mjs';
import { readJWK, thumbprint } from './keys.mjs';

const CLOCK_SKEW = 5 * 60; // seconds that an attestation may be dated ahead

// The types of §14.4 by which a role speaks for a release.
const POSITIVE = {
  publisher: ['manifest_signed'],
  registry: ['namespace_verified', 'schema_validated'],
  scanner: ['no_prompt_injection_detected', 'side_effects_verified', 'malware_scan_clean'],
  auditor: ['code_review_passed', 'security_audit_passed'],
};

// The order in which a key that signs in several roles is given one of them.
const ROLES = ['publisher', 'registry', 'scanner', 'auditor'];

const lastWord = (type) => type.slice(type.lastIndexOf('.') + 1);
const speaksAgainst = (type) => /[_.-](?:found|detected|failed|rejected|revoked)$/.test(type) && !/^no[_-]/.test(lastWord(type));

// answers lists the types that take back a word against the release.
function answers(type) {
  const behind = type.slice(0, type.lastIndexOf('.') + 1);
  const all = [`${behind}no_${lastWord(type)}`, `${behind}no-${lastWord(type)}`];
  const found = /^(.*[_.-])discrepancy[_-]found$/.exec(type);
  if (found !== null) all.push(`${found[1]}verified`);
  const failed = /^(.*[_.-])failed$/.exec(type);
  if (failed !== null) all.push(`${failed[1]}passed`);
  return all;
}

// keysOf maps a key id to its key and to the entry of trust that lists it.
function keysOf(trust) {
  const all = new Map();
  for (const entry of trust) {
    for (const jwk of entry.jwks.keys) {
      const key = readJWK(jwk);
      all.set(key.kid, { entry, key, thumbprint: thumbprint(jwk) });
    }
  }
  return all;
}

// said reads one signature into {role, type, holder, thumbprint, time, state}: counts, lapsed or nothing.
function said(signature, payload, known, now) {
  const { entry, key, thumbprint: by } = known;
  const predicate = signedPredicate(signature, key, payload);
  const word = {
    role: predicate?.role ?? signature.role ?? 'publisher', type: predicate?.attestation_type ?? signature.attestation_type ?? 'manifest_signed',
    holder: entry.holder, thumbprint: by, time: predicate === null ? null : Date.parse(predicate.timestamp), state: 'counts',
  };
  const publisher = word.role === 'publisher';
  const against = speaksAgainst(word.type);
  if (predicate === null && !(publisher && word.type === 'manifest_signed')) return { ...word, state: 'nothing' };
  if (!entry.roles.includes(word.role)) return { ...word, state: 'nothing' };
  if (!publisher && !against && !(entry.types ?? POSITIVE[word.role]).includes(word.type)) return { ...word, state: 'nothing' };
  const expired = predicate?.expires_at !== undefined && Date.parse(predicate.expires_at) <= now;
  const age = word.time === null ? Infinity : (now - word.time) / 1000;
  const old = entry.max_age_seconds !== undefined && age > entry.max_age_seconds;
  const ahead = age < -CLOCK_SKEW;
  if (expired || (!against && (old || ahead))) {
    if (publisher) throw new Refused(EXPIRED, 'the publisher\'s attestation is over');
    return { ...word, state: 'lapsed' };
  }
  return word;
}

/** Reads every signature under the trust. Gives the words that count and those that lapsed. Throws Refused. */
function readWords(payload, signatures, trust, now) {
  const keys = keysOf(trust);
  const roles = new Map(); // the one role in which a key speaks for a release
  const words = [];
  let missing = null;
  for (const signature of signatures) {
    const known = keys.get(signature.keyid);
    if (known === undefined) {
      missing = new Refused(NO_KEY, 'a key that nobody gave us');
      continue;
    }
    const word = said(signature, payload, known, now);
    if (word.state === 'nothing') continue;
    words.push(word);
  }
  const speaksFor = (word) => word.state === 'counts' && !speaksAgainst(word.type);
  for (const role of ROLES) {
    for (const word of words.filter((w) => w.role === role && speaksFor(w))) {
      if (!roles.has(word.thumbprint)) roles.set(word.thumbprint, role);
      if (roles.get(word.thumbprint) !== role) word.state = 'nothing';
    }
  }
  const publisher = words.some((w) => w.role === 'publisher' && w.type === 'manifest_signed' && w.state === 'counts');
  if (!publisher) throw missing ?? new Refused(INVALID, 'no publisher');
  return { words: words.filter((w) => w.state === 'counts'), lapsed: words.filter((w) => w.state === 'lapsed') };
}

const takesBack = (later, word) => later.holder === word.holder && answers(word.type).includes(later.type)
  && later.time !== null && word.time !== null && later.time > word.time;

// weigh splits the words into those for the release and those against it that nobody took back (decision 10d).
function weigh(words, lapsed) {
  const others = words.filter((w) => w.role !== 'publisher');
  const against = others.filter((w) => speaksAgainst(w.type) && !others.some((o) => takesBack(o, w)));
  const bad = [...others, ...lapsed].filter((w) => speaksAgainst(w.type));
  const silenced = (word) => bad.some((b) => b.holder === word.holder && (answers(b.type).includes(word.type)
    ? !takesBack(word, b)
    : word.time === null || b.time === null || word.time <= b.time));
  return { inFavour: words.filter((w) => w.role === 'publisher' || (!speaksAgainst(w.type) && !silenced(w))), against };
}

// votes counts who speaks for the release in a role: one for each holder, and one for each key.
function votes(inFavour, role, type) {
  const taken = new Set();
  let n = 0;
  for (const w of inFavour.filter((word) => word.role === role && (type === undefined || word.type === type))) {
    if (!taken.has(`holder ${w.holder}`) && !taken.has(`key ${w.thumbprint}`)) n++;
    taken.add(`holder ${w.holder}`).add(`key ${w.thumbprint}`);
  }
  return n;
}

const CHECKED = { interface: 'holds', artifact: 'holds', chain: 'holds', provenance: 'holds' };

// levelOf is §15.2, read from the bottom.
function levelOf(tool, standing, quorum, evidence) {
  const { provenance: p = {}, artifact, lineage: l = {} } = tool;
  const enough = (role, type) => votes(standing.inFavour, role, type) >= Math.max(quorum[role] ?? 1, 1);
  const one = enough('publisher', 'manifest_signed') && Boolean(p.source_repo) && Boolean(p.commit) && evidence.interface === 'holds';
  const later = (l.previous_version ?? null) !== null || evidence.not_first === true;
  const chained = !later || ((l.previous_version ?? null) !== null && Boolean(l.previous_manifest_digest) && (l.changes ?? []).length > 0 && evidence.chain === 'holds');
  const two = enough('registry', 'namespace_verified') && artifact !== undefined && evidence.artifact === 'holds'
    && Boolean(p.build_system) && Boolean(p.builder_id) && p.build_timestamp !== undefined && chained;
  const slsa = Math.min(p.slsa_level ?? 0, evidence.warranted_slsa_level ?? 3);
  const three = (enough('scanner') || enough('auditor')) && standing.against.length === 0
    && Boolean(p.build_attestation_uri) && slsa >= 2 && evidence.provenance === 'holds';
  if (!one) return 0;
  if (!two) return 1;
  return three ? 3 : 2;
}

const named = (words) => words.map((w) => `${w.role} ${w.type} ${w.holder}`).sort();

/**
 * Evaluates. The input is {envelope: bytes, trust: [{holder, roles, types?, max_age_seconds?, jwks}], quorum: {role: n},
 * evidence: {interface, artifact, chain, provenance: "holds"|"broken"|"not_made", not_first?, warranted_slsa_level?},
 * verified_at}; the result {trust_level, sealed_level, tool_levels, for, against}. Throws Refused.
 */
export function levelsOf({ envelope, trust, quorum = {}, evidence, verified_at }) {
  const { payload, signatures } = readEnvelope(envelope);
  const { words, lapsed } = readWords(payload, signatures, trust, Date.parse(verified_at));
  const { tools } = readPayload(payload);
  const standing = weigh(words, lapsed);
  const levels = tools.map((tool) => levelOf(tool, standing, quorum, evidence));
  const sealed = tools.map((tool) => levelOf(tool, standing, quorum, CHECKED));
  return {
    trust_level: Math.min(...levels), sealed_level: Math.min(...sealed),
    tool_levels: Object.fromEntries(tools.map((tool, i) => [tool.name, levels[i]])),
    for: named(standing.inFavour), against: named(standing.against),
  };
}
