// A static host on loopback:
//
//   node serve.mjs DIR URLFILE      serves DIR until it gets a signal; URLFILE gets its address once it answers
import { createServer } from 'node:http';
import { readFile, rename, writeFile } from 'node:fs/promises';
import { join, normalize } from 'node:path';

const [root, urlFile] = process.argv.slice(2);

const server = createServer(async (request, response) => {
  // normalize of an absolute path never leads above its root.
  const path = normalize(decodeURIComponent(new URL(request.url, 'http://localhost').pathname));
  try {
    const data = await readFile(join(root, path));
    response.writeHead(200, { 'Content-Type': 'application/json' }).end(data);
  } catch {
    response.writeHead(404).end();
  }
});
server.listen(0, '127.0.0.1', async () => {
  await writeFile(`${urlFile}.new`, `http://127.0.0.1:${server.address().port}\n`);
  await rename(`${urlFile}.new`, urlFile);
});
