import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import contract from '../../abi/types/functions.json' with { type: 'json' };
import { bootHost, SCRIPT_GATES, type TestHost } from '../kit/boot-host.ts';
import { ADD } from './add-cases.ts';
import { APPEND } from './append-cases.ts';
import { BUS } from './bus-cases.ts';
import type { Case, Own } from './cases.ts';
import { HTTP } from './http-cases.ts';
import { INTL, TIMER } from './intl-cases.ts';
import { IO, RECORDS } from './other-cases.ts';
import { PRINCIPALS } from './principal-cases.ts';
import { ENGINES, PEER, Probe, SECRET, type Step } from './probe.ts';
import { ODD_RECORD_OPTIONS, RECORD_READS } from './record-cases.ts';
import { CONFIDENTIAL } from './secret-cases.ts';
import { DELETE, GET, LIST, SET } from './storage-cases.ts';

const CASES: readonly Case[] = [
  ...GET,
  ...SET,
  ...DELETE,
  ...LIST,
  ...ADD,
  ...APPEND,
  ...RECORDS,
  ...RECORD_READS,
  ...ODD_RECORD_OPTIONS,
  ...IO,
  ...HTTP,
  ...CONFIDENTIAL,
  ...BUS,
  ...PRINCIPALS,
  ...TIMER,
  ...INTL,
];
const FUNCTIONS = contract.functions.map(({ op }) => op);

/** A call of each function that all permissions allow. */
const GOOD_CALLS: Readonly<Record<string, Step>> = {
  'storage.get': ['storage.get', 'k'],
  'storage.set': ['storage.set', 'k', 1],
  'storage.delete': ['storage.delete', 'k'],
  'storage.list': ['storage.list', ''],
  'storage.add': ['storage.add', 'n', 1],
  'storage.append': ['storage.append', 'k', 1],
  'storage.save-annotation': ['storage.save-annotation', { chatId: 'c', sessionId: 's', kind: 'k', data: 1 }],
  'storage.save-message': ['storage.save-message', { chatId: 'c', sessionId: 's', role: 'user', text: 't' }],
  'storage.records': ['storage.records'],
  'storage.settings': ['storage.settings'],
  'io.log': ['io.log', 'info', 'line'],
  'io.secret': ['io.secret', SECRET],
  'io.mark-personal': ['io.mark-personal', { name: 'Ada Lovelace' }],
  'io.send': ['io.send', 'console', 'x', 1],
  'io.cancel': ['io.cancel', 'some-id'],
  'timer.sleep': ['timer.sleep', 1],
  'intl.call': ['intl.call', 'NumberFormat', 'format', ['ru'], {}, [1]],
  'io.request': ['io.request', { url: `${PEER.url}/v1` }],
  'bus.publish': ['bus.publish', 'probe.thing.done', 1],
  'bus.request': ['bus.request', 'probe.thing.ask', 1],
  'bus.ask': ['bus.ask', 'probe.thing.ask', 1],
  'bus.cancel': ['bus.cancel', 'some-id'],
  'bus.subscribe': ['bus.subscribe', { name: 'a', event: 'probe.thing.done' }],
  'bus.unsubscribe': ['bus.unsubscribe', 'a'],
  'bus.delivery': ['bus.delivery'],
  'principals.register': ['principals.register', { id: 'p', title: 'P' }],
  'principals.granted': ['principals.granted', 'p'],
  'principals.remove': ['principals.remove', 'p'],
  'principals.act-as': ['principals.act-as', 'p', 'bus.delivery'],
};
/** Its own settings, log and time, texts, and what it published, sent or subscribed to itself need no permission. */
const FREE = new Set([
  'storage.settings',
  'io.log',
  'io.mark-personal',
  'io.cancel',
  'bus.cancel',
  'bus.unsubscribe',
  'bus.delivery',
  'timer.sleep',
  'intl.call',
]);
/** Those that are not called like the family of their function. */
const PERMISSION_OF: Readonly<Record<string, string>> = {
  'io.secret': 'secrets.reveal',
  'storage.records': 'records.read',
};
const GUARDED = FUNCTIONS.filter((fn) => !FREE.has(fn));

test('every function of the WIT has its cases', () => {
  expect([...new Set(CASES.map(({ fn }) => fn))].sort()).toEqual([...FUNCTIONS].sort());
  expect(Object.keys(GOOD_CALLS).sort()).toEqual([...FUNCTIONS].sort());
});

describe.each(ENGINES)('$name', (engine) => {
  let host: TestHost;
  let probe: Probe;

  beforeAll(async () => {
    host = await bootHost({ gates: [...new Set([...SCRIPT_GATES, engine.gate])] });
    const properties = {
      greeting: { type: 'string', default: 'привет' },
      count: { type: 'integer', default: 3 },
    };
    probe = await Probe.register(host, engine, 'probe', {
      settings: { type: 'object', properties },
      limits: { output_kb: 1024 },
    });
  });
  afterAll(() => host.close());

  test.each(CASES.map((each, index) => [each.fn, each.claim, each, index] as const))(
    '%s: %s',
    async (_fn, _claim, { turns, answers }, index) => {
      const own: Own = (name) => `case${index}/${name}`;
      let last: unknown;
      for (const steps of turns(own)) last = await probe.run(steps);
      expect(last).toEqual(answers(own));
    },
  );

  const keysOf = (answer: unknown) => (answer as { value: { key: string }[] }).value.map(({ key }) => key);

  test('what list shows in the turn that staged it is what a later turn finds', async () => {
    const steps: Step[] = [
      ['storage.set', 'same/1', 1],
      ['storage.append', 'same/log', 'a'],
      ['storage.set', 'same/2', 2],
      ['storage.delete', 'same/1'],
      ['storage.list', 'same/'],
    ];
    const inside = keysOf((await probe.run(steps)).at(-1));
    expect(keysOf((await probe.run([['storage.list', 'same/']]))[0])).toEqual(inside);
  });

  test('a page of large values ends at 1 MB in both directions, and the next one goes on behind it', async () => {
    for (const name of 'abcdefgh')
      await probe.run([['storage.set', `large/${name}`, 'x'.repeat(256 * 1024 - 2)]]);
    for (const reverse of [false, true]) {
      const pages: string[] = [];
      for (let after = ''; ; after = `large/${pages.at(-1)!.at(-1)}`) {
        const [found] = await probe.run([['storage.list', 'large/', { after, limit: 1000, reverse }]]);
        const keys = keysOf(found).map((key) => key.slice('large/'.length));
        if (keys.length === 0) break;
        pages.push(keys.join(''));
      }
      expect(pages).toEqual(reverse ? ['hgf', 'edc', 'ba'] : ['abc', 'def', 'gh']);
    }
  });

  test('who added to what is committed as no number is refused when reading it', async () => {
    await probe.run([['storage.set', 'words', 'five']]);
    const steps: Step[] = [
      ['storage.add', 'words', 1],
      ['storage.get', 'words'],
      ['storage.list', 'words', { reverse: true }],
      ['storage.set', 'words', 5],
      ['storage.get', 'words'],
    ];
    const [added, got, listed, , mended] = await probe.run(steps, { query: '?dry_run=1' });
    expect([added, mended]).toMatchObject([{}, { value: { value: 5 } }]);
    for (const answer of [got, listed])
      expect(answer).toMatchObject({ code: 'NEIRA_ADD_REFUSED', details: { key: 'words' } });
  });

  test('a version that was read is good for one write, and rises with every write', async () => {
    await probe.run([['storage.set', 'cas', 'first']]);
    const versionOf = async () => {
      const [found] = await probe.run([['storage.get', 'cas']]);
      return (found!.value as { version: number }).version;
    };
    const version = await versionOf();
    expect(await probe.run([['storage.set', 'cas', 'second', version]])).toEqual([{}]);
    expect(await versionOf()).toBeGreaterThan(version);
    const [late] = await probe.run([['storage.set', 'cas', 'third', version]]);
    expect(late).toMatchObject({
      code: 'NEIRA_VERSION_MISMATCH',
      details: { key: 'cas', expected: version },
    });
    expect(await probe.stored('cas')).toBe('second');
  });

  test('settings are those that an administrator set', async () => {
    const settings = { greeting: 'hello' };
    expect((await host.call('PUT', '/api/neira/plugins/probe/settings', { settings })).status).toBe(200);
    await expect
      .poll(() => probe.run([['storage.settings']]))
      .toEqual([{ value: { greeting: 'hello', count: 3 } }]);
  });

  // MEM-02
  test('a secret is shown to who was granted to see it, and what would give it away is refused', async () => {
    const value = 'swordfish-42';
    expect((await host.call('PUT', `/api/neira/secrets/${SECRET}`, { value })).status).toBeLessThan(300);
    // The probe answers what it was answered.
    const refused = await probe.fail([['io.secret', SECRET]]);
    expect(refused).toMatchObject({
      code: 'NEIRA_SECRET_LEAK',
      secret: `[secret:${SECRET}]`,
      what: 'the reply',
    });
    expect(JSON.stringify(refused)).not.toContain(value);
    expect((await host.call('DELETE', `/api/neira/secrets/${SECRET}`)).status).toBe(204);
  });

  // MEM-04
  test('what is marked as personal is stored as it is and in no line of the log', async () => {
    const person = { name: 'Ada Lovelace', phones: ['+44 20 1234'] };
    await probe.run([
      ['io.log', 'info', 'before: Ada Lovelace'],
      ['io.mark-personal', person],
      ['storage.set', 'person', { of: person.name }],
    ]);
    await probe.run([
      ['io.log', 'info', 'unread: Ada Lovelace'],
      ['storage.get', 'person'],
      ['io.log', 'info', 'read: Ada Lovelace'],
    ]);
    expect(await probe.stored('person')).toEqual({ of: 'Ada Lovelace' });
    const said = (await probe.logs()).map(({ message }) => message).filter((line) => line.includes(': '));
    expect(said).toEqual(
      expect.arrayContaining(['before: [personal]', 'unread: [personal]', 'read: [personal]']),
    );
    expect(said.join()).not.toContain('Lovelace');
  });

  test('log lines are found under the plugin, with their levels', async () => {
    await probe.run([
      ['io.log', 'warn', 'осторожно 😀'],
      ['io.log', 'debug', ''],
    ]);
    const lines = await probe.logs();
    expect(lines).toContainEqual(expect.objectContaining({ level: 'warn', message: 'осторожно 😀' }));
    expect(lines).toContainEqual(expect.objectContaining({ level: 'debug', message: '' }));
  });

  // BUS-12
  test('a published event is sealed by the host: source, cause, correlation, tenant, time', async () => {
    const answer = await probe.send([['bus.publish', 'probe.thing.done', { a: 'я' }, { version: 2 }]]);
    const [{ value: id }] = answer.body.actions[0].answers;
    const { body } = await host.call('GET', '/api/neira/events?subject=probe.thing.done&limit=1000');
    const cause = answer.body.event_id;
    const at = body.events.findIndex((event: { id: string }) => event.id === id);
    expect(body.places[at]).toMatchObject({ disposition: 'published' });
    expect(body.events[at]).toMatchObject({
      event_name: 'probe.thing.done',
      version: 2,
      source: 'plugin:probe',
      causation_id: cause,
      correlation_id: cause,
      tenant: expect.any(String),
      headers: {},
      ts: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
      payload: { a: 'я' },
    });
  });

  test("one plugin never sees or touches another's keys", async () => {
    const other = await Probe.register(host, engine, 'other');
    await probe.run([
      ['storage.set', 'shared', 'of probe'],
      ['storage.append', 'sharedlog', 1],
    ]);
    const steps: Step[] = [
      ['storage.get', 'shared'],
      ['storage.list', 'shared'],
      ['storage.delete', 'shared'],
      ['storage.set', 'shared', 'of other'],
      ['storage.append', 'sharedlog', 2],
      ['storage.list', 'sharedlog/'],
    ];
    const [got, listed, , , , log] = await other.run(steps);
    expect([got, listed]).toEqual([{}, { value: [] }]);
    expect(log!.value).toMatchObject([{ key: 'sharedlog/0000000000000001', value: 2 }]);
    expect(await probe.stored('shared')).toBe('of probe');
  });

  // HOST-09, HOST-06
  describe('permissions', () => {
    let ungranted: Probe;
    let modest: Probe;

    beforeAll(async () => {
      ungranted = await Probe.register(host, engine, 'ungranted', {}, '?enable=1');
      modest = await Probe.register(host, engine, 'modest', { permissions: {}, publishes: [] });
    });

    test.each(GUARDED)('%s is refused when it was asked and not granted', async (fn) => {
      const [answer] = await ungranted.run([GOOD_CALLS[fn]!]);
      expect(answer).toMatchObject({
        code: 'NEIRA_PERMISSION_DENIED',
        details: {
          plugin: 'ungranted',
          permission: expect.stringContaining(PERMISSION_OF[fn] ?? fn.split('.')[0]!),
          remedy: expect.stringMatching(/grant/),
        },
      });
    });

    test.each(GUARDED)('%s is refused when the manifest does not ask for it', async (fn) => {
      const [answer] = await modest.run([GOOD_CALLS[fn]!]);
      const publishes = ['bus.publish', 'bus.request', 'bus.ask'].includes(fn);
      const code = publishes ? 'NEIRA_UNKNOWN_EVENT' : 'NEIRA_PERMISSION_DENIED';
      expect(answer).toMatchObject({ code, details: { plugin: 'modest' } });
    });

    test.each([...FREE])('%s needs none', async (fn) => {
      expect((await modest.run([GOOD_CALLS[fn]!]))[0]).not.toHaveProperty('code');
    });

    test('reading does not allow writing, nor writing reading', async () => {
      const reader = await Probe.register(host, engine, 'reader', { permissions: { storage: ['read'] } });
      const writer = await Probe.register(host, engine, 'writer', { permissions: { storage: ['write'] } });
      const both = ['storage.get', 'storage.set', 'storage.add'].map((fn) => GOOD_CALLS[fn]!);
      expect((await reader.run(both)).map(({ code }) => code)).toEqual([
        undefined,
        'NEIRA_PERMISSION_DENIED',
        'NEIRA_PERMISSION_DENIED',
      ]);
      expect((await writer.run(both)).map(({ code }) => code)).toEqual([
        'NEIRA_PERMISSION_DENIED',
        undefined,
        undefined,
      ]);
    });

    test('a grant that is given or taken counts from the next turn', async () => {
      const call = [GOOD_CALLS['storage.set']!];
      const grant = (permissions: unknown) =>
        host.call('PUT', '/api/neira/plugins/ungranted/grants', { permissions });
      expect((await grant({ storage: ['write'] })).status).toBe(200);
      expect(await ungranted.run(call)).toEqual([{}]);
      expect((await grant({})).status).toBe(200);
      expect(await ungranted.run(call)).toMatchObject([{ code: 'NEIRA_PERMISSION_DENIED' }]);
    });

    // HOST-41
    test('while the gate of the plugin is locked nothing of it runs', async () => {
      const gate = { id: 'probe_gate', title: 'Probe' };
      const gated = await Probe.register(host, engine, 'gated', { gates: [gate], gate: 'probe_gate' });
      const steps: Step[] = [['storage.set', 'ran', true]];
      expect(await gated.send(steps)).toMatchObject({
        status: 200,
        body: { mode: 'dry-run', ran: false, actions: [] },
      });
      await host.open('probe_gate');
      expect(await gated.stored('ran')).toBeUndefined();
      expect(await gated.run(steps)).toEqual([{}]);
      await host.call('PUT', '/api/neira/gates/probe_gate', { stage: 'locked' });
      expect(await gated.send(steps)).toMatchObject({ status: 200, body: { ran: false } });
    });
  });
});
