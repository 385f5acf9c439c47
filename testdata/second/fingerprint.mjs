// Fingerprints of one tool's interface, §9.3 of the standard.

import { parseStrict } from './strictjson.mjs';
import { digest, jcs } from './bytes.mjs';

export const COMPONENTS = ['description', 'input_schema', 'annotations', 'output_schema'];

const isObject = (v) => v !== null && typeof v === 'object' && !Array.isArray(v);

/** The name of a tool value, which must be a string of at least one character. */
export function toolName(tool) {
  if (!isObject(tool)) throw new Error('a tool is not an object');
  if (typeof tool.name !== 'string' || tool.name === '') throw new Error('a tool without a name');
  return tool.name;
}

/** The composite of the parts: an absent part is the empty string, the three colons always stand. */
export function composite(algorithm, parts) {
  const input = COMPONENTS.map((c) => parts[`${c}_digest`] ?? '').join(':');
  return digest(algorithm, Buffer.from(input, 'utf8'));
}

/**
 * The interface object of a tool value from parseStrict. An absent or null description is the empty string; null
 * annotations and a null output schema count as absent, {} counts as present (decision 7).
 */
export function fingerprint(tool, algorithm = 'sha256') {
  const name = JSON.stringify(toolName(tool)).slice(0, 100);
  const description = tool.description ?? '';
  if (typeof description !== 'string') throw new Error(`tool ${name}: the description is not a string`);
  if (!isObject(tool.inputSchema)) throw new Error(`tool ${name}: inputSchema is not an object`);
  const parts = {
    description_digest: digest(algorithm, Buffer.from(description, 'utf8')),
    input_schema_digest: digest(algorithm, jcs(tool.inputSchema)),
  };
  for (const [member, field] of [['annotations', 'annotations_digest'], ['outputSchema', 'output_schema_digest']]) {
    const value = tool[member] ?? null;
    if (value === null) continue;
    if (!isObject(value)) throw new Error(`tool ${name}: ${member} is not an object`);
    parts[field] = digest(algorithm, jcs(value));
  }
  return { ...parts, composite_digest: composite(algorithm, parts) };
}

/** The same from the bytes of one tool as the server sent them. */
export function fingerprintBytes(bytes, algorithm) {
  return fingerprint(parseStrict(bytes), algorithm);
}
