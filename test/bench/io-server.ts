/** The other side of the section `io`: answers at once, and below `/far` after the time that a near API takes. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

const BODY = JSON.stringify({ temperature: 21, unit: 'c', city: 'Riga' });

const FAR_MS = 20;

const server = createServer((request, response) => {
  const answer = () => {
    response.setHeader('content-type', 'application/json');
    response.end(BODY);
  };
  request.resume();
  request.once('end', () => {
    if (request.url?.startsWith('/far')) setTimeout(answer, FAR_MS);
    else answer();
  });
});
server.keepAliveTimeout = 60_000;
server.listen(0, '127.0.0.1', () => {
  const { port } = server.address() as AddressInfo;
  console.log(`listening on http://127.0.0.1:${port}`);
});
