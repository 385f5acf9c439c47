// The client's side for levels 0 and 1: an envelope, the publisher's keys, and the tools that a server lists (§15, §19).

import { COMPONENTS, fingerprint, toolName } from './fingerprint.mjs';
import { Refused } from './bytes.mjs';
import { open } from './envelope.mjs';
import { parseStrict } from './strictjson.mjs';

// §23's name for a component that changed. An output schema has none of its own (decision 16).
const CHANGED = {
  description: 'INTERFACE_DESCRIPTION_CHANGED',
  input_schema: 'INTERFACE_SCHEMA_CHANGED',
  annotations: 'INTERFACE_ANNOTATIONS_CHANGED',
  output_schema: 'INTERFACE_MISMATCH',
};

/**
 * Verifies. The input is {envelope: bytes, keys: map of readKeySet, tools: bytes of each tool, observed: "live"|"snapshot"|
 * "none", server: {version}, verified_at: RFC 3339, policy}; the result is {outcome, trust_level, sealed_level, errors,
 * advisories, interface_match} with names for errors and advisories, and a boolean per sealed tool that was seen.
 */
export function verifySeal({ envelope, keys, tools, observed, server, verified_at, policy }) {
  const report = { trust_level: 0, sealed_level: 0, errors: [], advisories: [], interface_match: {} };
  try {
    const { manifest } = open(envelope, keys, Date.parse(verified_at));
    report.sealed_level = Math.min(...manifest.tools.map(supports));
    if (server !== undefined && server.version !== manifest.server.version) report.advisories.push('VERSION_MISMATCH');
    if (observed !== 'none') report.trust_level = compareTools(manifest, tools.map(parseStrict), report);
    if (observed !== 'live') report.trust_level = 0; // decision 13: a level is what was checked against a running server
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    report.errors.push(error.code);
  }
  report.outcome = outcome(report, observed, policy);
  return report;
}

// The level that a sealed tool's own members support: what is checked here knows no more than level 1.
function supports({ provenance }) {
  return provenance?.source_repo && provenance?.commit ? 1 : 0;
}

// compareTools fills the report and gives the least level of the listed tools; a tool that nobody sealed is at level 0.
function compareTools(manifest, listed, report) {
  const sealed = new Map(manifest.tools.map((tool) => [tool.name, tool]));
  const levels = [];
  for (const tool of listed) {
    const name = toolName(tool);
    const entry = sealed.get(name);
    sealed.delete(name);
    if (entry === undefined) {
      report.advisories.push('INTERFACE_UNKNOWN_TOOL');
      levels.push(0);
      continue;
    }
    const match = compareTool(entry.interface, tool, report);
    report.interface_match[name] = match;
    levels.push(match ? supports(entry) : 0);
  }
  if (sealed.size > 0) report.advisories.push('MISSING_TOOL');
  return levels.length === 0 ? 0 : Math.min(...levels);
}

function compareTool(sealed, tool, report) {
  const live = fingerprint(tool, sealed.composite_digest.split(':')[0]);
  if (live.composite_digest === sealed.composite_digest) return true;
  for (const component of COMPONENTS) {
    const member = `${component}_digest`;
    if (live[member] === sealed[member]) continue;
    if (component === 'annotations' && sealed[member] === undefined) report.advisories.push('INTERFACE_EXTENSION');
    report.errors.push(CHANGED[component]);
  }
  return false;
}

function outcome({ errors, trust_level }, observed, policy = 'warn_below_level_1') {
  if (errors.length > 0) return 'fail';
  const [, mode, level] = /^(warn|block)_below_level_([0-3])$/.exec(policy);
  if (trust_level >= Number(level)) return 'pass';
  if (mode === 'warn') return 'warn';
  return observed === 'live' ? 'fail' : 'undecided';
}
