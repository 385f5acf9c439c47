// Vectors for fingerprints (§9.3) and for the shape of a manifest (§26.1).

import { composite, fingerprintBytes } from '../fingerprint.mjs';
import { manifest, recompose, SEARCH, WRITE } from './build.mjs';

const DECISION = '§9.3; decisions 4, 7 and 8';
const bytes = (tool) => Buffer.from(typeof tool === 'string' || Buffer.isBuffer(tool) ? tool : JSON.stringify(tool));
const input = (tool) => ({ input_base64: bytes(tool).toString('base64') });
const S = { type: 'object' };

const TOOLS = {
  'mis-27.1': ['the standard\'s own vector: input of §27.1', SEARCH],
  'minimal': ['no description, the smallest schema', '{"name":"a","inputSchema":{}}'],
  'output-schema-without-annotations': ['the third part of the composite is empty, its colons stand', WRITE],
  'all-parts': ['all four parts', { name: 'a', description: 'd', inputSchema: S, annotations: { readOnlyHint: true }, outputSchema: S }],
  'description-empty': ['an empty description', { name: 'a', description: '', inputSchema: S }],
  'description-null': ['a null description is the empty one', { name: 'a', description: null, inputSchema: S }],
  'description-absent': ['an absent description is the empty one', { name: 'a', inputSchema: S }],
  'description-white-space': ['leading and trailing white space counts', { name: 'a', description: '  d \n\t', inputSchema: S }],
  'description-line-ends': ['line ends stay as they are', { name: 'a', description: 'a\r\nb\nc\rd', inputSchema: S }],
  'description-composed': ['é composed', { name: 'a', description: 'caf\u00e9', inputSchema: S }],
  'description-decomposed': ['é decomposed: another digest', { name: 'a', description: 'cafe\u0301', inputSchema: S }],
  'description-escaped': ['escapes on the wire are undone before hashing: same digest as description-composed', String.raw`{"name":"a","description":"\u0063af\u00E9","inputSchema":{"type":"object"}}`],
  'description-emoji': ['a character outside the basic plane', { name: 'a', description: '😀 \u{10ffff}', inputSchema: S }],
  'description-invisible': ['zero-width and bidirectional characters count', { name: 'a', description: 'a\u200bb\u202ec\u2066d\ufeff', inputSchema: S }],
  'description-nul': ['a NUL character counts', String.raw`{"name":"a","description":"a\u0000b","inputSchema":{"type":"object"}}`],
  'description-quotes': ['no quotes and no escapes are hashed', String.raw`{"name":"a","description":"say \"hi\" \\ \/","inputSchema":{"type":"object"}}`],
  'description-other-case': ['Description is another member: the description is absent', { name: 'a', Description: 'd', inputSchema: S }],
  'annotations-empty': ['{} counts as present', { name: 'a', inputSchema: S, annotations: {} }],
  'annotations-null': ['null counts as absent', { name: 'a', inputSchema: S, annotations: null }],
  'annotations-false-hints': ['a hint that says false is not an absent one', { name: 'a', inputSchema: S, annotations: { readOnlyHint: false, idempotentHint: false } }],
  'annotations-unknown-members': ['members that no type knows count', { name: 'a', inputSchema: S, annotations: { title: 't', category: 'x', conditions: [1, null] } }],
  'output-schema-empty': ['{} counts as present', { name: 'a', inputSchema: S, outputSchema: {} }],
  'output-schema-null': ['null counts as absent', { name: 'a', inputSchema: S, outputSchema: null }],
  'schema-order': ['members in another order: the same digest as mis-27.1', '{"annotations":{"openWorldHint":false,"destructiveHint":false,"readOnlyHint":true,"title":"Search Files"},"inputSchema":{"required":["query"],"properties":{"max_results":{"default":10,"type":"integer"},"query":{"description":"Search keyword","type":"string"}},"type":"object"},"name":"searchFiles","description":"Search files in a directory by keyword."}'],
  'schema-number-forms': ['10.0 and 1e1 are 10: the same digest', '{"name":"a","inputSchema":{"a":10,"b":10.0,"c":1e1,"d":0.10,"e":-0}}'],
  'schema-large-integer': ['an integer that a double cannot hold is rounded', '{"name":"a","inputSchema":{"maximum":9007199254740993}}'],
  'schema-array-order': ['the order of an enum counts', { name: 'a', inputSchema: { enum: ['b', 'a', 'c'] } }],
  'schema-proto': ['names that mean something to a programming language', '{"name":"a","inputSchema":{"properties":{"__proto__":{"type":"string"},"toJSON":{"type":"null"},"constructor":{}}}}'],
  'schema-sorts-by-utf-16': ['by UTF-16 code units', '{"name":"a","inputSchema":{"\ufb33":1,"\u{1f600}":2}}'],
  'other-members': ['title, icons and _meta are no part of the fingerprint: the same digest as minimal', '{"name":"a","title":"A","icons":[],"_meta":{"x":1},"execution":{},"inputSchema":{}}'],
  'name-unicode': ['any name of at least one character', { name: '🔧 fix', inputSchema: S }],
};

const BAD_TOOLS = {
  'description-number': ['a description that is a number', { name: 'a', description: 1, inputSchema: S }],
  'description-object': ['a description that is an object', { name: 'a', description: {}, inputSchema: S }],
  'description-false': ['a description that is false', { name: 'a', description: false, inputSchema: S }],
  'schema-absent': ['no input schema', { name: 'a', description: 'd' }],
  'schema-null': ['a null input schema', { name: 'a', inputSchema: null }],
  'schema-array': ['an input schema that is an array', { name: 'a', inputSchema: [] }],
  'schema-true': ['an input schema that is true: JSON Schema has it, MCP has not', { name: 'a', inputSchema: true }],
  'schema-string': ['an input schema in a string', { name: 'a', inputSchema: '{}' }],
  'schema-other-case': ['InputSchema is another member', { name: 'a', InputSchema: S }],
  'annotations-array': ['annotations that are an array', { name: 'a', inputSchema: S, annotations: [] }],
  'annotations-string': ['annotations that are a string', { name: 'a', inputSchema: S, annotations: '' }],
  'annotations-false': ['annotations that are false', { name: 'a', inputSchema: S, annotations: false }],
  'output-schema-array': ['an output schema that is an array', { name: 'a', inputSchema: S, outputSchema: [] }],
  'output-schema-true': ['an output schema that is true', { name: 'a', inputSchema: S, outputSchema: true }],
  'name-absent': ['no name', { inputSchema: S }],
  'name-empty': ['an empty name', { name: '', inputSchema: S }],
  'name-null': ['a null name', { name: null, inputSchema: S }],
  'name-number': ['a name that is a number', { name: 1, inputSchema: S }],
  'tool-null': ['a tool that is null', 'null'],
  'tool-array': ['a tool that is an array', '[]'],
  'tool-string': ['a tool that is a string', '"a"'],
  'duplicate-description': ['a description twice', '{"name":"a","description":"good","description":"bad","inputSchema":{}}'],
  'duplicate-in-schema': ['a member of the schema twice', '{"name":"a","inputSchema":{"type":"object","type":"object"}}'],
  'duplicate-elsewhere': ['a member twice where nothing is hashed', '{"name":"a","inputSchema":{},"_meta":{"x":1,"x":2}}'],
  'lone-surrogate': ['a lone surrogate in the description', String.raw`{"name":"a","description":"\ud83d","inputSchema":{}}`],
  'lone-surrogate-elsewhere': ['a lone surrogate where nothing is hashed', String.raw`{"name":"a","title":"\ude00","inputSchema":{}}`],
  'number-1e400': ['1e400 in the schema', '{"name":"a","inputSchema":{"maximum":1e400}}'],
  'invalid-utf8': ['invalid UTF-8 in the description', Buffer.concat([Buffer.from('{"name":"a","description":"'), Buffer.from([0xff]), Buffer.from('","inputSchema":{}}')])],
};

function* fingerprint() {
  for (const algorithm of ['sha256', 'sha512']) {
    for (const [name, [description, tool]] of Object.entries(TOOLS)) {
      if (algorithm === 'sha512' && !['mis-27.1', 'minimal', 'all-parts', 'output-schema-without-annotations'].includes(name)) continue;
      const outputs = fingerprintBytes(bytes(tool), algorithm);
      yield [`${name}-${algorithm}`, { description, mis: name === 'mis-27.1' ? '§27.1, §9.3' : DECISION, expect: 'valid', algorithm, ...input(tool), outputs }];
    }
  }
  for (const [name, [description, tool]] of Object.entries(BAD_TOOLS)) {
    yield [`refused-${name}`, { description: `${description}: refused`, mis: 'decisions 3 and 7', expect: 'invalid', algorithm: 'sha256', ...input(tool) }];
  }
}

function* composites() {
  const all = fingerprintBytes(bytes(TOOLS['all-parts'][1]), 'sha256');
  const cases = {
    'all-parts': ['four parts', []],
    'no-annotations': ['the third part is empty', ['annotations_digest']],
    'no-output-schema': ['the fourth part is empty', ['output_schema_digest']],
    'two-parts': ['two parts and three colons', ['annotations_digest', 'output_schema_digest']],
  };
  for (const [name, [description, without]] of Object.entries(cases)) {
    for (const algorithm of ['sha256', 'sha512']) {
      const parts = algorithm === 'sha256' ? { ...all } : fingerprintBytes(bytes(TOOLS['all-parts'][1]), 'sha512');
      for (const member of [...without, 'composite_digest']) delete parts[member];
      const outputs = { composite_digest: composite(algorithm, parts) };
      yield [`${name}-${algorithm}`, { description, mis: '§9.3', expect: 'valid', algorithm, input: parts, outputs }];
    }
  }
}

const one = (change) => (m) => void change(m.tools[0]);
const hex = (c, n) => c.repeat(n);

const GOOD_MANIFESTS = {
  'level-1': ['what level 1 asks for', () => {}],
  'expires': ['with an end', (m) => void (m.expires_at = '2026-09-01T12:00:00Z')],
  'time-fraction-and-zone': ['a time with a fraction and a zone', (m) => void (m.issued_at = '2026-03-01T13:00:00.123456789+01:00')],
  'publisher-url': ['the publisher\'s page', (m) => void (m.server.publisher.url = 'https://acme.example/tools?x=1#y')],
  'server-version-empty': ['an empty server version: real servers have it', (m) => void (m.server.version = '')],
  'no-provenance': ['no provenance: well-formed, and at level 0', one((t) => void delete t.provenance)],
  'artifact': ['an artifact', one((t) => void (t.artifact = { type: 'npm', identifier: '@acme/file-tools', version: '1.2.4', digest: `sha256:${hex('0f', 32)}`, digest_scope: 'package', download_url: 'https://acme.example/a.tgz' }))],
  'artifact-sha512': ['an artifact by SHA-512', one((t) => void (t.artifact = { type: 'docker', identifier: 'a', version: '1', digest: `sha512:${hex('0f', 64)}` }))],
  'provenance-whole': ['every member of provenance', one((t) => void Object.assign(t.provenance, { branch: 'main', build_system: 'github-actions', build_workflow: '.github/workflows/release.yml', builder_id: 'https://github.com/actions/runner', build_timestamp: '2026-02-20T14:30:00Z', slsa_level: 3, build_attestation_uri: 'https://acme.example/a', sbom_uri: 'https://acme.example/s', reproducible: false }))],
  'lineage': ['a predecessor', one((t) => void (t.lineage = { previous_version: '1.2.3', previous_manifest_digest: `sha256:${hex('ab', 32)}`, changes: [{ type: 'bugfix', description: '', interface_changed: false, capabilities_changed: false, side_effects_changed: false }] }))],
  'lineage-first': ['a first version that says so', one((t) => void (t.lineage = { previous_version: null }))],
  'egress': ['egress with endpoints', one((t) => void Object.assign(t.side_effects, { network_egress: true, network_endpoints: ['*.acme.example'] }))],
  'side-effects-whole': ['every member of side effects', one((t) => void Object.assign(t.side_effects, { network_endpoints: [], executes_code: true, execution_context: 'sandboxed-wasm', accesses_env_vars: true, env_vars_accessed: ['HOME'], human_readable_summary: 's' }))],
  'capability-scope': ['a capability with a scope, on a resource of one\'s own', one((t) => void t.capabilities_required.push({ resource: 'com.acme.printer', actions: [], scope: '*', required: false }))],
  'unknown-members': ['members that the standard does not name, at every level: its schema is open, and they are the publisher\'s own', (m) => {
    for (const o of [m, m.server, m.server.publisher, m.tools[0], ...Object.values(m.tools[0])]) if (typeof o === 'object' && !Array.isArray(o)) o['com.acme.note'] = 'x';
  }],
  'no-tools': ['a server without tools', (m) => void (m.tools = [])],
  'capabilities-none': ['no capability', one((t) => void (t.capabilities_required = []))],
};

const BAD_MANIFESTS = {
  'seal-version-absent': ['no seal_version', (m) => void delete m.seal_version],
  'seal-version-number': ['a seal_version that is a number', (m) => void (m.seal_version = 1)],
  'server-absent': ['no server', (m) => void delete m.server],
  'server-name-absent': ['no server name', (m) => void delete m.server.name],
  'server-version-absent': ['no server version', (m) => void delete m.server.version],
  'server-version-number': ['a server version that is a number', (m) => void (m.server.version = 1.2)],
  'publisher-absent': ['no publisher', (m) => void delete m.server.publisher],
  'publisher-string': ['a publisher that is a string', (m) => void (m.server.publisher = 'acme')],
  'publisher-id-absent': ['no publisher id', (m) => void delete m.server.publisher.id],
  'namespace-absent': ['no namespace', (m) => void delete m.server.publisher.namespace],
  'tools-absent': ['no tools member', (m) => void delete m.tools],
  'tools-object': ['tools as an object', (m) => void (m.tools = {})],
  'tools-null': ['tools null', (m) => void (m.tools = null)],
  'tool-null': ['a tool that is null', (m) => void (m.tools[1] = null)],
  'tool-twice': ['one name twice', (m) => void m.tools.push(structuredClone(m.tools[0]))],
  'issued-at-absent': ['no issued_at', (m) => void delete m.issued_at],
  'issued-at-date': ['a date without a time', (m) => void (m.issued_at = '2026-03-01')],
  'issued-at-no-zone': ['a time without a zone', (m) => void (m.issued_at = '2026-03-01T12:00:00')],
  'issued-at-february-30': ['a day that the calendar lacks', (m) => void (m.issued_at = '2026-02-30T12:00:00Z')],
  'issued-at-number': ['a time as a number', (m) => void (m.issued_at = 1772366400)],
  'expires-at-null': ['expires_at null', (m) => void (m.expires_at = null)],
  'attestations': ['an attestations member (decision 2)', (m) => void (m.attestations = [])],
  'tool-name-empty': ['a tool with an empty name', one((t) => void (t.name = ''))],
  'tool-name-absent': ['a tool without a name', one((t) => void delete t.name)],
  'tool-version-absent': ['a tool without a version', one((t) => void delete t.version)],
  'interface-absent': ['a tool without an interface', one((t) => void delete t.interface)],
  'description-digest-absent': ['no description digest', one((t) => void delete t.interface.description_digest)],
  'input-schema-digest-absent': ['no input schema digest', one((t) => void delete t.interface.input_schema_digest)],
  'composite-digest-absent': ['no composite digest', one((t) => void delete t.interface.composite_digest)],
  'annotations-digest-null': ['a null digest', one((t) => void (t.interface.annotations_digest = null))],
  'digest-upper-case': ['hexadecimal digits in upper case', one((t) => {
    t.interface.description_digest = t.interface.description_digest.toUpperCase().replace('SHA256', 'sha256');
    recompose(t);
  })],
  'digest-algorithm-upper-case': ['SHA256:', one((t) => void (t.interface.composite_digest = t.interface.composite_digest.replace('sha256', 'SHA256')))],
  'digest-short': ['63 digits', one((t) => {
    t.interface.description_digest = t.interface.description_digest.slice(0, -1);
    recompose(t);
  })],
  'digest-long': ['65 digits', one((t) => {
    t.interface.description_digest += '0';
    recompose(t);
  })],
  'digest-bare': ['no algorithm', one((t) => void (t.interface.composite_digest = t.interface.composite_digest.slice(7)))],
  'digest-sha1': ['SHA-1', one((t) => void (t.interface.composite_digest = `sha1:${hex('0f', 20)}`))],
  'digest-sha512-short': ['sha512 with the digits of SHA-256', one((t) => void (t.interface.composite_digest = t.interface.composite_digest.replace('sha256', 'sha512')))],
  'digest-newline': ['a line feed behind a digest', one((t) => {
    t.interface.description_digest += '\n';
    recompose(t);
  })],
  'digest-algorithms-mixed-sha512': ['parts by SHA-256 under a composite by SHA-512', one((t) => recompose(t, 'sha512'))],
  'digest-algorithms-mixed': ['digests of two algorithms in one interface', one((t) => {
    t.interface.description_digest = `sha512:${hex('0f', 64)}`;
    recompose(t, 'sha512');
  })],
  'composite-wrong': ['a composite that does not follow from its parts', one((t) => void (t.interface.composite_digest = `sha256:${hex('0f', 32)}`))],
  'composite-other-part': ['a part changed, the composite left', one((t) => void (t.interface.annotations_digest = `sha256:${hex('0f', 32)}`))],
  'composite-part-removed': ['a part removed, the composite left', one((t) => void delete t.interface.annotations_digest)],
  'artifact-type': ['an unknown artifact type', one((t) => void (t.artifact = { type: 'zip', identifier: 'a', version: '1', digest: `sha256:${hex('0f', 32)}` }))],
  'artifact-digest-absent': ['an artifact without a digest', one((t) => void (t.artifact = { type: 'npm', identifier: 'a', version: '1' }))],
  'artifact-identifier-absent': ['an artifact without an identifier', one((t) => void (t.artifact = { type: 'npm', version: '1', digest: `sha256:${hex('0f', 32)}` }))],
  'artifact-scope': ['an unknown scope', one((t) => void (t.artifact = { type: 'npm', identifier: 'a', version: '1', digest: `sha256:${hex('0f', 32)}`, digest_scope: 'all' }))],
  'side-effects-absent': ['no side effects', one((t) => void delete t.side_effects)],
  'side-effects-reads-string': ['reads as a string', one((t) => void (t.side_effects.reads = 'filesystem'))],
  'side-effects-boolean-string': ['"false"', one((t) => void (t.side_effects.executes_code = 'false'))],
  'execution-context': ['an unknown execution context', one((t) => void (t.side_effects.execution_context = 'vm'))],
  'egress-without-endpoints': ['egress, and no word about where to', one((t) => void (t.side_effects.network_egress = true))],
  'capabilities-absent': ['no capabilities_required', one((t) => void delete t.capabilities_required)],
  'capabilities-object': ['capabilities_required as an object', one((t) => void (t.capabilities_required = {}))],
  'capability-required-absent': ['a capability that does not say whether it is required', one((t) => void delete t.capabilities_required[0].required)],
  'capability-actions-string': ['actions as a string', one((t) => void (t.capabilities_required[0].actions = 'read'))],
  'capability-resource-absent': ['a capability without a resource', one((t) => void delete t.capabilities_required[0].resource)],
  'provenance-array': ['provenance as an array', one((t) => void (t.provenance = []))],
  'provenance-slsa-4': ['SLSA level 4', one((t) => void (t.provenance.slsa_level = 4))],
  'provenance-slsa-negative': ['SLSA level -1', one((t) => void (t.provenance.slsa_level = -1))],
  'provenance-slsa-fraction': ['SLSA level 1.5', one((t) => void (t.provenance.slsa_level = 1.5))],
  'provenance-slsa-string': ['SLSA level "2"', one((t) => void (t.provenance.slsa_level = '2'))],
  'provenance-time': ['a build time that is none', one((t) => void (t.provenance.build_timestamp = 'yesterday'))],
  'provenance-repository': ['a repository that is no URI', one((t) => void (t.provenance.source_repo = 'not a uri'))],
  'provenance-repository-host': ['a repository whose URI has half a host', one((t) => void (t.provenance.source_repo = 'https://[::1/a'))],
  'provenance-repository-relative': ['a repository that is a path', one((t) => void (t.provenance.source_repo = '/acme/file-tools'))],
  'provenance-reproducible': ['reproducible as a string', one((t) => void (t.provenance.reproducible = 'yes'))],
  'lineage-version-number': ['a previous version that is a number', one((t) => void (t.lineage = { previous_version: 1 }))],
  'lineage-digest': ['a previous digest that is none', one((t) => void (t.lineage = { previous_version: '1', previous_manifest_digest: 'sha256:', changes: [] }))],
  'change-type': ['an unknown type of change', one((t) => void (t.lineage = { previous_version: '1', previous_manifest_digest: `sha256:${hex('ab', 32)}`, changes: [{ type: 'other', description: '', interface_changed: false, capabilities_changed: false, side_effects_changed: false }] }))],
  'change-flag-absent': ['a change without one of its flags', one((t) => void (t.lineage = { previous_version: '1', previous_manifest_digest: `sha256:${hex('ab', 32)}`, changes: [{ type: 'bugfix', description: '', interface_changed: false, capabilities_changed: false }] }))],
};

function* schema() {
  for (const [name, [description, change]] of Object.entries(GOOD_MANIFESTS)) {
    yield [name, { description, mis: '§8, §26.1', expect: 'valid', input: manifest(change) }];
  }
  for (const [name, [description, change]] of Object.entries(BAD_MANIFESTS)) {
    yield [`refused-${name}`, { description: `${description}: refused`, mis: '§8, §9, §26.1', expect: 'invalid', error: 'MANIFEST_PARSE_ERROR', input: manifest(change) }];
  }
  for (const version of ['2.0', '1.1', '0.9', '1', '1.0.0', '']) {
    const refused = { description: `seal_version ${JSON.stringify(version)}: refused by its own name`, mis: '§8.2, §19.2, §23' };
    yield [`version-${version || 'empty'}`, { ...refused, expect: 'invalid', error: 'MANIFEST_VERSION_UNSUPPORTED', input: manifest((m) => void (m.seal_version = version)) }];
  }
  const later = { seal_version: '2.0', anything: { else: true } };
  yield ['version-2.0-of-another-shape', { description: 'a later version may have another shape: its version is what is wrong', mis: '§19.2, §23', expect: 'invalid', error: 'MANIFEST_VERSION_UNSUPPORTED', input: later }];
  for (const [name, value] of Object.entries({ array: [], string: 'a', null: null, empty: {} })) {
    yield [`refused-top-${name}`, { description: `a manifest that is ${JSON.stringify(value)}: refused`, mis: '§26.1', expect: 'invalid', error: 'MANIFEST_PARSE_ERROR', input: value }];
  }
}

export const kinds = { fingerprint, composite: composites, schema };
