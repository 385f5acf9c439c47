// Vectors for whole envelopes under a key set: §7.4, §26.2, decisions 1 to 6 and 10.

import { ENVELOPE_TYPE, jcs, pae } from '../bytes.mjs';
import { attestation, base64url, dsse, envelope, ISSUED, json, manifest, predicate, sealed, sha256, statement, STATEMENT_TYPE, VERIFIED } from './build.mjs';
import { der, flipped } from './signature-cases.mjs';
import { flipS } from './p256.mjs';
import { publisher, publisherES256, stranger } from './testkeys.mjs';

const PARSE = 'MANIFEST_PARSE_ERROR';
const INVALID = 'SIGNATURE_INVALID';
const NO_KEY = 'SIGNATURE_KEY_NOT_FOUND';
const ANY = null; // §23 has no name for it
const EITHER = [PARSE, INVALID]; // malformed inside one signature: both readings stop it

const MANIFEST = manifest();
const PAYLOAD = jcs(MANIFEST);
const KEYS = [publisher.jwk, publisherES256.jwk];
const standard = (text) => Buffer.from(text, 'base64url').toString('base64');
const replace = (bytes, from, to) => Buffer.from(bytes.toString('utf8').replace(from, () => to), 'utf8');

// of gives a valid envelope's value after a change in place.
function of(change, options = {}, key = publisher) {
  const value = sealed(MANIFEST, key, options);
  return change(value, value.signatures[0]) ?? value;
}
const raw = (payload) => envelope(payload, [attestation(payload)]); // validly signed, whatever the payload is
const signed = (change) => raw(jcs(manifest(change)));
const text = (from, to) => replace(json(of(() => {})), from, to);
const fillers = (n) => Array.from({ length: n }, (_, i) => ({ keyid: `nobody-${i}`, sig: base64url(Buffer.alloc(64, i)) }));

const out = (key, bound = true) => ({ payload_base64: PAYLOAD.toString('base64'), publisher: { keyid: key.kid, bound, timestamp: bound ? ISSUED : null } });
const padded = (s) => s + '='.repeat((4 - (s.length % 4)) % 4);
const highS = of((e, s) => void (s.sig = base64url(flipS(Buffer.from(s.sig, 'base64url')))), {}, publisherES256);
const noKid = ({ kid, ...jwk }) => jwk;
const byThumbprint = { ...publisher, kid: publisher.thumbprint };

const GOOD = {
  'ed25519': ['Ed25519, with its signed statement', sealed(MANIFEST), out(publisher)],
  'es256': ['ES256, with its signed statement', sealed(MANIFEST, publisherES256), out(publisherES256)],
  'es256-other-s': ['both values of s are accepted', highS, out(publisherES256)],
  'white-space': ['an envelope may be laid out: only the payload has one form', Buffer.from(JSON.stringify(sealed(MANIFEST), null, 2) + '\n'), out(publisher)],
  'member-order': ['an envelope\'s members in any order', of((e) => ({ signatures: e.signatures, payloadType: e.payloadType, payload: e.payload })), out(publisher)],
  'base64-padded': ['padded base64url', of((e, s) => { e.payload = padded(e.payload); s.sig = padded(s.sig); }), out(publisher)],
  'base64-standard': ['the standard alphabet, padded', of((e, s) => { e.payload = standard(e.payload); s.sig = standard(s.sig); }), out(publisher)],
  'base64-standard-unpadded': ['the standard alphabet, not padded', of((e) => void (e.payload = standard(e.payload).replace(/=+$/, ''))), out(publisher)],
  'base64-statement-padded': ['a statement in padded base64', of((e, { details: { statement: d } }) => { d.payload = padded(standard(d.payload)); d.signatures[0].sig = padded(d.signatures[0].sig); }), out(publisher)],
  'unbound': ['no statement: counts as the publisher\'s manifest_signed', of(() => {}, { bound: false }), out(publisher, false)],
  'unbound-labels': ['no statement, but labels: the same, and the time is nobody\'s word', of((e, s) => void Object.assign(s, { role: 'publisher', attestation_type: 'manifest_signed', timestamp: '2020-01-01T00:00:00Z' }), { bound: false }), out(publisher, false)],
  'details-beside': ['details may hold more than the statement', of((e, s) => void (s.details.tool = 'x')), out(publisher)],
  'not-yet-expired': ['an attestation before its end', of(() => {}, { says: predicate({ expires_at: '2026-03-03T00:00:00Z' }) }), out(publisher)],
  'two-publisher-keys': ['the publisher\'s two keys', envelope(PAYLOAD, [attestation(PAYLOAD), attestation(PAYLOAD, publisherES256)]), out(publisher)],
  'unknown-key-beside': ['a signature by a key that nobody gave us, beside a valid one', envelope(PAYLOAD, [attestation(PAYLOAD, stranger), attestation(PAYLOAD)]), out(publisher)],
  'signatures-100': ['100 signatures, the bound', envelope(PAYLOAD, [...fillers(99), attestation(PAYLOAD)]), out(publisher)],
  'key-by-thumbprint': ['a key without kid goes by its RFC 7638 thumbprint', sealed(MANIFEST, byThumbprint), out(byThumbprint), [noKid(publisher.jwk)]],
  'key-alg-ed25519': ['a JWK whose alg is Ed25519', sealed(MANIFEST), out(publisher), [{ ...publisher.jwk, alg: 'Ed25519' }]],
  'key-set-with-others': ['a key set may hold keys that are none of ours', sealed(MANIFEST), out(publisher), [{ kty: 'RSA', kid: 'other', n: 'u1SU1LfVLPHCozMxH2Mo4lgOEePzNm0tRgeLezV6ffAt0gunVTLw7onLRnrq0', e: 'AQAB' }, { kty: 'OKP', crv: 'X25519', kid: 'ecdh', x: publisher.jwk.x }, publisher.jwk]],
};

const MALFORMED = {
  'empty-file': ['nothing', Buffer.alloc(0)],
  'not-json': ['text', Buffer.from('seal')],
  'top-null': ['null', Buffer.from('null')],
  'top-array': ['an array', json([sealed(MANIFEST)])],
  'bom': ['a byte order mark', Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), json(sealed(MANIFEST))])],
  'trailing-text': ['text behind the envelope', Buffer.concat([json(sealed(MANIFEST)), Buffer.from('{}')])],
  'truncated': ['the last byte missing', json(sealed(MANIFEST)).subarray(0, -1)],
  'duplicate-payload': ['the payload twice', text('"payload":', '"payload":"e30","payload":')],
  'duplicate-payload-escaped': ['the payload twice, once spelled with an escape', text('"payload":', String.raw`"p\u0061yload":"e30","payload":`)],
  'duplicate-signatures': ['signatures twice', text('"signatures":', '"signatures":[],"signatures":')],
  'duplicate-sig': ['a signature\'s sig twice', text('"sig":', '"sig":"AAAA","sig":')],
  'duplicate-in-details': ['a member of details twice', text('"details":{', '"details":{"a":1,"a":1,')],
  'invalid-utf8': ['invalid UTF-8 in details', Buffer.from(json(of((e, s) => void (s.details.a = '@@'))).toString('latin1').replace('@@', '\u00ff'), 'latin1')],
  'lone-surrogate': ['a lone surrogate in details', text('"details":{', String.raw`"details":{"a":"\ud800",`)],
  'number-1e400': ['1e400 in details', text('"details":{', '"details":{"a":1e400,')],
  'payload-type-absent': ['no payloadType', of((e) => void delete e.payloadType)],
  'payload-type-other': ['another payloadType', of((e) => void (e.payloadType = 'application/vnd.in-toto+json'))],
  'payload-type-case': ['the payloadType in capitals', of((e) => void (e.payloadType = e.payloadType.toUpperCase()))],
  'payload-type-parameter': ['a payloadType with a parameter', of((e) => void (e.payloadType += '; charset=utf-8'))],
  'payload-type-signed': ['another payloadType, validly signed', dsse('application/json', PAYLOAD, publisher)],
  'payload-absent': ['no payload', of((e) => void delete e.payload)],
  'payload-null': ['a null payload', of((e) => void (e.payload = null))],
  'payload-object': ['the manifest itself as payload', of((e) => void (e.payload = MANIFEST))],
  'payload-empty': ['an empty payload', raw(Buffer.alloc(0))],
  'member-unknown': ['a member that nobody knows', of((e) => void (e.note = 'x'))],
  'member-case': ['Payload is not payload', of(({ payload, ...e }) => ({ ...e, Payload: payload }))],
  'signature-member-unknown': ['a member of a signature that nobody knows', of((e, s) => void (s.note = 'x'))],
  'signatures-absent': ['no signatures', of((e) => void delete e.signatures)],
  'signatures-empty': ['no signature', of((e) => void (e.signatures = []))],
  'signatures-object': ['signatures as an object', of((e, s) => void (e.signatures = s))],
  'signatures-101': ['101 signatures', envelope(PAYLOAD, [...fillers(100), attestation(PAYLOAD)])],
  'signature-null': ['a signature that is null', of((e) => void e.signatures.push(null))],
  'keyid-absent': ['no keyid', of((e, s) => void delete s.keyid)],
  'keyid-number': ['a keyid that is a number', of((e, s) => void (s.keyid = 1))],
  'sig-absent': ['no sig', of((e, s) => void delete s.sig)],
  'sig-null': ['a null sig', of((e, s) => void (s.sig = null))],
  'role-unknown': ['an unknown role', of((e, s) => void (s.role = 'owner'))],
  'timestamp-malformed': ['a timestamp that is none', of((e, s) => void (s.timestamp = 'now'))],
  'details-string': ['details as a string', of((e, s) => void (s.details = 'x'))],
  'payload-mixed-alphabets': ['a payload in both alphabets', of((e) => void (e.payload = `${e.payload.slice(0, 8)}-_+/${e.payload.slice(12)}`))],
  'payload-white-space': ['a line break in the payload', of((e) => void (e.payload = `${e.payload.slice(0, 64)}\n${e.payload.slice(64)}`))],
  'payload-stray-bits': ['bits behind the payload\'s last byte', strayBits()],
  'payload-padding': ['padding of the wrong length', of((e) => void (e.payload += '==='))],
  'payload-not-json': ['a payload that is no JSON, validly signed', raw(Buffer.from('seal'))],
  'payload-array': ['a payload that is an array, validly signed', raw(Buffer.from('[]'))],
  'payload-laid-out': ['a payload with white space, validly signed', raw(Buffer.from(JSON.stringify(MANIFEST, null, 2)))],
  'payload-newline': ['a payload with a line feed at its end, validly signed', raw(Buffer.concat([PAYLOAD, Buffer.from('\n')]))],
  'payload-order': ['a payload with members out of order, validly signed', raw(json(MANIFEST))],
  'payload-escape': ['a payload with an escape that is not needed, validly signed', raw(replace(PAYLOAD, '"tools"', String.raw`"\u0074ools"`))],
  'payload-number-form': ['a payload with 2.0 for 2, validly signed', raw(replace(jcs(manifest((m) => void (m.tools[0].provenance.slsa_level = 2))), '"slsa_level":2', '"slsa_level":2.0'))],
  'payload-duplicate': ['a payload with a duplicate member, validly signed', raw(replace(PAYLOAD, '"seal_version":"1.0"', '"seal_version":"1.0","seal_version":"1.0"'))],
  'payload-bom': ['a payload with a byte order mark, validly signed', raw(Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), PAYLOAD]))],
  'payload-invalid-utf8': ['a payload with invalid UTF-8, validly signed', raw(Buffer.from(PAYLOAD.toString('latin1').replace('acme-file-tools', 'acme\u00ff'), 'latin1'))],
  'payload-attestations': ['a payload with attestations, validly signed (decision 2)', signed((m) => void (m.attestations = [{ role: 'publisher' }]))],
  'payload-schema': ['a payload without tools, validly signed', signed((m) => void delete m.tools)],
  'payload-composite': ['a composite that does not follow from its parts, validly signed', signed((m) => void (m.tools[0].interface.composite_digest = `sha256:${'0f'.repeat(32)}`))],
};

function strayBits() {
  let value = MANIFEST;
  while (jcs(value).length % 3 === 0) value = manifest((m) => void (m.server.name += 'x'));
  const e = sealed(value);
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  e.payload = e.payload.slice(0, -1) + alphabet[alphabet.indexOf(e.payload.at(-1)) + 1]; // valid text leaves these bits 0
  return e;
}

const other = jcs(manifest((m) => void (m.server.version = '1.2.5')));
const badStatement = (change) => of(() => {}, { change });
const inner = (change) => of(() => {}, { inner: change });

function byStranger(keyid) {
  return inner(() => dsse(STATEMENT_TYPE, jcs(statement(PAYLOAD, predicate())), stranger, keyid));
}

function swappedSignatures() {
  return of((e, s) => {
    const mine = s.details.statement.signatures[0];
    [s.sig, mine.sig] = [mine.sig, s.sig];
  });
}

function withoutPAE(bytes) {
  return of((e, s) => void (s.sig = base64url(publisher.sign(bytes))), { bound: false });
}

const labelled = (label, value, extra) => of((e, s) => void (value === undefined ? delete s[label] : (s[label] = value)), { says: predicate(extra) });

const BROKEN = {
  'sig-changed': ['one bit of the signature changed', of((e, s) => void (s.sig = base64url(flipped(Buffer.from(s.sig, 'base64url'), 10))))],
  'es256-sig-changed': ['one bit of the signature changed', of((e, s) => void (s.sig = base64url(flipped(Buffer.from(s.sig, 'base64url'), 10))), {}, publisherES256)],
  'sig-empty': ['an empty signature', of((e, s) => void (s.sig = '')), EITHER],
  'sig-mixed-alphabets': ['a signature in both alphabets', of((e, s) => void (s.sig = `-_+/${s.sig.slice(4)}`)), EITHER],
  'sig-white-space': ['a blank behind the signature', of((e, s) => void (s.sig += ' ')), EITHER],
  'es256-der': ['an ES256 signature in DER', of((e, s) => void (s.sig = base64url(der(Buffer.from(s.sig, 'base64url')))), {}, publisherES256)],
  'payload-changed': ['another canonical, well-formed payload under the same signature', of((e) => void (e.payload = base64url(other)))],
  'payload-no-json': ['a bit of the payload changed so that it is no JSON: the signature is what is wrong (§27.2)', of((e) => void (e.payload = base64url(flipped(PAYLOAD, 0))))],
  'payload-not-canonical': ['a blank added to the payload: the signature is what is wrong', of((e) => void (e.payload = base64url(Buffer.concat([PAYLOAD, Buffer.from(' ')]))))],
  'payload-truncated': ['the payload cut short: the signature is what is wrong', of((e) => void (e.payload = base64url(PAYLOAD.subarray(0, -1))))],
  'payload-version': ['the payload\'s version changed: the signature is what is wrong', of((e) => void (e.payload = base64url(replace(PAYLOAD, '"seal_version":"1.0"', '"seal_version":"2.0"'))))],
  'without-pae': ['a signature over the bare payload instead of its PAE', withoutPAE(PAYLOAD)],
  'over-base64': ['a signature over the payload\'s base64 text', withoutPAE(pae(ENVELOPE_TYPE, Buffer.from(base64url(PAYLOAD))))],
  'pae-other-type': ['a signature over the PAE of another type', withoutPAE(pae(STATEMENT_TYPE, PAYLOAD))],
  'sig-and-statement-swapped': ['the signatures of payload and statement exchanged', swappedSignatures()],
  'key-other-same-id': ['the key set has another key under that id', sealed(MANIFEST), INVALID, [{ ...stranger.jwk, kid: publisher.kid }]],
  'key-other-algorithm': ['the key set has a key of the other algorithm under that id', sealed(MANIFEST), INVALID, [{ ...publisherES256.jwk, kid: publisher.kid }]],
  'broken-beside-valid': ['a broken signature by a known key, beside a valid one: what is wrong is wrong', of((e) => void e.signatures.push({ ...attestation(PAYLOAD, publisherES256), sig: base64url(Buffer.alloc(64, 1)) }))],
  'label-role': ['the role label says another role than the statement', labelled('role', 'registry')],
  'label-type': ['the type label says another type', labelled('attestation_type', 'schema_validated')],
  'label-timestamp': ['the timestamp label says another time', labelled('timestamp', '2026-03-01T12:00:01Z')],
  'label-expiry-later': ['the end put off', labelled('expires_at', '2027-01-01T00:00:00Z', { expires_at: '2026-03-03T00:00:00Z' })],
  'label-expiry-added': ['an end that was not signed', labelled('expires_at', '2027-01-01T00:00:00Z')],
  'label-expiry-stripped': ['the end removed from an attestation that has expired', labelled('expires_at', undefined, { expires_at: '2026-03-01T13:00:00Z' }), [INVALID, 'SIGNATURE_EXPIRED']],
  'statement-role': ['a statement in another role than its label', badStatement((s) => void (s.predicate = { ...s.predicate, role: 'auditor' }))],
  'statement-other-payload': ['a statement about another payload', of(() => {}, { about: other })],
  'statement-other-key': ['a statement by another key of the key set', byStranger(stranger.kid), INVALID, [...KEYS, stranger.jwk]],
  'statement-other-key-same-id': ['a statement by another key under this key\'s id', byStranger(publisher.kid)],
  'statement-sig-changed': ['one bit of the statement\'s signature changed', inner((d) => void (d.signatures[0].sig = base64url(flipped(Buffer.from(d.signatures[0].sig, 'base64url'), 5))))],
  'statement-payload-changed': ['the statement changed after it was signed', inner((d) => void (d.payload = base64url(jcs(statement(PAYLOAD, predicate({ timestamp: VERIFIED }))))))],
  'statement-unsigned': ['a statement without a signature', inner((d) => void (d.signatures = []))],
  'statement-payload-type': ['a statement\'s envelope of another payloadType', inner((d) => void (d.payloadType = ENVELOPE_TYPE))],
  'statement-not-json': ['a statement that is no JSON, validly signed', inner(() => dsse(STATEMENT_TYPE, Buffer.from('seal'), publisher))],
  'statement-duplicate': ['a statement with a duplicate member, validly signed', inner(() => dsse(STATEMENT_TYPE, replace(jcs(statement(PAYLOAD, predicate())), '"role":', '"role":"publisher","role":'), publisher))],
  'statement-type': ['another _type', badStatement((s) => void (s._type = 'https://in-toto.io/Statement/v0.1'))],
  'statement-predicate-type': ['another predicateType', badStatement((s) => void (s.predicateType = 'https://slsa.dev/provenance/v1'))],
  'statement-snapshot': ['an interface snapshot whose digest is none', badStatement((s) => void (s.predicate.interface_snapshot.sha256 += '0'))],
  'statement-snapshot-upper-case': ['an interface snapshot\'s digest in upper case', badStatement((s) => void (s.predicate.interface_snapshot.sha256 = 'AB'.repeat(32)))],
  'statement-keyid': ['a statement by the right key under another id', inner((d) => void (d.signatures[0].keyid = publisherES256.kid))],
  'statement-two-signatures': ['a statement signed twice', inner((d) => void d.signatures.push({ ...d.signatures[0] }))],
  'statement-member-unknown': ['a member beside the predicate that nobody knows', badStatement((s) => void (s.approved = true))],
  'statement-subject-none': ['no subject', badStatement((s) => void (s.subject = []))],
  'statement-subject-two': ['two subjects', badStatement((s) => void s.subject.push({ name: 'mcp-integrity.json', digest: { sha256: sha256(other) } }))],
  'statement-subject-name': ['a subject of another name', badStatement((s) => void (s.subject[0].name = 'manifest.json'))],
  'statement-subject-digest': ['a subject without SHA-256', badStatement((s) => void (s.subject[0].digest = { sha512: '0f'.repeat(64) }))],
  'statement-subject-upper-case': ['a subject\'s digest in upper case', badStatement((s) => void (s.subject[0].digest.sha256 = s.subject[0].digest.sha256.toUpperCase()))],
  'statement-predicate-absent': ['no predicate', badStatement((s) => void delete s.predicate)],
  'statement-predicate-role-absent': ['a predicate without a role', badStatement((s) => void (s.predicate = { attestation_type: 'manifest_signed', timestamp: ISSUED }))],
  'statement-predicate-unknown': ['a predicate member that nobody knows', badStatement((s) => void (s.predicate = { ...s.predicate, approved: true }))],
  'statement-string': ['a statement that is a string', of((e, s) => void (s.details.statement = 'x')), EITHER],
  'statement-null': ['a statement that is null', of((e, s) => void (s.details.statement = null)), EITHER],
  'unbound-other-role': ['no statement, and the role of a registry: no publisher is left', of((e, s) => void Object.assign(s, { role: 'registry', attestation_type: 'namespace_verified' }), { bound: false }), ANY],
  'unbound-other-type': ['no statement, and another type than manifest_signed', of((e, s) => void Object.assign(s, { role: 'publisher', attestation_type: 'code_review_passed' }), { bound: false }), ANY],
};

const later = of(() => {}, { says: predicate({ expires_at: '2026-03-02T11:59:59Z' }) });

const OTHERS = {
  'expired': ['an attestation that ended a second before it was verified', later, 'SIGNATURE_EXPIRED'],
  'keyid-other': ['another keyid', of((e, s) => { s.keyid = 'other'; s.details.statement.signatures[0].keyid = 'other'; }), NO_KEY],
  'keyid-case': ['a keyid in another case', of((e, s) => { s.keyid = s.keyid.toLowerCase(); s.details.statement.signatures[0].keyid = s.keyid; }), NO_KEY],
  'keyid-empty': ['an empty keyid', of((e, s) => { s.keyid = ''; s.details.statement.signatures[0].keyid = ''; }), [NO_KEY, PARSE]],
  'stranger': ['a valid signature by a key that nobody gave us', sealed(MANIFEST, stranger), NO_KEY],
  'key-in-manifest': ['a stranger\'s key in details is no key (§16.1)', of((e, s) => void (s.details.jwk = stranger.jwk), {}, stranger), NO_KEY],
  'key-set-empty': ['an empty key set', sealed(MANIFEST), NO_KEY, []],
  'version-2.0': ['a later version, validly signed', signed((m) => void (m.seal_version = '2.0')), 'MANIFEST_VERSION_UNSUPPORTED'],
  'version-1.1': ['a later version, validly signed', signed((m) => void (m.seal_version = '1.1')), 'MANIFEST_VERSION_UNSUPPORTED'],
};

const input = (value) => ({ input_base64: (Buffer.isBuffer(value) ? value : json(value)).toString('base64') });
const given = (keys = KEYS) => ({ jwks: { keys }, verified_at: VERIFIED });

function* envelopes() {
  for (const [name, [description, value, outputs, keys]] of Object.entries(GOOD)) {
    yield [name, { description, mis: '§7.4, §26.2; decisions 1 to 6 and 10', expect: 'valid', ...given(keys), ...input(value), outputs }];
  }
  const refused = (description, error, mis) => ({ description: `${description}: refused`, mis, expect: 'invalid', ...(error === ANY ? {} : { error }) });
  for (const [name, [description, value]] of Object.entries(MALFORMED)) {
    yield [`malformed-${name}`, { ...refused(description, PARSE, '§19.2 step 2, §26; decisions 2, 3 and 5'), ...given(), ...input(value) }];
  }
  for (const [name, [description, value, error = INVALID, keys]] of Object.entries(BROKEN)) {
    yield [`broken-${name}`, { ...refused(description, error, '§19.2 step 3; decisions 1, 6 and 10'), ...given(keys), ...input(value) }];
  }
  for (const [name, [description, value, error, keys]] of Object.entries(OTHERS)) {
    yield [`refused-${name}`, { ...refused(description, error, '§19.2, §23'), ...given(keys), ...input(value) }];
  }
  const [head, tail] = json(of((e, s) => void (s.details.deep = '@'))).toString('utf8').split('"@"');
  const parts = [{ text: head, times: 1 }, { text: '[', times: 100000 }, { text: ']', times: 100000 }, { text: tail, times: 1 }];
  yield ['malformed-depth-100000', { ...refused('100,000 arrays in details', PARSE, 'decision 3; this project\'s bound'), ...given(), input_parts: parts }];
}

export const kinds = { envelope: envelopes };
