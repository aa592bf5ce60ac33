/** A secret that is sent without its plugin ever holding it, and that the other side sends back. MEM-02, SCN-28. */
import { readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { expect, test } from 'vitest';
import { encodingsOf } from '../../host/base/text-encodings.ts';
import { SCRIPT_GATES, spawnHost } from '../kit/boot-host.ts';

const NAME = 'echo.key';
const LABEL = `[secret:${NAME}]`;
const VALUE = 'sk-live/42+swordfish=';

/** Tells all that it is given, and keeps it. */
const SOURCE = `
import { log, request } from 'neira:host/io';
import { set } from 'neira:host/storage';
export async function handle(event) {
  const { url, fail } = event.payload.params;
  const answer = await request({ method: 'POST', url, headers: { 'x-key': { secret: '${NAME}' } }, body: 'hello' });
  log('info', JSON.stringify(answer));
  set('answer', answer);
  if (fail) throw new Error(JSON.stringify(answer));
  return { actions: [{ answer }] };
}
`;

async function startEcho() {
  const seen: string[] = [];
  const server = createServer((request, response) => {
    const key = String(request.headers['x-key']);
    seen.push(key);
    response.setHeader('x-echo', key);
    const base64 = Buffer.from(`user:${key}`).toString('base64');
    response.end(
      JSON.stringify({ key, base64, hex: Buffer.from(key).toString('hex'), url: encodeURIComponent(key) }),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

test('it reaches the host that it was granted for, and comes back to the plugin masked', async () => {
  await using echo = await startEcho();
  await using other = await startEcho();
  await using host = await spawnHost({ gates: SCRIPT_GATES, env: { NEIRA_LOG: 'trace' } });
  await host.call('PUT', `/api/neira/secrets/${NAME}`, { value: VALUE });
  const rule = (peer: string) => ({ host: peer, methods: ['POST'], schemes: ['http'], private: true });
  const registered = await host.script(
    {
      id: 'echo',
      permissions: {
        storage: ['write'],
        io: { http: [rule(echo.host), rule(other.host)] },
        secrets: [{ name: NAME, hosts: [echo.host] }],
      },
      ui: { buttons: [{ id: 'echo', title: 'Echo', event: 'ui.echo' }] },
    },
    SOURCE,
  );
  expect(registered.status, JSON.stringify(registered.body)).toBe(201);

  const done = await host.event('echo', { url: `http://${echo.host}/` });
  expect(done.status, JSON.stringify(done.body)).toBe(200);
  expect(echo.seen).toEqual([VALUE]);
  expect(JSON.stringify(done.body)).toContain(LABEL);
  const failed = await host.event('echo', { url: `http://${echo.host}/`, fail: true });
  expect(failed.body).toMatchObject({ code: 'NEIRA_PLUGIN_FAILED' });
  // The request would be allowed, the secret is not.
  const denied = await host.event('echo', { url: `http://${other.host}/` });
  expect([denied.body.code, other.seen]).toEqual(['NEIRA_SECRET_DENIED', []]);

  const logs = (await host.call('GET', '/api/neira/plugins/echo/logs')).body;
  const turns = (await host.call('GET', '/api/neira/turns?plugin=echo')).body;
  const each = await Promise.all(
    turns.turns.map(({ id }: { id: string }) =>
      host.call('GET', `/api/neira/turns/${encodeURIComponent(id)}`),
    ),
  );
  const files = readdirSync(host.home, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => readFileSync(path.join(entry.parentPath, entry.name)));
  const said = [done.body, failed.body, denied.body, logs, turns, each].map((body) =>
    Buffer.from(JSON.stringify(body)),
  );
  for (const written of encodingsOf(VALUE, false))
    expect([...said, ...files, Buffer.from(host.log())].some((bytes) => bytes.includes(written))).toBe(false);
});
