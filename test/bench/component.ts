/**
 * One turn of a component – a fresh image, fuel, limits – against the same guest called by jco without any of these and
 * by Extism; the way through a cell; how soon a registered one is live, and what fifty take.
 */
import { compileFunction } from 'node:vm';
import { MessageChannel, Worker } from 'node:worker_threads';
import { transpileBytes } from '@bytecodealliance/jco-transpile';
import { transform } from 'esbuild';
import { buildComponent } from '../../host/sandbox/component/build/build-component.ts';
import { ComponentInstance } from '../../host/sandbox/component/component-instance.ts';
import type { EngineInstance } from '../../host/sandbox/engine.ts';
import { type CellData, type Program, SLOT_WORDS } from '../../host/sandbox/messages.ts';
import type { HostCalls } from '../../host/sandbox/run-result.ts';
import { COMPONENT_GATES, spawnHost } from '../kit/boot-host.ts';
import { componentOf } from '../kit/component.ts';
import { echoComponent, echoForExtism } from './component-guests.ts';
import { atLeast, atMost, interleave, mb, median, ms, ratio, type Section, times, us } from './kit.ts';
import { residentBytes } from './size.ts';
import { EVENT_JSON } from './work.ts';

const ROUNDS = 40;
const IN_FLIGHT = 64;
const BATCHES = 400;
const LIVE = 15;
const MANY = 50;
const SETTLE_MS = 1500;
const MAX_MEMORY_BYTES = 64 * 1024 * 1024;
const MB = 1024 * 1024;
/** `handle` of the envelope answers it, and an envelope is no reply: an object without actions is one. */
const LIMITS = { turnMs: 1000, cpuMs: 50, memoryMb: 64, outputBytes: 256 * 1024 };

const host: HostCalls = {
  call: () => 'U',
  randomBytes: (count) => new Uint8Array(count),
  nowMs: () => Date.now(),
};
const budget = () => ({
  softFuel: 5_000_000,
  hardFuel: 5_000_000,
  wallDeadlineMs: performance.now() + LIMITS.turnMs,
  maxOutputBytes: LIMITS.outputBytes,
});

/** As somebody would call it who uses jco and nothing else. */
async function plainJco(component: Uint8Array): Promise<(input: string) => string> {
  const { files } = (await transpileBytes(component, {
    name: 'echo',
    instantiation: 'sync',
    base64Cutoff: 0,
    emitTypescriptDeclarations: false,
  } as never)) as { files: Record<string, Uint8Array> };
  const { code } = await transform(Buffer.from(files['echo.js']!).toString(), { format: 'cjs' });
  const module = { exports: {} as { instantiate(...args: unknown[]): { handle(input: string): string } } };
  compileFunction(code, ['module', 'exports'])(module, module.exports);
  const instance = module.exports.instantiate(
    (name: string) => new WebAssembly.Module(files[name]!),
    {},
    (core: WebAssembly.Module, imports: WebAssembly.Imports) => new WebAssembly.Instance(core, imports),
  );
  return (input) => instance.handle(input);
}

async function turn(instance: EngineInstance): Promise<string> {
  const result = await instance.run(EVENT_JSON, host, budget());
  if (result.kind !== 'value') throw new Error(`the turn ended with ${result.kind}`);
  if (!instance.isReusable) throw new Error('the instance cannot be put back');
  instance.reset();
  return result.json!;
}

async function inThread(component: Uint8Array, image: ComponentInstance['image']) {
  const plain = await plainJco(component);
  const instance = ComponentInstance.restore(image);
  const { default: createPlugin } = await import('@extism/extism');
  const extism = await createPlugin({ wasm: [{ data: await echoForExtism() }] }, { useWasi: false });
  const worker = await createPlugin(
    { wasm: [{ data: await echoForExtism() }] },
    {
      useWasi: false,
      runInWorker: true,
    },
  );
  for (const answer of [
    plain(EVENT_JSON),
    await turn(instance),
    (await extism.call('echo', EVENT_JSON))!.text(),
  ])
    if (answer !== EVENT_JSON) throw new Error('the contenders do not do the same work');
  const found = await interleave(
    [
      {
        name: 'jco',
        count: 1000,
        run(count) {
          for (let index = 0; index < count; index++) plain(EVENT_JSON);
        },
      },
      {
        name: 'neira',
        count: 1000,
        async run(count) {
          for (let index = 0; index < count; index++) await turn(instance);
        },
      },
      {
        name: 'extism',
        count: 200,
        async run(count) {
          for (let index = 0; index < count; index++) (await extism.call('echo', EVENT_JSON))!.text();
        },
      },
      {
        name: 'extism worker',
        count: 100,
        async run(count) {
          for (let index = 0; index < count; index++) (await worker.call('echo', EVENT_JSON))!.text();
        },
      },
    ],
    ROUNDS,
  );
  await extism.close();
  await worker.close();
  return found;
}

/** Turns a second through one cell, many in flight. */
async function throughCell(image: Program['image']): Promise<number> {
  const { port1, port2 } = new MessageChannel();
  const data: CellData = {
    slot: new SharedArrayBuffer(SLOT_WORDS * 4),
    records: port2,
    root: undefined,
  };
  const worker = new Worker(new URL('./component-cell.ts', import.meta.url), {
    workerData: data,
    transferList: [port2],
  });
  const program: Program = {
    generation: 1,
    plugin: 'bench',
    limits: LIMITS,
    image,
    sourceMap: '',
    policy: {},
  };
  worker.postMessage({ type: 'program', program });
  let attempt = 0;
  const send = (count: number) => {
    const batch = Array.from({ length: count }, () => ({
      attempt: ++attempt,
      generation: 1,
      envelope: EVENT_JSON,
      dryRun: false,
    }));
    worker.postMessage({ type: 'deliveries', batch: JSON.stringify(batch) });
  };
  const all = IN_FLIGHT * BATCHES;
  let done = 0;
  let startedMs = 0;
  const seconds = await new Promise<number>((resolve) => {
    port1.on('message', ([records]: [string]) => {
      const count = (JSON.parse(records) as unknown[]).length;
      done += count;
      // The first batches warm it up.
      if (startedMs === 0 && done >= all / 4) startedMs = performance.now();
      if (done >= all) return resolve((performance.now() - startedMs) / 1000);
      if (attempt < all) send(count);
    });
    send(IN_FLIGHT);
  });
  await worker.terminate();
  port1.close();
  return (all * 0.75) / seconds;
}

/** From the call that enables a component, built before, to its first answer. */
async function liveMs(): Promise<number> {
  await using neira = await spawnHost({ gates: COMPONENT_GATES, env: { NEIRA_LOG: 'error' } });
  const component = await echoComponent();
  const register = (id: string) =>
    neira.component({ id, ui: { buttons: [{ id, title: id, event: `${id}.go` }] } }, component);
  await register('bench.first');
  const found: number[] = [];
  for (let n = 0; n < LIVE; n++) {
    const started = performance.now();
    const { status, body } = await register(`bench.p${n}`);
    if (status !== 201) throw new Error(JSON.stringify(body));
    found.push(performance.now() - started);
  }
  return median(found);
}

/** Of each of many that have served. */
async function residentEach(): Promise<number> {
  await using neira = await spawnHost({ gates: COMPONENT_GATES, env: { NEIRA_LOG: 'error' } });
  const settle = () => new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
  const serve = async (n: number) => {
    const id = `bench.p${n}`;
    const component = await componentOf({ more: `(data (i32.const 64) "${n}")` });
    const manifest = { id, ui: { buttons: [{ id, title: id, event: `${id}.go` }] } };
    const registered = await neira.component(manifest, component);
    const { status, body } = await neira.event(id);
    if (status !== 200) throw new Error(JSON.stringify([registered.body, body]));
  };
  await serve(0);
  await settle();
  const before = residentBytes(neira.process.pid!);
  for (let n = 1; n <= MANY; n++) await serve(n);
  await settle();
  return (residentBytes(neira.process.pid!) - before) / MANY;
}

export async function run(): Promise<Section> {
  const component = await echoComponent();
  const built = await buildComponent(component, { maxMemoryBytes: MAX_MEMORY_BYTES });
  const { image } = await ComponentInstance.boot(built, host, budget());
  const found = await inThread(component, image);
  const of = (name: string) => found.get(name)!;
  const perSecond = await throughCell(image);
  const live = await liveMs();
  const resident = await residentEach();
  return {
    name: 'component (nothing durable, but for the last two)',
    rows: [
      { what: 'jco alone, one instance for all calls', figure: us(median(of('jco'))) },
      { what: 'turn of Neira, fresh image, fuel, limits', figure: us(median(of('neira'))) },
      { what: 'Extism, one instance for all calls', figure: us(median(of('extism'))) },
      { what: 'Extism in its worker, one at a time', figure: us(median(of('extism worker'))) },
      atMost('turn : jco alone', ratio(of('neira'), of('jco')), 1.5, times),
      { what: 'turn : Extism, which starts from no image', figure: times(ratio(of('neira'), of('extism'))) },
      atLeast('turns a second through a cell', perSecond, 50_000, (value) => Math.round(value).toString()),
      atLeast(
        'Extism in its worker : turn through a cell',
        (median(of('extism worker')) * perSecond) / 1e6,
        1,
        times,
      ),
      atMost('registered, built before → live', live, 60, ms),
      atMost(`resident, each of ${MANY}`, resident, 12 * MB, mb),
    ],
    notes: [
      `the guest answers the event of ${Buffer.byteLength(EVENT_JSON)} bytes; sides interleaved in ${ROUNDS} rounds; medians, ratios by round`,
      `through a cell: ${IN_FLIGHT} in flight, sessions that do nothing; live: upload, checks, boot, commit (power)`,
    ],
  };
}
