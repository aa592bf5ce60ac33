import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Ack, TurnOutcome } from '../store/records.ts';
import { openStore, type Store } from '../store/store.ts';
import type { CellRoot, PluginPolicy, TurnDelivery } from '../turn-context.ts';
import type { Image } from './engine.ts';
import type { Program } from './messages.ts';
import { CellPool, type LostCell } from './pool.ts';
import { bundlePlugin } from './quickjs/bundle.ts';
import { folderOf } from './quickjs/test-instance.ts';

/** Real threads on a real store; what main would do with their answers is the test's. */

const LIMITS = {
  turnMs: 1000,
  waitMs: 10_000,
  cpuMs: 200,
  memoryMb: 32,
  hostCalls: 100,
  publishes: 10,
  outputBytes: 100_000,
  logBytes: 1000,
  storageMb: 10,
  requests: 20,
  requestsPerMinute: 120,
  responseBytes: 100_000,
};

let store: Store;
let pool: CellPool;
let acks: Extract<Ack, { ok: true }>[];
let lost: LostCell[];
let attempts = 0;
let generations = 0;

beforeEach(async () => {
  store = await openStore({
    writer: new URL('../writer-main.ts', import.meta.url),
    home: mkdtempSync(path.join(tmpdir(), 'neira-pool-')),
    durability: 'process',
  });
  acks = [];
  lost = [];
  store.onTurnAck((batch) => {
    for (const ack of batch) if (ack.ok) acks.push(ack);
  });
  const root: CellRoot = { databasePath: store.databasePath, secret: Buffer.alloc(32, 1) };
  pool = await CellPool.open(
    { size: 2, entry: new URL('../cell-main.ts', import.meta.url), connect: () => store.connectCell(), root },
    {
      onDry: () => {},
      onCut: () => {},
      onLost: (cell) => lost.push(cell),
      onWait: () => {},
      onSuspended: () => {},
    },
  );
});

afterEach(async () => {
  await pool.close();
  await store.close();
  rmSync(store.home, { recursive: true, force: true });
});

function policyOf(plugin: string, limits = LIMITS): PluginPolicy {
  const all = ['storage.read', 'storage.write'];
  return {
    plugin,
    version: plugin,
    gate: { id: 'g', stage: 'stable' },
    asked: all,
    granted: all,
    publishes: [],
    events: {},
    retry: { max: 3, baseMs: 10, maxMs: 100 },
    limits,
    settings: '{}',
  };
}

async function bootOnly(plugin: string, source: string) {
  const { code, map } = await bundlePlugin(folderOf(source), 'main.ts');
  const policy = policyOf(plugin);
  return { policy, map, booted: pool.boot({ plugin, limits: LIMITS, code, sourceMap: map, policy }) };
}

async function install(plugin: string, source: string): Promise<Program> {
  const { policy, map, booted } = await bootOnly(plugin, source);
  const { image } = await booted;
  const program = { generation: ++generations, plugin, limits: LIMITS, image, sourceMap: map, policy };
  pool.install(program);
  return program;
}

function send(
  cell: number,
  { generation, plugin }: Program,
  payload: unknown = null,
  changes: Partial<TurnDelivery> = {},
): TurnDelivery {
  const attempt = ++attempts;
  const delivery: TurnDelivery = {
    attempt,
    generation,
    turnId: `e${attempt}:${plugin}`,
    deliveryId: `e${attempt}:${plugin}`,
    eventId: `e${attempt}`,
    subject: 's',
    envelope: JSON.stringify({ payload }),
    caller: 'write',
    mode: 'normal',
    dryRun: false,
    deadlineAtMs: Date.now() + 10_000,
    ...changes,
  };
  pool.send(cell, [delivery]);
  return delivery;
}

async function outcomeOf({ turnId }: TurnDelivery): Promise<TurnOutcome> {
  await expect
    .poll(() => acks.some((ack) => ack.turnId === turnId), { interval: 2, timeout: 5000 })
    .toBe(true);
  return acks.find((ack) => ack.turnId === turnId)!.outcome!;
}

const run = async (cell: number, program: Program, payload?: unknown) =>
  outcomeOf(send(cell, program, payload));
const ok = (...actions: unknown[]) => ({ status: 'ok', actions: JSON.stringify(actions) });
const ECHO = 'export const handle = ({ payload }) => ({ actions: [{ payload }] });';
const counted = (version: number) => `
  import { get, set } from 'neira:host/storage';
  let global = 0;
  export const handle = () => { const n = (get('n')?.value ?? 0) + 1; set('n', n); return { actions: [{ n, global: ++global, version: ${version} }] }; };`;
const STUCK = 'export const handle = () => { while (true); };';

test('a program that booted in the spare runs in every cell, from the same image', async () => {
  const program = await install('a', counted(1));
  expect(await run(0, program)).toEqual(ok({ n: 1, global: 1, version: 1 }));
  expect(await run(1, program)).toEqual(ok({ n: 2, global: 1, version: 1 }));
  expect(await run(0, program)).toEqual(ok({ n: 3, global: 1, version: 1 }));
});

test('a swap serves the new version at once, while turns of the old one finish on theirs', async () => {
  const version = (n: number) => `export const handle = () => ({ actions: [{ version: ${n} }] });`;
  const old = await install('a', version(1));
  const before = [0, 1].map((cell) => send(cell, old));
  const next = await install('a', version(2));
  const late = send(0, old);
  expect(await run(0, next)).toEqual(ok({ version: 2 }));
  for (const delivery of [...before, late]) expect(await outcomeOf(delivery)).toEqual(ok({ version: 1 }));
  pool.unload(old.generation);
  expect(await run(0, next)).toMatchObject({ status: 'ok' });
  expect(await run(1, next)).toMatchObject({ status: 'ok' });
});

test('a policy that changed counts from the next turn, in cells that have the program and those that do not', async () => {
  const program = await install(
    'a',
    "import { set } from 'neira:host/storage'; export const handle = () => set('k', 1);",
  );
  expect(await run(0, program)).toMatchObject({ status: 'ok' });
  pool.setPolicy(program.generation, { ...policyOf('a'), granted: [] });
  for (const cell of [0, 1])
    expect(await run(cell, program)).toMatchObject({
      status: 'failed',
      error: { code: 'NEIRA_PERMISSION_DENIED' },
    });
});

test('boots wait for each other and fail one by one, each with its own reason', async () => {
  const boots = [
    await bootOnly('good', ECHO),
    await bootOnly('throws', "throw new Error('at the top');"),
    await bootOnly(
      'writes',
      "import { set } from 'neira:host/storage'; set('k', 1); export const handle = () => 1;",
    ),
    await bootOnly('last', ECHO),
  ].map(({ booted }) => booted);
  const results = await Promise.allSettled(boots);
  expect(results).toMatchObject([
    { status: 'fulfilled', value: { hasHandler: true } },
    {
      status: 'rejected',
      reason: { code: 'NEIRA_BOOT_FAILED', details: { plugin: 'throws', file: 'main.ts', line: 1 } },
    },
    {
      status: 'rejected',
      reason: { code: 'NEIRA_BOOT_FAILED', details: { plugin: 'writes', cause: 'NEIRA_PERMISSION_DENIED' } },
    },
    { status: 'fulfilled' },
  ]);
});

test('an endless boot is ended and says where; cells serve meanwhile, and the next boot works', async () => {
  const program = await install('good', ECHO);
  const endless = await bootOnly('endless', 'for (;;) Math.max(1, 2);');
  const refused = expect(endless.booted).rejects.toMatchObject({
    code: 'NEIRA_BOOT_FAILED',
    details: { plugin: 'endless', cause: 'NEIRA_CPU_EXCEEDED' },
  });
  expect(await run(0, program, 1)).toEqual(ok({ payload: 1 }));
  await refused;
  expect(await run(1, await install('after', ECHO), 2)).toEqual(ok({ payload: 2 }));
}, 20_000);

test('a turn over its computing time fails alone; the cell goes on', async () => {
  const [stuck, good] = [await install('stuck', STUCK), await install('good', ECHO)];
  const failing = send(0, stuck);
  const behind = send(0, good, 'behind');
  expect(await outcomeOf(failing)).toMatchObject({ status: 'failed', error: { code: 'NEIRA_CPU_EXCEEDED' } });
  expect(await outcomeOf(behind)).toEqual(ok({ payload: 'behind' }));
  expect(lost).toEqual([]);
});

test('a program that a cell cannot restore fails its own turn, and no other', async () => {
  const good = await install('good', ECHO);
  const { image, ...rest } = good;
  const unrestorable = { ...image, memoryMb: 100_000 } as Image;
  const broken: Program = { ...rest, generation: ++generations, image: unrestorable };
  pool.install(broken);
  expect(await outcomeOf(send(0, broken))).toMatchObject({ status: 'failed' });
  expect(await run(0, good, 2)).toEqual(ok({ payload: 2 }));
  expect(lost).toEqual([]);
});

test('reset never lets one plugin see what another left in the same cell', async () => {
  const leaver = await install(
    'leaver',
    "globalThis.left = 'at load'; export const handle = () => { globalThis.left = 'in a turn'; Object.prototype.left = 1; return {}; };",
  );
  const looker = await install(
    'looker',
    'export const handle = () => ({ actions: [{ left: globalThis.left ?? null, proto: {}.left ?? null }] });',
  );
  for (let turn = 0; turn < 3; turn++) {
    await run(0, leaver);
    expect(await run(0, looker)).toEqual(ok({ left: null, proto: null }));
  }
});

test('an instance that a cell has dropped to make room comes back from its image', async () => {
  const program = await install('first', counted(1));
  expect(await run(0, program)).toMatchObject({ status: 'ok' });
  const { image, policy, sourceMap } = program;
  for (let n = 0; n < 130; n++) {
    const other: Program = {
      generation: ++generations,
      plugin: `p${n}`,
      limits: LIMITS,
      image,
      policy: { ...(policy as PluginPolicy), plugin: `p${n}` },
      sourceMap,
    };
    pool.install(other);
    send(0, other);
  }
  expect(await run(0, program)).toEqual(ok({ n: 2, global: 1, version: 1 }));
}, 30_000);
