// The five releases, from npm/package-lock.json:
//
//   node releases.mjs list             a line each: number, version, package spec
//   node releases.mjs check N FILE     FILE is the archive that the lock file pins as release N
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

const { packages } = JSON.parse(readFileSync(new URL('npm/package-lock.json', import.meta.url), 'utf8'));
const [command, number, file] = process.argv.slice(2);
if (command === 'list') {
  for (let n = 1; packages[`node_modules/release-${n}`] !== undefined; n++) {
    const { name, version } = packages[`node_modules/release-${n}`];
    console.log(`${n} ${version} ${name}@${version}`);
  }
} else {
  const want = packages[`node_modules/release-${number}`].integrity;
  const got = `sha512-${createHash('sha512').update(readFileSync(file)).digest('base64')}`;
  if (got !== want) throw new Error(`${file}: got ${got}, want ${want}`);
}
