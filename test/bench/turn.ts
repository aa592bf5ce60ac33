/**
 * One turn inside a cell – `handle` with a 300-byte event from a fresh image, deadlines armed – against the
 * same work done without a sandbox, with `node:vm` and with a worker thread.
 */
import vm from 'node:vm';
import { guestCode } from '../../host/sandbox/quickjs/guest-code.ts';
import { Instance } from '../../host/sandbox/quickjs/instance.ts';
import { FUEL_PER_MS } from '../../host/sandbox/quickjs/layout.ts';
import type { HostCalls } from '../../host/sandbox/run-result.ts';
import {
  atLeast,
  atMost,
  type Contender,
  interleave,
  median,
  ratio,
  type Section,
  times,
  us,
} from './kit.ts';
import { EVENT_JSON, HANDLER_BODY, handle } from './work.ts';

const ROUNDS = 60;
const CPU_MS = 50;
const TURN_MS = 1000;
const OUTPUT_BYTES = 256 * 1024;

const host: HostCalls = {
  call: () => 'U',
  randomBytes: (count) => new Uint8Array(count),
  nowMs: () => Date.now(),
};

const budget = () => ({
  softFuel: CPU_MS * FUEL_PER_MS,
  hardFuel: CPU_MS * FUEL_PER_MS * 1.25,
  wallDeadlineMs: performance.now() + TURN_MS,
  maxOutputBytes: OUTPUT_BYTES,
});

export async function bootInstance(code: string): Promise<Instance> {
  const source = { ...(await guestCode()), code, name: 'plugin:bench' };
  return Instance.boot(source, 38, host, budget());
}

export function runTurn(instance: Instance): string {
  const result = instance.run(EVENT_JSON, host, budget());
  if (result.kind !== 'value') throw new Error(`the turn ended with ${result.kind}`);
  if (instance.fuelUsed <= 0) throw new Error('the turn was not metered');
  instance.reset();
  return result.json!;
}

const repeat = (work: () => unknown) => (count: number) => {
  for (let index = 0; index < count; index++) work();
};

export async function run(): Promise<Section> {
  const plugin = await bootInstance(`export function handle(ev) {${HANDLER_BODY}\n}`);
  const empty = await bootInstance('export function handle() {}');
  const plain = () => JSON.stringify(handle(JSON.parse(EVENT_JSON)));
  const expected = plain();
  const context = vm.createContext({ event: EVENT_JSON });
  vm.runInContext(`function handle(ev) {${HANDLER_BODY}\n}`, context);
  const script = new vm.Script('JSON.stringify(handle(JSON.parse(event)))');
  const inVm = () => script.runInContext(context, { timeout: TURN_MS }) as string;
  const { Piscina } = await import('piscina');
  const pool = new Piscina({
    filename: new URL('./piscina-worker.ts', import.meta.url).href,
    minThreads: 1,
    maxThreads: 1,
  });
  for (const result of [runTurn(plugin), runTurn(plugin), inVm(), await pool.run(EVENT_JSON)]) {
    if (result !== expected) throw new Error('the contenders do not do the same work');
  }

  let dirty = 0;
  const contenders: Contender[] = [
    { name: 'plain', count: 2000, run: repeat(plain) },
    { name: 'neira', count: 400, run: repeat(() => runTurn(plugin)) },
    {
      name: 'empty',
      count: 400,
      run: repeat(() => {
        empty.run(EVENT_JSON, host, budget());
        empty.reset();
      }),
    },
    { name: 'vm', count: 60, run: repeat(inVm) },
    {
      name: 'piscina',
      count: 60,
      async run(count) {
        for (let index = 0; index < count; index++) await pool.run(EVENT_JSON);
      },
    },
  ];
  const found = await interleave(contenders, ROUNDS);
  await pool.destroy();
  const of = (name: string) => found.get(name)!;
  let resetUs = 0;
  const resets = 2000;
  for (let index = 0; index < resets; index++) {
    plugin.run(EVENT_JSON, host, budget());
    const started = performance.now();
    dirty = plugin.reset();
    resetUs += (performance.now() - started) * 1000;
  }
  return {
    name: 'turn (in-thread, nothing durable)',
    rows: [
      { what: 'plain function + JSON', figure: us(median(of('plain'))) },
      { what: 'turn of Neira, fresh image, deadlines', figure: us(median(of('neira'))) },
      { what: 'the same, empty handler', figure: us(median(of('empty'))) },
      { what: 'node:vm with timeout', figure: us(median(of('vm'))) },
      { what: 'piscina, one worker round trip', figure: us(median(of('piscina'))) },
      atMost('turn : plain', ratio(of('neira'), of('plain')), 7, times),
      atLeast('node:vm with timeout : turn', ratio(of('vm'), of('neira')), 3, times),
      atLeast('piscina : turn', ratio(of('piscina'), of('neira')), 3, times),
      atMost(`reset of ${dirty} pages`, resetUs / resets, 20, us),
    ],
    notes: [
      `event of ${Buffer.byteLength(EVENT_JSON)} bytes; all sides interleaved in ${ROUNDS} rounds; medians, ratios by round`,
    ],
  };
}
