// Reads a report of mcp-integrity on standard input, and says in one line what a script compares:
//
//   node said.mjs verify      outcome, names of errors, "|", names of advisories, "|", length of the chain and where it ends
//   node said.mjs MEMBER…     the member at that path, as text; none where there is none
import { readFileSync } from 'node:fs';

const report = JSON.parse(readFileSync(0, 'utf8'));
const path = process.argv.slice(2);
if (path[0] === 'verify') {
  const names = (list) => list.map(({ name }) => name);
  const { length = 0, verified_to: end = 'nowhere' } = report.chain ?? {};
  console.log([report.outcome, ...names(report.errors), '|', ...names(report.advisories), '|', length, end].join(' '));
} else {
  const value = path.reduce((at, name) => at?.[name], report) ?? 'none';
  console.log(typeof value === 'object' ? JSON.stringify(value) : String(value));
}
