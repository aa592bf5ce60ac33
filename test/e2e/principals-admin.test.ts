import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { bootHost, eventFiles, SCRIPT_GATES, type TestHost } from '../kit/boot-host.ts';
import { ACTING, ASK, Engine, echo, STORE } from './principal-kit.ts';

/** What administrators see and decide of the principals of plugins (design §4, "Delegation"; HOST-42). */

let host: TestHost;

beforeAll(async () => {
  host = await bootHost({ gates: SCRIPT_GATES });
  await echo(host);
});
afterAll(() => host.close());

const journal = async () =>
  (
    (await host.call('GET', '/api/neira/journal?limit=1000')).body.entries as Record<string, unknown>[]
  ).filter(({ action }) => String(action).startsWith('principal.'));

test('what is registered is listed with what it asks for, what it was granted and what is pending', async () => {
  const engine = await Engine.register(host, 'listing', ACTING);
  expect(await engine.principals()).toEqual([]);
  const permissions = { storage: ['read', 'write'], bus: { publish: ['echo.ask'] } };
  await engine.run('join', { id: 'morning', title: 'Good morning', permissions, digest: 'sha256:aa' });
  await engine.grant('morning', { storage: ['read'] });
  const time = expect.stringMatching(/^\d{4}-.*Z$/);
  expect(await engine.principals()).toEqual([
    {
      id: 'morning',
      title: 'Good morning',
      digest: 'sha256:aa',
      permissions: expect.objectContaining({ storage: ['read', 'write'] }),
      grants: expect.objectContaining({ storage: ['read'] }),
      pending_consent: ['storage.write', 'bus.publish:echo.ask'],
      registered_at: time,
      updated_at: time,
    },
  ]);
});

test('each change is journaled with who made it; the same registration again is no change', async () => {
  const engine = await Engine.register(host, 'noting', ACTING);
  for (const _ of [1, 2, 3]) await engine.run('join', { id: 'p', permissions: STORE });
  await engine.grant('p', { storage: ['write'] });
  await engine.run('join', { id: 'p', permissions: STORE, digest: 'v2' });
  await engine.run('leave', { id: 'p' });
  await engine.run('join', { id: 'p' });
  expect((await host.call('DELETE', `${engine.path}/p`)).status).toBe(204);
  const entries = (await journal()).filter(({ target }) => target === 'noting/p');
  expect(entries.map(({ action, actor }) => [action, actor])).toEqual([
    ['principal.registered', 'plugin:noting'],
    ['principal.granted', 'admin'],
    ['principal.updated', 'plugin:noting'],
    ['principal.removed', 'plugin:noting'],
    ['principal.registered', 'plugin:noting'],
    ['principal.removed', 'admin'],
  ]);
  expect(entries[0]!['after']).toMatchObject({ pending_consent: ['storage.read', 'storage.write'] });
  expect(entries[1]).toMatchObject({ before: { storage: [] }, after: { storage: ['write'] } });
  expect(entries[3]!['before']).toMatchObject({ digest: 'v2', grants: { storage: ['write'] } });
});

test('a plugin registers no more principals than its limit says; one that is there already may change', async () => {
  const engine = await Engine.register(host, 'limited', ACTING, {
    permissions: { principals: ['delegate'] },
    limits: { principals: 2 },
  });
  for (const id of ['a', 'b']) await engine.run('join', { id });
  const third = await engine.send('join', { id: 'c' });
  expect(third.body).toMatchObject({ code: 'NEIRA_TOO_MANY', what: 'principals', max: 2 });
  await engine.run('join', { id: 'b', title: 'Another' });
  expect((await engine.principals()).map(({ id, title }) => [id, title])).toEqual([
    ['a', 'The a'],
    ['b', 'Another'],
  ]);
});

test('all principals of a plugin together may be granted so many events, whose schemas every cell holds', async () => {
  const engine = await Engine.register(host, 'outspoken', ACTING);
  const publish = (n: number) => Array.from({ length: 64 }, (_, m) => `outspoken.p${n}.e${m}`);
  for (const n of [1, 2, 3, 4, 5])
    await engine.run('join', { id: `p${n}`, permissions: { bus: { publish: publish(n) } } });
  for (const n of [1, 2, 3, 4]) await engine.grant(`p${n}`);
  const fifth = await host.call('PUT', `${engine.path}/p5/grants?grant=all`);
  expect(fifth).toMatchObject({ status: 429, body: { code: 'NEIRA_TOO_MANY', max: 256 } });
  await engine.grant('p1', {});
  await engine.grant('p5');
});

test('a delayed send is taken back by the principal that sent it, or by the plugin, and goes with its principal', async () => {
  const engine = await Engine.register(
    host,
    'delaying',
    `${ACTING}
     later({ id }) { return as(id).io.send('console', 'all', 'later', { at: new Date(Date.now() + 3_600_000) }); },
     cancel({ id, send }) { (id ? as(id).io : io).cancel(send); },
     both() { as('b').io.cancel(as('a').io.send('console', 'all', 'both', { at: new Date(Date.now() + 3_600_000) })); },`,
  );
  for (const id of ['a', 'b']) {
    await engine.run('join', { id, permissions: { io: { ports: ['console'] } } });
    await engine.grant(id);
  }
  using db = new DatabaseSync(path.join(host.home, 'neira.db'), { readOnly: true });
  const waiting = () => db.prepare('select count(*) as n from delayed_send').get()!['n'];
  const [first, second] = [await engine.run('later', { id: 'a' }), await engine.run('later', { id: 'a' })];
  await engine.run('cancel', { id: 'b', send: first });
  expect(waiting()).toBe(2);
  await engine.run('cancel', { id: 'a', send: first });
  await engine.run('cancel', { send: second });
  expect(waiting()).toBe(0);
  await engine.run('both');
  expect(waiting()).toBe(1);
  await engine.run('leave', { id: 'a' });
  expect(waiting()).toBe(0);
});

test('what a principal saves into a chat says who did', async () => {
  const engine = await Engine.register(
    host,
    'noting_down',
    `${ACTING} note({ id }) { as(id).storage.saveMessage({ chatId: 'c', sessionId: 's', role: 'scenario', text: 'morning' }); },`,
  );
  await engine.run('join', { id: 'p', permissions: STORE });
  await engine.grant('p');
  await engine.run('note', { id: 'p' });
  const { results } = (await host.call('GET', '/api/neira/search?chat=c')).body;
  expect(results).toMatchObject([{ plugin: 'noting_down', principal: 'p', text: 'morning' }]);
});

test('a turn that fails has registered and removed nobody', async () => {
  const engine = await Engine.register(
    host,
    'failing',
    `${ACTING} half({ id }) { register({ id, title: 'T' }); remove('kept'); throw new Error('half way'); },`,
  );
  await engine.run('join', { id: 'kept' });
  expect((await engine.send('half', { id: 'new' })).status).toBe(500);
  expect((await engine.principals()).map(({ id }) => id)).toEqual(['kept']);
});

test('log lines and failures name the principal; metrics do not', async () => {
  const engine = await Engine.register(host, 'telling', ACTING);
  await engine.run('join', { id: 'loud:one', permissions: STORE });
  await engine.run('say', { id: 'loud:one' });
  const { lines } = (await host.call('GET', '/api/neira/plugins/telling/logs')).body;
  expect(lines).toMatchObject([
    { message: 'of loud:one', principal: 'loud:one' },
    { message: 'of the plugin' },
  ]);
  expect(lines[1]).not.toHaveProperty('principal');
  const failed = await engine.send('fail', { id: 'loud:one' });
  expect(failed.body).toMatchObject({
    code: 'NEIRA_PERMISSION_DENIED',
    principal: 'loud:one',
    file: 'main.ts',
    remedy: expect.stringContaining('neira plugin grant telling --principal loud:one'),
  });
  const { recent_errors: errors } = (await host.call('GET', '/api/neira/plugins/telling')).body;
  expect(errors.at(-1)).toMatchObject({ details: { principal: 'loud:one' } });
  expect((await host.call('GET', '/metrics')).body).not.toContain('loud:one');
});

test('top-level code and prepare() act as nobody and register nobody', async () => {
  const bodies = [
    `import { as } from 'neira:host/principals'; export function prepare() { as('p').storage.get('k'); } export function handle() {}`,
    `import { register } from 'neira:host/principals'; register({ id: 'p', title: 'P' }); export function handle() {}`,
  ];
  for (const source of bodies) {
    const permissions = { storage: ['read'], principals: ['delegate'] };
    const answer = await host.script({ id: 'tooearly', permissions }, source);
    expect(answer.body).toMatchObject({
      code: 'NEIRA_BOOT_FAILED',
      cause: 'NEIRA_PERMISSION_DENIED',
      file: 'main.ts',
    });
  }
});

test('a grant that is taken away while its turn waits counts: nothing of that turn is kept', async () => {
  const engine = await Engine.register(
    host,
    'revoked',
    `${ACTING}
     async slowly({ id }) {
       const me = as(id);
       me.storage.set('before', 1);
       const answer = await me.bus.request('keeper.ask', 'wait');
       me.storage.set('after', answer);
     },`,
  );
  // What it asks waits in a mailbox until this gate opens.
  const gate = { id: 'keeper_gate', title: 'Keeper' };
  const keeper = await host.script(
    { id: 'keeper', gates: [gate], gate: gate.id, subscribes: [{ event: 'keeper.ask@1' }] },
    { 'main.ts': 'export function handle() { return { result: 1 }; }', ...eventFiles('keeper.ask@1!') },
  );
  expect(keeper.status, JSON.stringify(keeper.body)).toBe(201);
  await engine.run('join', { id: 'p', permissions: { ...STORE, bus: { publish: ['keeper.ask'] } } });
  await engine.grant('p');
  using db = new DatabaseSync(path.join(host.home, 'neira.db'), { readOnly: true });
  const waiting = () => db.prepare(`select count(*) as n from delivery where plugin = 'keeper'`).get()!['n'];
  const ended = engine.send('slowly', { id: 'p' });
  await expect.poll(waiting).toBe(1);
  await engine.grant('p', { storage: ['read'], bus: { publish: ['keeper.ask'] } });
  await host.open(gate.id);
  expect((await ended).body).toMatchObject({
    code: 'NEIRA_PERMISSION_DENIED',
    principal: 'p',
    permission: 'storage.write',
    missing: 'granted',
  });
  expect(await engine.run('keys')).toEqual([]);
});

test('deliveries of a batch that act as different principals, and as none, do not meet', async () => {
  const engine = await Engine.register(
    host,
    'batching',
    `${ACTING}
     heard(_, { payload: { by, n } }) {
       if (by === 'nobody') storage.append('log', n);
       else if (by === 'leaver') { as('a').storage.append('log', n); }
       else as(by).storage.append('log', n);
     },
     counts() { return ['log/', 'principal:a/log/', 'principal:b/log/'].map((prefix) => storage.list(prefix, { limit: 1000 }).map(({ value }) => value)); },`,
    {
      permissions: { storage: ['read', 'write'], principals: ['delegate'] },
      subscribes: [{ event: 'echo.thing.done@1', key: '$.event_name' }],
    },
  );
  for (const id of ['a', 'b']) {
    await engine.run('join', { id, permissions: STORE });
    await engine.grant(id);
  }
  const order = ['a', 'nobody', 'b', 'leaver', 'nobody', 'a', 'b', 'nobody'];
  const all = Array.from({ length: 64 }, (_, n) => ({ by: order[n % order.length]!, n }));
  await Promise.all(
    all.map((payload) =>
      host.call('POST', '/api/neira/events', { event_name: 'echo.thing.done', version: 1, payload }),
    ),
  );
  const wanted = (...by: string[]) => all.filter((each) => by.includes(each.by)).map(({ n }) => n);
  await expect
    .poll(async () => (await engine.run('counts')).map((list: number[]) => [...list].sort((x, y) => x - y)))
    .toEqual([wanted('nobody'), wanted('a', 'leaver'), wanted('b')]);
});

test('two plugins have principals of the same name and nothing else in common', async () => {
  const [one, two] = [
    await Engine.register(host, 'twin_one', ACTING),
    await Engine.register(host, 'twin_two', ACTING),
  ];
  for (const engine of [one, two]) await engine.run('join', { id: 'same', permissions: STORE });
  await one.grant('same');
  await one.run('write', { id: 'same', key: 'k', value: 'of one' });
  expect(await two.run('read', { id: 'same', key: 'k' })).toMatchObject({ code: 'NEIRA_PERMISSION_DENIED' });
  await two.grant('same');
  expect(await two.run('read', { id: 'same', key: 'k' })).toEqual({ value: null });
});

test('principals outlive updates and rollbacks of their plugin, and go with its data', async () => {
  const engine = await Engine.register(host, 'lasting', ACTING, { version: '1.0.0' });
  await engine.run('join', { id: 'p', permissions: STORE });
  await engine.grant('p');
  await engine.run('write', { id: 'p', key: 'k', value: 'kept' });
  const found = async () => (await engine.run('read', { id: 'p', key: 'k' })).value?.value;
  const update = await engine.save(`${ACTING} more() {},`, { version: '1.1.0' }, '');
  expect(update.status, JSON.stringify(update.body)).toBe(200);
  expect(await found()).toBe('kept');
  await host.call('POST', '/api/neira/plugins/lasting/rollback', {});
  expect(await found()).toBe('kept');
  // Its own grants are gone with it, and so are those of whom it acts for.
  await host.call('DELETE', '/api/neira/plugins/lasting');
  await engine.save(ACTING, { version: '1.0.0' });
  expect(await engine.principals()).toMatchObject([{ id: 'p', grants: { storage: [] } }]);
  await engine.grant('p');
  expect(await found()).toBe('kept');
  await host.call('DELETE', '/api/neira/plugins/lasting?data=drop');
  await engine.save(ACTING, { version: '1.0.0' });
  expect(await engine.principals()).toEqual([]);
});

test('principals, their grants and what they may publish are there after a restart', async () => {
  const home = mkdtempSync(path.join(tmpdir(), 'neira-principals-'));
  try {
    const ask = `${ACTING} ask({ id }) { return tried(() => as(id).bus.request('echo.ask', 1)); },`;
    {
      await using first = await bootHost({ home, gates: SCRIPT_GATES });
      await echo(first);
      const engine = await Engine.register(first, 'engine', ask);
      for (const id of ['granted', 'not']) await engine.run('join', { id, permissions: ASK });
      await engine.grant('granted');
    }
    await using second = await bootHost({ home });
    const call = async (id: string) => {
      const sent = { tool_id: 'engine', event: 'engine.run', params: { job: 'ask', id }, context: {} };
      return (await second.call('POST', '/api/neira/ui/events', sent)).body.actions[0].answer;
    };
    await expect.poll(() => call('granted')).toMatchObject({ value: { source: 'plugin:engine/granted' } });
    expect(await call('not')).toMatchObject({ code: 'NEIRA_PERMISSION_DENIED' });
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
});

test('a plugin that registers and removes without end is stopped before it fills the journal', async () => {
  const engine = await Engine.register(
    host,
    'churning',
    'churn({ times, from }) { for (let n = 0; n < times; n++) register({ id: "p", title: "T" + (from + n) }); },',
    {
      permissions: { principals: ['delegate'] },
      limits: { host_calls: 100_000, cpu_ms: 5000, turn_ms: 10_000 },
    },
  );
  const answers: number[] = [];
  for (let from = 0; from < 6; from++)
    answers.push((await engine.send('churn', { times: 1000, from: from * 1000 })).status);
  expect(answers).toEqual([200, 200, 200, 200, 200, 429]);
  using db = new DatabaseSync(path.join(host.home, 'neira.db'), { readOnly: true });
  const rows = db.prepare(`select count(*) as count from journal where line like '%"churning/p"%'`).get()!;
  expect(rows['count']).toBe(5000);
});
