import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { NeiraError } from '../errors.ts';
import { testDeadLetter } from '../http/test-api.ts';
import { type CliHost, startCliHost } from './test-kit.ts';

// What the `events` commands ask of the host, print, and how they end. BUS-27

let host: CliHost;

beforeAll(async () => {
  host = await startCliHost();
});
afterAll(() => host[Symbol.asyncDispose]());
beforeEach(() => {
  host.server.api.override({});
  host.server.api.calls.length = 0;
});

const asked = () => host.server.api.calls;

describe('publish', () => {
  test('sends the event with all that was said, and prints its id', async () => {
    const options = ['--header', 'locale=de', '--header', 'a=b=c', '--key', 'k', '--broadcast'];
    const at = '2030-01-01T00:00:00.000Z';
    const { code, stdout } = await host.run([
      'events',
      'publish',
      'order.placed@2',
      '{"n":1}',
      ...options,
      '--at',
      at,
    ]);
    expect([code, stdout]).toEqual([0, 'e1\n']);
    expect(asked()).toEqual([
      [
        'publishEvent',
        {
          event_name: 'order.placed',
          version: 2,
          payload: { n: 1 },
          headers: { locale: 'de', a: 'b=c', idempotency_key: 'k' },
          at,
          broadcast: true,
        },
        { traceparent: expect.any(String) },
      ],
    ]);
    expect(await host.json(['events', 'publish', 'order.placed', '[]'])).toEqual({ event_id: 'e1' });
  });

  test('a duplicate and a warning are told beside the result', async () => {
    host.server.api.override({
      publishEvent: async () => ({ event_id: 'e0', duplicate: true, warning: 'It is\u001b[31m deprecated.' }),
    });
    const { code, stdout, stderr } = await host.run(['events', 'publish', 'order.placed', '1']);
    expect([code, stdout]).toEqual([0, 'e0\n']);
    expect(stderr).toContain('nothing was done');
    expect(stderr).toContain('warning: It is deprecated.');
  });

  test('a refusal is 1, with the failing paths and what to do', async () => {
    host.server.api.override({
      async publishEvent() {
        const errors = [
          { path: 'payload.n', message: 'must be integer' },
          { path: 'payload.x', message: 'is unknown' },
        ];
        throw new NeiraError('NEIRA_EVENT_INVALID', { event: 'order.placed@1', reason: 'two', errors });
      },
    });
    const { code, stderr } = await host.run(['events', 'publish', 'order.placed', '{}']);
    expect(code).toBe(1);
    for (const part of ['NEIRA_EVENT_INVALID', 'payload.n: must be integer', 'Correct the paths'])
      expect(stderr).toContain(part);
  });

  test.each([
    [['publish', 'order.placed', '{n: 1}']],
    [['publish', 'Order', '{}']],
    [['publish', 'order.placed@x', '{}']],
    [['publish', 'order.placed', '{}', '--at', 'tomorrow']],
    [['publish', 'order.placed', '{}', '--header', 'nothing']],
    [['subscribe', 'order.>', '--count', '0']],
    [['tail', '--since', 'yesterday']],
    [['tail', '--after', '-1']],
    [['replay']],
    [['dlq', 'retry']],
    [['dlq', 'drop', '1', '--all']],
    [['dlq', 'retry', '--plugin', 'shop', '--all']],
    [['dlq', 'show', 'x']],
  ])('%j is not how it is used: 2, and nobody is asked', async (args) => {
    const { code, stdout, stderr } = await host.run(['events', ...args]);
    expect([code, stdout, stderr]).toEqual([2, '', expect.stringContaining('error:')]);
    expect(asked()).toEqual([]);
  });
});

test('topics, as a table and as JSON', async () => {
  const { code, stdout } = await host.run(['events', 'topics']);
  expect(code).toBe(0);
  expect(stdout).toContain('order.placed@1\tevent\tstable\tshop\tshop\tshop\t4\tAn order.\n');
  expect(await host.json(['events', 'topics'])).toMatchObject({ topics: [{ fqdn: 'order.placed@1' }] });
});

test('dead letters: list, show, export', async () => {
  const { stdout } = await host.run(['events', 'dlq', 'list', '--plugin', 'shop', '--limit', '5']);
  expect(stdout.split('\n')[1]!.split('\t').slice(2)).toEqual([
    'shop',
    'order.placed@1',
    '3',
    'NEIRA_PLUGIN_FAILED',
    'It threw.',
  ]);
  const shown = await host.run(['events', 'dlq', 'show', '7']);
  for (const part of ['e1', 'after 3 attempts', 'at main.ts:1']) expect(shown.stdout).toContain(part);
  expect(await host.json(['events', 'dlq', 'show', '7'])).toEqual(testDeadLetter());
  const exported = await host.run(['events', 'dlq', 'export', '--subject', 'order.>']);
  expect(JSON.parse(exported.stdout)).toEqual(testDeadLetter());
  const missing = await host.run(['events', 'dlq', 'show', '8']);
  expect([missing.code, missing.stderr]).toEqual([1, expect.stringContaining('NEIRA_NOT_FOUND')]);
  expect(asked()).toEqual([
    ['listDeadLetters', { plugin: 'shop' }, 0, 5],
    ['getDeadLetter', 7],
    ['getDeadLetter', 7],
    ['exportDeadLetters', { subject: 'order.>' }, 0],
    ['getDeadLetter', 8],
  ]);
});

test('dead letters: retry and drop by number, by filter and all', async () => {
  const retried = await host.run(['events', 'dlq', 'retry', '7', '8']);
  expect([retried.code, retried.stdout]).toEqual([0, '2 wait in their mailboxes again.\n']);
  expect(await host.json(['events', 'dlq', 'drop', '--all'])).toEqual({ dropped: 1 });
  await host.run(['events', 'dlq', 'drop', '--plugin', 'shop', '--subject', 'order.>']);
  expect(asked()).toEqual([
    ['retryDeadLetters', { ids: [7, 8] }],
    ['dropDeadLetters', { all: true }],
    ['dropDeadLetters', { plugin: 'shop', subject: 'order.>' }],
  ]);
});

test('a replay goes on until all is read, waits for a full mailbox, and is 1 when something was refused', async () => {
  const answers = [
    { replayed: 2, skipped: 1, refused: [], refused_count: 0, next: 9 },
    new NeiraError('NEIRA_MAILBOX_FULL', { plugin: 'shop', max: 1 }),
    {
      replayed: 1,
      skipped: 0,
      refused: [
        { event_id: 'e3', event_name: 'order.placed', code: 'NEIRA_EVENT_INVALID', message: 'no n' } as const,
      ],
      refused_count: 1,
      next: null,
    },
  ];
  host.server.api.override({
    async replayEvents() {
      const answer = answers.shift()!;
      if (answer instanceof NeiraError) throw answer;
      return answer;
    },
  });
  const { code, stdout, stderr } = await host.run([
    'events',
    'replay',
    '--since',
    '10m',
    '--until',
    '2030-01-01T00:00:00Z',
    '--subject',
    'order.>',
    '--json',
  ]);
  expect([code, JSON.parse(stdout)]).toMatchObject([1, { replayed: 3, skipped: 1, refused_count: 1 }]);
  expect(stderr).toContain('e3: no n (NEIRA_EVENT_INVALID)');
  expect(asked().map(([, body]) => body)).toMatchObject([
    { subject: 'order.>', until: '2030-01-01T00:00:00.000Z', after: 0 },
    { after: 9 },
    { after: 9 },
  ]);
  const since = Date.parse((asked()[0]![1] as { since: string }).since);
  expect(Date.now() - since).toBeGreaterThanOrEqual(600_000);
});

test('tail and subscribe print a line for each event; no host and a refused token are 1', async () => {
  const found = await host.run(['events', 'subscribe', 'order.*', '--count', '1', '--after', '3']);
  expect([found.code, found.stdout]).toEqual([0, '{"n":1}\n']);
  expect(asked()).toEqual([['tailEvents', { subject: 'order.*', after: 3 }, 15_000, expect.anything()]]);
  const nobody = await host.run(['events', 'tail'], { NEIRA_URL: 'http://127.0.0.1:9' });
  expect([nobody.code, nobody.stderr]).toEqual([1, expect.stringContaining('NEIRA_UNREACHABLE')]);
  const stranger = await host.run(['events', 'tail'], { NEIRA_TOKEN: 'wrong' });
  expect([stranger.code, stranger.stderr]).toEqual([1, expect.stringContaining('NEIRA_UNAUTHENTICATED')]);
});
