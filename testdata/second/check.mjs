// Recomputes, from the files of a sealed release alone, everything that can be recomputed without running anything:
//
//   node check.mjs --envelope mcp-integrity.json --snapshot mcp-integrity.interface.json --jwks keys.json [--artifact FILE …]
//
// Prints one JSON line. Exit 0: all agrees. Exit 1: the line's "disagreements" say what does not. Exit 2: wrong use.

import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { digest, Refused } from './bytes.mjs';
import { fingerprint, toolName } from './fingerprint.mjs';
import { open } from './envelope.mjs';
import { parseKeySet } from './keys.mjs';
import { parseStrict } from './strictjson.mjs';

const SNAPSHOT_VERSION = '1.0';

function options() {
  try {
    const { values } = parseArgs({
      options: {
        envelope: { type: 'string' }, snapshot: { type: 'string' }, jwks: { type: 'string' },
        artifact: { type: 'string', multiple: true, default: [] },
      },
    });
    for (const name of ['envelope', 'snapshot', 'jwks']) {
      if (values[name] === undefined) throw new Error(`--${name} is missing`);
    }
    return values;
  } catch (error) {
    console.error(`check: ${error.message}`);
    process.exit(2);
  }
}

// compareTools recomputes each sealed tool's digests from the snapshot. Gives how many digests it computed.
function compareTools(manifest, tools, disagree) {
  const listed = new Map();
  for (const tool of tools) {
    const name = toolName(tool);
    if (listed.has(name)) disagree(`snapshot: two tools called ${name}`);
    listed.set(name, tool);
  }
  let count = 0;
  for (const { name, interface: sealed } of manifest.tools) {
    const tool = listed.get(name);
    listed.delete(name);
    if (tool === undefined) {
      disagree(`tool ${name}: not in the snapshot`);
      continue;
    }
    const ours = fingerprint(tool, sealed.composite_digest.split(':')[0]);
    count += Object.keys(ours).length;
    for (const member of new Set([...Object.keys(ours), ...Object.keys(sealed)])) {
      if (ours[member] !== sealed[member]) disagree(`tool ${name}: ${member} is ${ours[member]}, sealed ${sealed[member]}`);
    }
  }
  for (const name of listed.keys()) disagree(`tool ${name}: in the snapshot, not sealed`);
  return count;
}

function compareSnapshot(manifest, snapshot, disagree) {
  if (snapshot.snapshot_version !== SNAPSHOT_VERSION) disagree(`snapshot_version is ${snapshot.snapshot_version}`);
  for (const member of ['name', 'version']) {
    const [got, want] = [snapshot.server?.[member], manifest.server[member]];
    if (got !== want) disagree(`snapshot server.${member} is ${JSON.stringify(got)}, sealed ${JSON.stringify(want)}`);
  }
  return compareTools(manifest, snapshot.tools, disagree);
}

// compareStatement wants at least one publisher whose signed statement names exactly this snapshot.
function compareStatement(attestations, snapshotBytes, disagree) {
  const want = digest('sha256', snapshotBytes).slice('sha256:'.length);
  for (const { bound, keyid, interface_snapshot: named } of attestations) {
    if (!bound) disagree(`attestation by ${keyid} has no signed statement`);
    else if (named?.sha256 !== want) disagree(`statement by ${keyid} names snapshot ${named?.sha256}, the file is ${want}`);
  }
}

// compareArtifacts wants every file to be one that some tool names, and every artifact that is named to be among the files.
function compareArtifacts(manifest, files, disagree) {
  const named = new Set(manifest.tools.flatMap(({ artifact }) => (artifact === undefined ? [] : [artifact.digest])));
  const computed = [];
  for (const file of files) {
    const bytes = readFileSync(file);
    const found = ['sha256', 'sha512'].map((algorithm) => digest(algorithm, bytes)).find((d) => named.delete(d));
    if (found === undefined) disagree(`artifact ${file}: no tool names ${digest('sha256', bytes)}`);
    else computed.push(found);
  }
  if (files.length > 0) named.forEach((d) => disagree(`artifact ${d}: sealed, but not among the files`));
  return computed;
}

function check({ envelope, snapshot, jwks, artifact }) {
  const disagreements = [];
  const disagree = (message) => disagreements.push(message);
  const line = { agrees: false, disagreements };
  try {
    const { payload, manifest, attestations, skipped } = open(readFileSync(envelope), parseKeySet(readFileSync(jwks)), Date.now());
    const snapshotBytes = readFileSync(snapshot);
    line.payload = digest('sha256', payload);
    line.snapshot = digest('sha256', snapshotBytes);
    line.attestations = attestations;
    if (skipped > 0) disagree(`${skipped} signatures by keys that are not in the key set`);
    compareStatement(attestations, snapshotBytes, disagree);
    line.tools = manifest.tools.length;
    line.digests = compareSnapshot(manifest, parseStrict(snapshotBytes), disagree);
    line.artifacts = compareArtifacts(manifest, artifact, disagree);
  } catch (error) {
    disagree(error instanceof Refused ? `${error.code}: ${error.message}` : error.message);
  }
  line.agrees = disagreements.length === 0;
  return line;
}

const line = check(options());
console.log(JSON.stringify(line));
process.exitCode = line.agrees ? 0 : 1;
