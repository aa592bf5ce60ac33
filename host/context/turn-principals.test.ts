import { expect, test } from 'vitest';
import { type PluginPolicy, type StateReader, TurnContext, type TurnOrigin } from '../turn-context.ts';
import { TurnRandom } from './turn-random.ts';
import { TurnState } from './turn-state.ts';

const permissions = {
  storage: ['read', 'write'],
  bus: { publish: [], subscribe: [] },
  io: { ports: [], http: [] },
  secrets: [],
};
const text = JSON.stringify(permissions);
const READER: StateReader = {
  begin() {},
  end() {},
  get(_plugin, key) {
    const value = { k: '"own"', 'principal:p/k': '"of p"' }[key];
    return value === undefined ? undefined : { value, version: 1 };
  },
  scan: () => [],
  lastOf: () => 0,
  records: () => [],
  principal: (_plugin, id) => (id.startsWith('p') ? { version: 3, asked: text, grants: text } : undefined),
};
const HOST_CALLS = 50;
const ORIGIN: TurnOrigin = {
  turnId: 't',
  eventId: 'e',
  correlationId: 'c',
  tenant: 't',
  caller: 'write',
  mode: 'normal',
  dryRun: false,
  startedAtMs: 5,
  attempts: 0,
  subscriptions: '[]',
};

const engine = (state = new TurnState()) => {
  const policy = {
    plugin: 'demo',
    limits: { hostCalls: HOST_CALLS },
    asked: ['principals.delegate'],
    granted: ['principals.delegate'],
    gate: { id: 'g', stage: 'stable' },
  } as unknown as PluginPolicy;
  return new TurnContext(policy, ORIGIN, READER, new TurnRandom(Buffer.alloc(32), 't'), undefined, state);
};

test('the switch ends with its turn, also within a batch; what was staged is seen by the next', () => {
  const state = new TurnState();
  const first = engine(state);
  first.principals.actAs('p');
  first.set('k', '"new"');
  const next = engine(state);
  expect(next.principals.acting).toBeUndefined();
  expect(next.get('k')?.value).toBe('"own"');
  next.principals.actAs('p');
  expect(next.get('k')).toEqual({ key: 'k', value: '"new"', version: 0 });
  expect(first.effects).toEqual([{ op: 'set', key: 'principal:p/k', value: '"new"', as: 'p' }]);
});

test('who is removed in a batch is unknown to the turns behind, and comes back with nothing granted', () => {
  const state = new TurnState();
  engine(state).arrange({ op: 'principal.remove', id: 'p' });
  const next = engine(state);
  expect(() => next.principals.actAs('p')).toThrow(
    expect.objectContaining({ code: 'NEIRA_PRINCIPAL_UNKNOWN' }),
  );
  next.arrange({ op: 'principal.register', principal: { id: 'p', title: 'P', asked: text }, max: 1 });
  next.principals.actAs('p');
  expect(() => next.require('storage.read')).toThrow(
    expect.objectContaining({ code: 'NEIRA_PERMISSION_DENIED' }),
  );
});

test('a refused switch changes nothing, and who is chosen while another acts is the plugin’s choice', () => {
  const turn = engine();
  turn.principals.actAs('p');
  expect(() => turn.principals.actAs('nobody')).toThrow();
  expect(turn.principals.acting?.id).toBe('p');
  turn.principals.actAs('p2');
  expect(turn.principals.source).toBe('plugin:demo/p2');
  expect(() => turn.require('principals.delegate')).toThrow(/cannot delegate any further/);
  turn.principals.actAs(undefined);
  turn.require('principals.delegate');
  expect(turn.reads.principals).toEqual([
    { id: 'p', version: 3 },
    { id: 'nobody', version: 0 },
    { id: 'p2', version: 3 },
  ]);
});

test('looking up who acts is a host call once; switching to and fro is none', () => {
  const turn = engine();
  for (let n = 0; n < HOST_CALLS; n++) turn.principals.actAs('p');
  for (let n = 1; n < HOST_CALLS; n++)
    expect(() => turn.principals.actAs(`x${n}`)).toThrow(
      expect.objectContaining({ code: 'NEIRA_PRINCIPAL_UNKNOWN' }),
    );
  expect(() => turn.principals.actAs('x')).toThrow(
    expect.objectContaining({ code: 'NEIRA_HOST_CALLS_EXCEEDED' }),
  );
});
