import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { bootHost, SCRIPT_GATES, type TestHost } from '../kit/boot-host.ts';
import { ASK, Engine, echo, REGISTER, STORE } from './principal-kit.ts';

/** Plugins that act for others (design §4, "Delegation"; ground for SCN-15, SCN-16, SCN-28). */

let host: TestHost;

beforeAll(async () => {
  host = await bootHost({ gates: SCRIPT_GATES });
  await echo(host);
});
afterAll(() => host.close());

const denied = (principal: string, permission: string, missing: string) =>
  expect.objectContaining({
    code: 'NEIRA_PERMISSION_DENIED',
    details: expect.objectContaining({ principal, permission, missing, remedy: expect.any(String) }),
  });

describe('requests', () => {
  let engine: Engine;

  beforeAll(async () => {
    engine = await Engine.register(
      host,
      'asking',
      `${REGISTER}
       both() { return Promise.all(['a', 'b'].map((id) => tried(() => as(id).bus.request('echo.ask', id)))); },
       async mixed({ times }) {
         const a = as('a'), c = as('c');
         const ask = async (me, n) => {
           const first = await me.bus.request('echo.ask', [me.id, n]);
           const second = await me.bus.request('echo.ask', [me.id, n, 'again']);
           return [me.id, first.source, second.source, await tried(() => request('echo.ask', n))];
         };
         const all = [];
         for (let n = 0; n < times; n++) all.push(ask(n % 2 ? a : c, n));
         return Promise.all(all);
       },
       own() { return tried(() => request('echo.ask', 1)); },`,
    );
    for (const id of ['a', 'b', 'c']) await engine.run('join', { id, permissions: ASK });
    await engine.grant('a');
    await engine.grant('c');
  });

  test('one principal was granted what another was not, and each gets what it may', async () => {
    const [a, b] = await engine.run('both');
    expect(a).toEqual({ value: { source: 'plugin:asking/a', payload: 'a' } });
    expect(b).toEqual(denied('b', 'bus.publish:echo.ask', 'granted'));
    expect(b.details.remedy).toContain('neira plugin grant asking --principal b');
    expect(b.details.reason).toContain('`b`');
  });

  test('what its principals may is of no use to the plugin itself', async () => {
    expect(await engine.run('own')).toMatchObject({ code: 'NEIRA_UNKNOWN_EVENT' });
  });

  test('promises of two principals that go on in any order are never mixed up, nor with the plugin’s own', async () => {
    const answers = await engine.run('mixed', { times: 8 });
    for (const [id, first, second, own] of answers) {
      expect([first, second]).toEqual([`plugin:asking/${id}`, `plugin:asking/${id}`]);
      expect(own).toMatchObject({ code: 'NEIRA_UNKNOWN_EVENT' });
    }
    expect(
      answers
        .map(([id]: [string]) => id)
        .sort()
        .join(''),
    ).toBe('aaaacccc');
  });
});

describe('storage', () => {
  let engine: Engine;

  beforeAll(async () => {
    engine = await Engine.register(
      host,
      'keeping',
      `${REGISTER}
       put({ as: id, key, value }) { (id ? as(id).storage : storage).set(key, value); },
       each({ as: id, steps }) {
         const where = id ? as(id).storage : storage;
         return Promise.all(steps.map(([fn, ...args]) => tried(() => where[fn](...args))));
       },
       sneak() {
         const a = as('a').storage, b = as('b').storage;
         a.set('outer', { toJSON() { b.set('inner', 'of b'); storage.set('plain', 'of the plugin'); return 'of a'; } });
         return [a.list(''), b.list(''), storage.get('plain')];
       },`,
    );
    for (const id of ['a', 'b', 'a:b']) {
      await engine.run('join', { id, permissions: STORE });
      await engine.grant(id);
    }
  });

  const each = (id: string | undefined, ...steps: unknown[][]) =>
    engine.run('each', { ...(id && { as: id }), steps });
  const keysOf = (answer: { value: { key: string }[] }) => answer.value.map(({ key }) => key);

  test('a principal has a key space of its own, in which every function works', async () => {
    const space = [
      ['set', 'k', 1],
      ['add', 'n', 2],
      ['append', 'log', 'x'],
      ['append', 'log', 'y'],
      ['set', 'gone', 0],
      ['delete', 'gone'],
    ];
    expect(await each('a', ...space)).toEqual(Array(6).fill({ value: null }));
    const [got, sum, all, tail, back] = await each(
      'a',
      ['get', 'k'],
      ['get', 'n'],
      ['list', ''],
      ['list', 'log/', { after: 'log/0000000000000001' }],
      ['list', '', { reverse: true, limit: 1 }],
    );
    expect(got.value).toMatchObject({ key: 'k', value: 1 });
    expect(sum.value).toMatchObject({ key: 'n', value: 2 });
    expect(keysOf(all)).toEqual(['k', 'log/0000000000000001', 'log/0000000000000002', 'n']);
    expect(keysOf(tail)).toEqual(['log/0000000000000002']);
    expect(keysOf(back)).toEqual(['n']);
  });

  test('what the turn staged is seen there as anywhere', async () => {
    const [, , got, listed] = await each(
      'b',
      ['set', 'staged', 1],
      ['append', 'pages', 'p'],
      ['get', 'staged'],
      ['list', ''],
    );
    expect(got.value).toEqual({ key: 'staged', value: 1, version: 0 });
    expect(keysOf(listed)).toEqual(['pages/0000000000000001', 'staged']);
  });

  test('no name leads out of it: not to the plugin, not to another principal', async () => {
    await engine.run('put', { key: 'secret', value: 'of the plugin' });
    await engine.run('put', { as: 'a:b', key: 'secret', value: 'of a:b' });
    const tries = [
      'secret',
      '../secret',
      '/secret',
      'b/secret',
      'principal:a:b/secret',
      '../principal:a:b/secret',
    ];
    const answers = await each(
      'b',
      ...tries.map((key) => ['get', key]),
      ['list', 'principal:'],
      ['list', '', { after: 'principal:a' }],
      ['list', 's', { reverse: true, after: '\u{10ffff}' }],
      ['list', '', { after: '\u0001' }],
      ['set', 'principal:a:b/secret', 'of b'],
      ['delete', 'secret'],
    );
    for (const answer of answers.slice(0, tries.length)) expect(answer).toEqual({ value: null });
    const listed = answers.slice(tries.length, tries.length + 4).flatMap(keysOf);
    for (const key of listed) expect(['pages/0000000000000001', 'staged']).toContain(key);
    const [own, other, inside] = await each(
      undefined,
      ['get', 'secret'],
      ['get', 'principal:a:b/secret'],
      ['get', 'principal:b/principal:a:b/secret'],
    );
    expect([own, other, inside].map(({ value }) => value.value)).toEqual(['of the plugin', 'of a:b', 'of b']);
  });

  test('the longest key of a principal is one that the plugin can read, and refusals spell keys as it does', async () => {
    const long = 'k'.repeat(512);
    const [set, tooLong, words, added, mismatch] = await each(
      'b',
      ['set', long, 1],
      ['set', `${long}k`, 1],
      ['set', 'words', 'five'],
      ['add', 'words', 1],
      ['set', 'words', 'six', 99],
    );
    expect([set, words]).toEqual([{ value: null }, { value: null }]);
    expect(tooLong).toMatchObject({ code: 'NEIRA_VALUE_TOO_LARGE', details: { principal: 'b' } });
    expect(added).toMatchObject({ code: 'NEIRA_ADD_REFUSED', details: { key: 'words', principal: 'b' } });
    expect(mismatch).toMatchObject({ code: 'NEIRA_VERSION_MISMATCH', details: { key: 'words' } });
    const [seen] = await each(undefined, ['get', `principal:b/${long}`]);
    expect(seen.value).toMatchObject({ key: `principal:b/${long}`, value: 1 });
  });

  test('code that runs while a value becomes text acts as whoever it says, and changes nobody else’s call', async () => {
    const [a, b, plain] = await engine.run('sneak');
    expect(a).toContainEqual({ key: 'outer', value: 'of a', version: 0 });
    expect(b).toContainEqual({ key: 'inner', value: 'of b', version: 0 });
    expect(plain).toMatchObject({ value: 'of the plugin' });
  });

  test('a dry run shows what would be staged, and as whom', async () => {
    const { body } = await engine.send('put', { as: 'a', key: 'k', value: 7 }, '?dry_run=1');
    expect(body.planned).toEqual([{ op: 'set', key: 'principal:a/k', value: 7, as: 'a' }]);
  });
});

describe('the bus', () => {
  const HEAR = { bus: { subscribe: ['echo.thing.>'], publish: ['echo.thing.done'] }, storage: ['write'] };
  let engine: Engine;

  beforeAll(async () => {
    engine = await Engine.register(
      host,
      'hearing',
      `${REGISTER}
       publish({ as: id, payload, options }) { return tried(() => as(id).bus.publish('echo.thing.done', payload, options)); },
       subscribe({ as: id, name }) { return tried(() => as(id).bus.subscribe({ name, event: 'echo.thing.done' })); },
       unsubscribe({ as: id, name }) { as(id).bus.unsubscribe(name); },
       cancel({ as: id, event }) { (id ? as(id).bus : bus).cancel(event); },
       leave({ id }) { remove(id); },
       heard(_, { source, payload }) { storage.append('heard', [source, payload, bus.delivery().subscriptions]); },
       all() { return storage.list('heard/').map(({ value }) => value); },`,
    );
    for (const id of ['speaker', 'listener', 'silent']) await engine.run('join', { id, permissions: HEAR });
  });

  const recorded = async () =>
    (await host.call('GET', '/api/neira/events?subject=echo.thing.done&limit=1000')).body.events as {
      source: string;
      payload: unknown;
      id: string;
    }[];

  test('with its grant a principal publishes what the plugin’s manifest does not name, under its own name', async () => {
    const before = await engine.run('publish', { as: 'speaker', payload: 1 });
    expect(before).toEqual(denied('speaker', 'bus.publish:echo.thing.done', 'granted'));
    await engine.grant('speaker');
    const { value: id } = await engine.run('publish', { as: 'speaker', payload: 'mine' });
    const found = (await recorded()).find((event) => event.id === id);
    expect(found).toMatchObject({ source: 'plugin:hearing/speaker', payload: 'mine' });
  });

  test('an event that joins the registry later can be published without a new boot', async () => {
    await engine.run('join', { id: 'early', permissions: { bus: { publish: ['late.thing.done'] } } });
    const late = await Engine.register(
      host,
      'latecomer',
      `${REGISTER} go() { return tried(() => as('early').bus.publish('late.thing.done', { a: 1 })); },`,
    );
    await late.run('join', { id: 'early', permissions: { bus: { publish: ['late.thing.done'] } } });
    await late.grant('early');
    expect(await late.run('go')).toMatchObject({ code: 'NEIRA_EVENT_UNREGISTERED' });
    await host.events('late.thing.done@1');
    await expect.poll(() => late.run('go')).toEqual({ value: expect.any(String) });
  });

  test('an idempotency key of one principal is not that of another', async () => {
    await engine.grant('silent');
    const options = { idempotencyKey: 'same' };
    for (const as of ['speaker', 'silent', 'silent'])
      await engine.run('publish', { as, payload: ['once', as], options });
    const once = (await recorded()).filter(({ payload }) => Array.isArray(payload) && payload[0] === 'once');
    expect(once.map(({ source }) => source).sort()).toEqual([
      'plugin:hearing/silent',
      'plugin:hearing/speaker',
    ]);
    await engine.grant('silent', {});
  });

  test('a principal hears by its own grants, and the plugin learns for whom', async () => {
    expect(await engine.run('subscribe', { as: 'listener', name: 'trigger' })).toEqual(
      denied('listener', 'bus.subscribe:echo.thing.>', 'granted'),
    );
    await engine.grant('listener', { bus: { subscribe: ['echo.thing.>'] } });
    await engine.run('subscribe', { as: 'listener', name: 'trigger' });
    await engine.run('publish', { as: 'speaker', payload: 'heard' });
    const place = ['plugin:hearing/speaker', 'heard', ['principal:listener/trigger']];
    await expect.poll(() => engine.run('all')).toEqual([place]);
    const topics = (await host.call('GET', '/api/neira/events/topics')).body.topics;
    expect(topics.find(({ fqdn }: { fqdn: string }) => fqdn === 'echo.thing.done@1')).toMatchObject({
      publishers: ['hearing/speaker'],
      subscribers: [{ plugin: 'hearing', principal: 'listener', subscription: 'principal:listener/trigger' }],
    });
    // Without the grant it hears nothing more, and with it again what comes from then on.
    await engine.grant('listener', {});
    await engine.run('publish', { as: 'speaker', payload: 'unheard' });
    await engine.grant('listener', { bus: { subscribe: ['echo.thing.>'] } });
    await engine.run('publish', { as: 'speaker', payload: 'again' });
    await expect
      .poll(async () => (await engine.run('all')).map((each: unknown[]) => each[1]))
      .toEqual(['heard', 'again']);
    // Nor when its plugin may not act for others any more.
    const grants = (principals: string[]) =>
      host.call('PUT', '/api/neira/plugins/hearing/grants', {
        permissions: { storage: ['read', 'write'], principals },
      });
    await grants([]);
    await host.call('POST', '/api/neira/events', {
      event_name: 'echo.thing.done',
      version: 1,
      payload: 'lost',
    });
    await grants(['delegate']);
    // Another's subscription of the same name is another one.
    await engine.run('unsubscribe', { as: 'speaker', name: 'trigger' });
    await engine.run('publish', { as: 'speaker', payload: 'still' });
    await expect.poll(async () => (await engine.run('all')).length).toBe(3);
  });

  test('a delayed event is taken back by who published it, or by the plugin; and it goes with its principal', async () => {
    const options = { at: new Date(Date.now() + 3_600_000).toISOString() };
    const later = async () =>
      (await engine.run('publish', { as: 'speaker', payload: 'later', options })).value;
    using db = new DatabaseSync(path.join(host.home, 'neira.db'), { readOnly: true });
    const waiting = () => db.prepare('select count(*) as count from delayed').get()!['count'];
    const [first, second] = [await later(), await later()];
    await engine.run('cancel', { as: 'silent', event: first });
    expect(waiting()).toBe(2);
    await engine.run('cancel', { as: 'speaker', event: first });
    expect(waiting()).toBe(1);
    await engine.run('cancel', { event: second });
    await later();
    expect(waiting()).toBe(1);
    await engine.run('leave', { id: 'speaker' });
    expect(waiting()).toBe(0);
    expect(await engine.run('publish', { as: 'speaker', payload: 1 })).toMatchObject({
      code: 'NEIRA_PRINCIPAL_UNKNOWN',
    });
  });

  test('a principal that is removed hears nothing more and leaves no keys', async () => {
    await engine.run('join', { id: 'speaker', permissions: HEAR });
    await engine.grant('speaker');
    await engine.run('leave', { id: 'listener' });
    await engine.run('publish', { as: 'speaker', payload: 'to nobody' });
    expect((await engine.run('all')).length).toBe(3);
    expect((await engine.principals()).map(({ id }) => id)).not.toContain('listener');
  });
});
