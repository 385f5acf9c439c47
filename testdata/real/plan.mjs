// Turns servers.json into files that a shell can read without parsing JSON:
//
//   node plan.mjs WORKDIR [NAME…]
//
// writes WORKDIR/plan/NAME/{command,serve,url,env,tools,package,pack,artifact}, each a list in which every element ends with a
// NUL byte, empty where the server has no such member. Within the values {npm} is node_modules, {bin} and {empty} are
// directories of WORKDIR, {port} is a port that was free a moment ago.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = fileURLToPath(new URL('.', import.meta.url));
const work = resolve(process.argv[2]);
const wanted = process.argv.slice(3);
const { dependencies } = JSON.parse(readFileSync(join(here, 'package.json'), 'utf8'));

// freePort asks the system for a port and gives it back at once.
function freePort() {
  return new Promise((done, fail) => {
    const server = createServer().once('error', fail);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => done(port));
    });
  });
}

// npm pack names its file after the package, without @ and with - for /.
function artifactOf({ artifact }) {
  if (artifact?.npm === undefined) return { pack: [], artifact: artifact === undefined ? [] : [artifact.file] };
  const version = dependencies[artifact.npm];
  const file = `${artifact.npm.replace('@', '').replace('/', '-')}-${version}.tgz`;
  return { pack: [`${artifact.npm}@${version}`], artifact: [join(work, 'artifacts', file)] };
}

const servers = JSON.parse(readFileSync(join(here, 'servers.json'), 'utf8'));
for (const name of wanted) {
  if (!servers.some((server) => server.name === name)) throw new Error(`no server is called ${name}`);
}
for (const server of servers) {
  if (wanted.length > 0 && !wanted.includes(server.name)) continue;
  const places = { npm: join(here, 'node_modules'), bin: join(work, 'bin'), empty: join(work, 'empty'), port: await freePort() };
  const lists = {
    command: server.command ?? [], serve: server.serve ?? [], url: [server.url ?? []].flat(), tools: [String(server.tools)],
    env: Object.entries(server.env ?? {}).map(([name, value]) => `${name}=${value}`),
    package: [server.package ?? []].flat(), ...artifactOf(server),
  };
  const directory = join(work, 'plan', server.name);
  mkdirSync(directory, { recursive: true });
  for (const [name, list] of Object.entries(lists)) {
    const elements = list.map((text) => text.replaceAll(/\{(npm|bin|empty|port)\}/g, (whole, place) => places[place]));
    writeFileSync(join(directory, name), elements.map((element) => `${element}\0`).join(''));
  }
  console.log(server.name);
}
