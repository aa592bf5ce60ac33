import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, test } from 'vitest';
import { bootHost, SCRIPT_GATES, type TestHost } from '../kit/boot-host.ts';
import { bootPlugin } from '../kit/boot-plugin.ts';
import { ASK, Engine, echo, REGISTER, STORE } from './principal-kit.ts';

/** Turns that acted for others, recorded and run again: what a principal was then is what the replay is told. */

async function replayAll(host: TestHost) {
  const { status, body } = await host.call('POST', '/api/neira/turns/replay', {
    plugin: 'engine',
    limit: 100,
  });
  expect(status, JSON.stringify(body)).toBe(200);
  return body;
}

test('a turn that acted as a principal comes out the same, whatever that was granted since', async () => {
  await using host = await bootHost({ gates: SCRIPT_GATES });
  await echo(host);
  const engine = await Engine.register(
    host,
    'engine',
    `${REGISTER}
     async step({ id }) {
       const me = as(id);
       me.io.log('info', 'before');
       const answer = await me.bus.request('echo.ask', 1);
       me.storage.append('log', [answer, me.storage.list('log/').length]);
     },
     leave({ id }) { remove(id); },`,
  );
  await engine.run('join', { id: 'p', permissions: { ...STORE, ...ASK } });
  expect((await engine.send('step', { id: 'p' })).body).toMatchObject({ principal: 'p', missing: 'granted' });
  await engine.grant('p');
  for (const _ of [1, 2]) await engine.run('step', { id: 'p' });
  await engine.grant('p', {});
  await engine.run('leave', { id: 'p' });
  expect(await replayAll(host)).toMatchObject({ replayed: 5, same: 5 });
  const { turns } = (await host.call('GET', '/api/neira/turns?plugin=engine')).body;
  const shown = await Promise.all(
    turns.map(({ id }: { id: string }) => host.call('GET', `/api/neira/turns/${encodeURIComponent(id)}`)),
  );
  expect(shown.filter(({ body }) => JSON.stringify(body).includes('"as":"p"'))).toHaveLength(2);
});

test('a batch in which a principal is registered and acted as comes out the same', async () => {
  await using host = await bootHost({ gates: SCRIPT_GATES });
  await echo(host);
  const engine = await Engine.register(
    host,
    'engine',
    `heard(_, { payload: { n } }) {
       register({ id: 'p', title: 'P', permissions: { storage: ['write'] } });
       let told = 'nothing';
       try { as('p').storage.set('k', n); } catch (error) { told = error.details.missing; }
       storage.append('seen', [n, told]);
     },
     seen() { return storage.list('seen/').map(({ value }) => value[1]); },`,
    {
      permissions: { storage: ['read', 'write'], principals: ['delegate'] },
      subscribes: [{ event: 'echo.thing.done@1', key: '$.event_name' }],
    },
  );
  await Promise.all(
    Array.from({ length: 8 }, (_, n) =>
      host.call('POST', '/api/neira/events', { event_name: 'echo.thing.done', version: 1, payload: { n } }),
    ),
  );
  await expect.poll(() => engine.run('seen')).toEqual(Array(8).fill('granted'));
  const { replayed, same } = await replayAll(host);
  expect([replayed >= 8, same]).toEqual([true, replayed]);
});

test('the test beside an engine grants its principals and sees what each of them did', async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'neira-engine-'));
  try {
    writeFileSync(
      path.join(folder, 'manifest.yaml'),
      'id: engine\nversion: 0.1.0\nkind: script\nentry: main.ts\npermissions: {principals: [delegate]}\n',
    );
    writeFileSync(
      path.join(folder, 'main.ts'),
      `import { as, register } from 'neira:host/principals';
       export function handle({ payload }) {
         if (payload.join) register({ id: 'p', title: 'P', permissions: { bus: { publish: ['ui.notify'] } } });
         else as('p').bus.publish('ui.notify', { text: 'good morning', level: 'info' });
       }`,
    );
    await using plugin = await bootPlugin(pathToFileURL(`${folder}/`), { grant: 'all' });
    await plugin.send('engine.run', { join: true });
    await expect(plugin.send('engine.run', {})).rejects.toMatchObject({ details: { principal: 'p' } });
    await plugin.grantPrincipal('p');
    const { effects } = await plugin.send('engine.run', {});
    expect(effects).toMatchObject([{ op: 'publish', as: 'p', event: { subject: 'ui.notify', as: 'p' } }]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
