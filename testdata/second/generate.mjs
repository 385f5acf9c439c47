// Writes every file of the test vectors but their README and external/:
//
//   node generate.mjs [DIRECTORY]           by default ../vectors
//
// The same bytes at every run, so that a difference in version control is a difference in meaning: keys are derived from their
// names, Ed25519 is deterministic, and ES256 takes its nonce from RFC 6979.

import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { kinds as documents } from './generate/document-cases.mjs';
import { kinds as envelopes } from './generate/envelope-cases.mjs';
import { kinds as interfaces } from './generate/interface-cases.mjs';
import { kinds as levels } from './generate/level-cases.mjs';
import { kinds as parties } from './generate/levels-cases.mjs';
import { kinds as signatures } from './generate/signature-cases.mjs';
import { keyFiles } from './generate/testkeys.mjs';

const root = process.argv[2] ?? fileURLToPath(new URL('../vectors/', import.meta.url));

function write(kind, files) {
  const directory = join(root, kind);
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true });
  const names = new Set();
  for (const [name, value] of files) {
    if (names.has(name)) throw new Error(`two vectors called ${kind}/${name}`);
    names.add(name);
    writeFileSync(join(directory, name), `${JSON.stringify(value, null, 2)}\n`);
  }
  return names.size;
}

let count = 0;
for (const [kind, vectors] of Object.entries({ ...documents, ...interfaces, ...signatures, ...envelopes, ...levels, ...parties })) {
  const files = [...vectors()].map(([name, { description, mis, ...rest }]) => [`${name}.json`, { kind, description, mis, ...rest }]);
  count += write(kind, files);
}
write('keys', keyFiles());
console.log(`${count} vectors`);
