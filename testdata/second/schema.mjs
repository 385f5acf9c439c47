// The shape of a manifest's payload, §8 and §26.1 of the standard, and what its prose adds to that schema.
//
// Every check is a function of (value, where) that throws; "where" is a JSON pointer for the message.

import { isDigest, PARSE, Refused, VERSION } from './bytes.mjs';
import { COMPONENTS, composite } from './fingerprint.mjs';

function fail(where, message) {
  throw new Refused(PARSE, `${where || '/'}: ${message}`);
}

const expect = (message, ok) => (v, where) => {
  if (!ok(v)) fail(where, message);
};

const string = expect('not a string', (v) => typeof v === 'string');
const boolean = expect('not a boolean', (v) => typeof v === 'boolean');
const digest = expect('not a digest', isDigest);
const time = expect('not an RFC 3339 time', isTime);
const uri = expect('not an absolute URI', isURI);
const oneOf = (...values) => expect(`not one of ${values.join(', ')}`, (v) => values.includes(v));
const nullOr = (check) => (v, where) => v === null || check(v, where);

const arrayOf = (check) => (v, where) => {
  if (!Array.isArray(v)) fail(where, 'not an array');
  v.forEach((element, i) => check(element, `${where}/${i}`));
};

// object has the members that it must have, others that it may have, and, as §26.1's schema is open, others still.
const object = (required, optional = {}, rule = () => {}, unknown = () => {}) => (v, where) => {
  if (v === null || typeof v !== 'object' || Array.isArray(v)) fail(where, 'not an object');
  for (const name of Object.keys(required)) {
    if (!Object.hasOwn(v, name)) fail(where, `member ${name} is missing`);
  }
  for (const [name, member] of Object.entries(v)) {
    const check = Object.hasOwn(required, name) ? required[name] : Object.hasOwn(optional, name) ? optional[name] : unknown;
    check(member, `${where}/${name}`);
  }
  rule(v, where);
};

const refuse = (v, where) => fail(where, 'no such member is known');

// closed is an object without other members: outside the payload nothing is signed, so nothing may be smuggled along.
const closed = (required, optional) => object(required, optional, () => {}, refuse);

/** Whether a value is an RFC 3339 time that the calendar knows. */
export function isTime(v) {
  if (typeof v !== 'string') return false;
  const m = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.\d+)?(?:Z|[+-](\d\d):(\d\d))$/.exec(v);
  if (m === null) return false;
  const [year, month, day, hour, minute, second, zoneHour, zoneMinute] = m.slice(1).map((d) => Number(d ?? 0));
  const days = new Date(Date.UTC(year, month, 0)).getUTCDate();
  return month >= 1 && month <= 12 && day >= 1 && day <= days && hour < 24 && minute < 60 && second < 60 && zoneHour < 24 && zoneMinute < 60;
}

// RFC 3986, appendix A: scheme, authority (with an IP literal in brackets, or none), path, query, fragment.
const CHARACTER = String.raw`(?:[A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2})`;
const AUTHORITY = String.raw`//(?:${CHARACTER}*|(?:${CHARACTER}*@)?\[[0-9A-Fa-fv:.]+\](?::[0-9]*)?)(?![^/?#])`;
const URI = new RegExp(`^[A-Za-z][A-Za-z0-9+.-]*:(?:${AUTHORITY})?(?:${CHARACTER}|/)*(?:\\?(?:${CHARACTER}|[/?])*)?(?:#(?:${CHARACTER}|[/?])*)?$`);

function isURI(v) {
  return typeof v === 'string' && URI.test(v);
}

function consistent(v, where) {
  const digests = [...COMPONENTS, 'composite'].map((c) => v[`${c}_digest`]).filter((d) => d !== undefined);
  const algorithms = new Set(digests.map((d) => d.split(':')[0]));
  if (algorithms.size !== 1) fail(where, 'digests of two algorithms');
  if (composite([...algorithms][0], v) !== v.composite_digest) fail(where, 'composite_digest does not follow from its parts');
}

function endpoints(v, where) {
  if (v.network_egress && v.network_endpoints === undefined) fail(where, 'network_egress without network_endpoints');
}

function distinctNames(v, where) {
  const seen = new Set();
  for (const tool of v.tools) {
    if (tool.name === '') fail(where, 'a tool with an empty name');
    if (seen.has(tool.name)) fail(where, `two tools called ${JSON.stringify(tool.name).slice(0, 100)}`);
    seen.add(tool.name);
  }
}

const INTERFACE = object(
  { description_digest: digest, input_schema_digest: digest, composite_digest: digest },
  { annotations_digest: digest, output_schema_digest: digest },
  consistent,
);

const ARTIFACT = object(
  { type: oneOf('npm', 'pypi', 'crate', 'wasm', 'binary', 'docker', 'mcpb', 'source'), identifier: string, version: string, digest },
  { download_url: uri, digest_scope: oneOf('package', 'entrypoint', 'bundle') },
);

const SIDE_EFFECTS = object(
  {
    reads: arrayOf(string), writes: arrayOf(string), network_egress: boolean, executes_code: boolean, accesses_env_vars: boolean,
    spawns_processes: boolean, modifies_system_state: boolean, persists_data: boolean,
  },
  {
    network_endpoints: arrayOf(string), env_vars_accessed: arrayOf(string), human_readable_summary: string,
    execution_context: oneOf('native', 'sandboxed-wasm', 'sandboxed-container', 'sandboxed-vm'),
  },
  endpoints,
);

const CAPABILITY = object({ resource: string, actions: arrayOf(string), required: boolean }, { scope: string });

const PROVENANCE = object({}, {
  source_repo: uri, commit: string, branch: string, build_system: string, build_workflow: string, builder_id: string,
  build_timestamp: time, slsa_level: oneOf(0, 1, 2, 3), build_attestation_uri: uri, sbom_uri: uri, reproducible: boolean,
});

const CHANGE = object({
  type: oneOf('bugfix', 'feature', 'security', 'refactor', 'dependency', 'breaking'), description: string,
  interface_changed: boolean, capabilities_changed: boolean, side_effects_changed: boolean,
});

const LINEAGE = object({}, { previous_version: nullOr(string), previous_manifest_digest: digest, changes: arrayOf(CHANGE) });

const TOOL = object(
  { name: string, version: string, interface: INTERFACE, side_effects: SIDE_EFFECTS, capabilities_required: arrayOf(CAPABILITY) },
  { artifact: ARTIFACT, provenance: PROVENANCE, lineage: LINEAGE },
);

const MANIFEST = object(
  {
    seal_version: oneOf('1.0'),
    server: object({ name: string, version: string, publisher: object({ id: string, namespace: string }, { url: uri }) }),
    tools: arrayOf(TOOL), issued_at: time,
  },
  { expires_at: time, attestations: refuse }, // decision 2: they stand in the envelope
  distinctNames,
);

/** Checks a parsed payload. Throws Refused. The version comes first: a later version may have another shape altogether. */
export function checkManifest(value) {
  const version = value?.seal_version;
  if (typeof version === 'string' && version !== '1.0') throw new Refused(VERSION, `seal_version ${JSON.stringify(version).slice(0, 40)}`);
  MANIFEST(value, '');
}

export { arrayOf, closed, expect, oneOf, string, time };
