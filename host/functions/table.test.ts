import { expect, test } from 'vitest';
import contract from '../../abi/types/functions.json' with { type: 'json' };
import type { Mode } from '../../gates/gates.ts';
import { eventFiles } from '../../test/kit/boot-host.ts';
import { readPluginEvents } from '../bus/event-files.ts';
import { TurnRandom } from '../context/turn-random.ts';
import { type PluginPolicy, type StateReader, TurnContext } from '../turn-context.ts';
import { callHostFunction, hostFunctions } from './table.ts';

/** What the functions do with what only a component could pass; what authors see is in test/conformance. */

const LIMITS = {
  turnMs: 200,
  waitMs: 10_000,
  cpuMs: 50,
  memoryMb: 32,
  hostCalls: 50,
  publishes: 10,
  outputBytes: 1000,
  logBytes: 1000,
  storageMb: 10,
  requests: 20,
  requestsPerMinute: 120,
  responseBytes: 100_000,
};
const ALL = ['storage.read', 'storage.write', 'io.send:console', 'bus.publish:a.b.done'];
const DONE = readPluginEvents('demo', new Map(Object.entries(eventFiles('a.b.done@1'))))[0]!;
const EMPTY: StateReader = {
  begin() {},
  end() {},
  get: () => undefined,
  scan: () => [],
  lastOf: () => 0,
  principal: () => undefined,
  records: () => [],
};

function turnOf(
  changes: Partial<PluginPolicy> = {},
  origin: { mode?: Mode; dryRun?: boolean } = {},
): TurnContext {
  const policy: PluginPolicy = {
    plugin: 'demo',
    version: 'v1',
    gate: { id: 'g', stage: 'experimental' },
    asked: ALL,
    granted: ALL,
    publishes: ['a.b.done@1'],
    events: { 'a.b.done@1': DONE },
    retry: { max: 3, baseMs: 10, maxMs: 100 },
    limits: LIMITS,
    settings: '{"a":1}',
    ...changes,
  };
  return new TurnContext(
    policy,
    {
      turnId: 'e1:demo',
      eventId: 'e1',
      correlationId: 'c1',
      tenant: 't',
      caller: 'write',
      mode: 'normal',
      dryRun: false,
      startedAtMs: 1000,
      attempts: 0,
      subscriptions: '[]',
      ...origin,
    },
    EMPTY,
    new TurnRandom(Buffer.alloc(32), 'e1:demo'),
  );
}

function call(op: string, ...args: (string | undefined)[]): { code?: string; value?: unknown } {
  const answer = callHostFunction(turnOf(), op, args as string[]);
  if (answer === 'U') return {};
  const parsed = JSON.parse(answer.slice(1));
  return answer[0] === 'V' ? { value: parsed } : { code: parsed.code };
}

test('the table holds exactly the functions of the WIT', () => {
  expect([...hostFunctions.keys()].sort()).toEqual(contract.functions.map(({ op }) => op).sort());
});

test('an op that does not exist is refused', () => {
  const odd = [
    'storage.nothing',
    'constructor',
    '__proto__',
    '',
    'storage',
    'STORAGE.GET',
    'storage.get\0',
    'x'.repeat(10_000),
  ];
  for (const op of odd) expect(call(op, 'k'), op.slice(0, 20)).toEqual({ code: 'NEIRA_NOT_FOUND' });
});

test.each(['', '{', 'undefined', "{'a':1}", '{"a":1,}', 'NaN', '01', '"a', '\ufeff1', '1 2'])(
  'a value that is not JSON is refused: %j',
  (text) => {
    for (const [op, ...args] of [
      ['storage.set', 'k', text],
      ['storage.append', 'k', text],
      ['storage.save-annotation', text],
      ['storage.save-message', text],
      ['io.send', 'console', 'x', text],
      ['bus.publish', 'a.b.done', text],
    ] as const) {
      expect(call(op, ...args), op).toEqual({ code: 'NEIRA_VALUE_INVALID' });
    }
  },
);

test('a missing argument is refused and never a crash', () => {
  for (const op of hostFunctions.keys()) {
    const { code } = call(op);
    if (['io.log', 'storage.settings', 'storage.list', 'bus.delivery', 'principals.act-as'].includes(op))
      expect(code, op).toBeUndefined();
    else expect(code, op).toMatch(/^NEIRA_(VALUE_INVALID|UNKNOWN_EVENT|PERMISSION_DENIED)$/);
  }
});

test.each(['-1', '1.5', 'x', 'NaN', 'Infinity', '9007199254740993', '1e400'])('%s is no count', (text) => {
  expect(call('storage.set', 'k', '1', text)).toEqual({ code: 'NEIRA_VALUE_INVALID' });
  expect(call('storage.list', '', `{"limit":${text}}`)).toEqual({ code: 'NEIRA_VALUE_INVALID' });
  expect(call('bus.publish', 'a.b.done', '1', text)).toEqual({ code: 'NEIRA_VALUE_INVALID' });
});

test('a plugin cannot write its own members into a line of the record', () => {
  const turn = turnOf();
  const draft = {
    chatId: 'c',
    sessionId: 's',
    kind: 'k',
    data: 1,
    id: 'mine',
    plugin: 'other',
    ts: 'then',
    type: 'message',
    chat_id: 'x',
  };
  callHostFunction(turn, 'storage.save-annotation', [JSON.stringify(draft)]);
  const [effect] = turn.effects;
  if (effect?.op !== 'record') throw new Error('no record was staged');
  expect(JSON.parse(effect.line)).toEqual({
    id: effect.id,
    type: 'annotation',
    chat_id: 'c',
    session_id: 's',
    ts: '1970-01-01T00:00:01.000Z',
    plugin: 'demo',
    kind: 'k',
    data: 1,
  });
  expect(effect.line).not.toContain('\n');
});

test('a line of the record is one line, whatever is in it', () => {
  const turn = turnOf();
  const data = { text: 'a\nb\r\u2028\u2029\u0085', '\n': '\n' };
  callHostFunction(turn, 'storage.save-annotation', [
    JSON.stringify({ chatId: 'c', sessionId: 's', kind: 'k\n', data }),
  ]);
  const [effect] = turn.effects;
  expect(effect?.op === 'record' && effect.line.split(/\r|\n/)).toHaveLength(1);
});

test('the text that search looks at holds every string of the data', () => {
  const turn = turnOf();
  const data = { a: 'один', b: [{ c: 'два' }], n: 5 };
  callHostFunction(turn, 'storage.save-annotation', [
    JSON.stringify({ chatId: 'c', sessionId: 's', kind: 'stroke', data }),
  ]);
  expect(turn.effects[0]).toMatchObject({ op: 'record', text: 'stroke один два' });
});

test('calls beyond the limit end the turn instead of being answered', () => {
  const turn = turnOf({ limits: { ...LIMITS, hostCalls: 2 } });
  callHostFunction(turn, 'storage.get', ['k']);
  callHostFunction(turn, 'storage.get', ['k']);
  expect(() => callHostFunction(turn, 'storage.get', ['k'])).toThrow(
    expect.objectContaining({ code: 'NEIRA_HOST_CALLS_EXCEEDED' }),
  );
});

test('sends and events of one turn have ids of their own', () => {
  const turn = turnOf();
  for (let n = 0; n < 3; n++) {
    callHostFunction(turn, 'io.send', ['console', 'x', '1']);
    callHostFunction(turn, 'bus.publish', ['a.b.done', '1', '']);
  }
  const ids = turn.effects.map((effect) =>
    effect.op === 'publish' ? effect.event.id : 'id' in effect ? effect.id : '',
  );
  expect(new Set(ids).size).toBe(6);
  expect(ids[0]).toBe('e1:demo/1');
});

test.each([
  ['not asked', { asked: [] }, /manifest/],
  ['not granted', { granted: [] }, /grant/],
  ['its gate locked', { gate: { id: 'g', stage: 'locked' as const } }, /gate/],
])('a permission that is %s is refused with reason and remedy', (_why, policy, words) => {
  const answer = callHostFunction(turnOf(policy), 'storage.get', ['k']);
  expect(answer[0]).toBe('E');
  const { details, message } = JSON.parse(answer.slice(1));
  expect(`${message} ${details.reason} ${details.remedy}`).toMatch(words);
});
