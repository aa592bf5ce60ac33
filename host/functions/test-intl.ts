/** Guests of the engine whose `Intl` is answered by the host function, as a cell does it; for tests. */

import { TurnRandom } from '../context/turn-random.ts';
import { TurnState } from '../context/turn-state.ts';
import { boot, PLUGIN } from '../sandbox/quickjs/test-instance.ts';
import type { Charge, HostCalls } from '../sandbox/run-result.ts';
import { type PluginPolicy, type StateReader, TurnContext } from '../turn-context.ts';
import { callHostFunction } from './table.ts';

export const NOW_MS = Date.UTC(2026, 10, 25, 1, 2, 3, 4);

const EMPTY: StateReader = {
  begin() {},
  end() {},
  get: () => undefined,
  scan: () => [],
  lastOf: () => 0,
  principal: () => undefined,
  records: () => [],
};
const POLICY: PluginPolicy = {
  plugin: PLUGIN,
  version: 'v1',
  gate: { id: 'g', stage: 'stable' },
  asked: [],
  granted: [],
  publishes: [],
  events: {},
  retry: { max: 0, baseMs: 10, maxMs: 10 },
  limits: {
    turnMs: 5000,
    waitMs: 1000,
    cpuMs: 500,
    memoryMb: 32,
    hostCalls: 10,
    publishes: 1,
    outputBytes: 1000,
    logBytes: 1000,
    requests: 20,
    requestsPerMinute: 120,
    responseBytes: 1024 * 1024,
    storageMb: 1,
  },
  settings: '{}',
};

export class IntlCalls implements HostCalls {
  /** Of the turns so far. */
  calls = 0;
  readonly observed: string[] = [];
  readonly #turn: TurnContext;

  constructor(observe?: (what: string, compute: () => string) => string) {
    const origin = {
      turnId: 'e:demo',
      eventId: 'e',
      correlationId: 'e',
      tenant: 't',
      caller: 'write',
      mode: 'normal',
      dryRun: false,
      startedAtMs: NOW_MS,
      attempts: 0,
      subscriptions: '[]',
    } as const;
    const random = new TurnRandom(Buffer.alloc(32), 'e:demo');
    const observed = (what: string, compute: () => string) => {
      this.observed.push(what);
      return observe ? observe(what, compute) : compute();
    };
    this.#turn = new TurnContext(POLICY, origin, EMPTY, random, undefined, new TurnState(), observed);
  }

  call(op: string, args: readonly string[], charge: Charge): string {
    this.calls++;
    return callHostFunction(this.#turn, op, args, charge);
  }

  randomBytes = (count: number) => new Uint8Array(count);
  nowMs = () => NOW_MS;
}

/**
 * Evaluates expressions, each in a turn of its own or all in one, by a plugin that names `Intl`. What is thrown is
 * answered as its name and message.
 */
export async function evaluator(head = '') {
  const plugin = await boot(`${head}
    Intl;
    export const handle = (sources) => sources.map((source) => {
      try { return { value: (0, eval)(source) }; } catch (error) { return { thrown: error.name }; }
    });`);
  return {
    plugin,
    all(sources: readonly string[], calls = new IntlCalls()): unknown[] {
      return plugin.value(sources, calls) as unknown[];
    },
  };
}
