/**
 * CPU of one durable turn, all threads added up: the pencil's turns driven in-process through the spine, the cell
 * and the writer, without HTTP.
 */
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { DEFAULT_TENANT, sealEnvelope } from '../../host/bus/envelope.ts';
import { EventRegistry } from '../../host/bus/event-registry.ts';
import { buildVersion, type Version } from '../../host/registry/candidate.ts';
import { checkedSettings, policyOf, schemasFor } from '../../host/registry/policy.ts';
import { CellPool } from '../../host/sandbox/pool.ts';
import { openStore } from '../../host/store/store.ts';
import { type Serving, Turns } from '../../host/turn.ts';
import { unhandled } from '../kit/unhandled.ts';
import { atMost, median, ms, quantile, type Section, us } from './kit.ts';
import { EVENT_JSON, HANDLER_BODY } from './work.ts';

const IN_FLIGHT = 32;
const WARM_UP_MS = 4000;
const ROUNDS = 5;
const TURNS = 3000;

const PENCIL = {
  tool_id: 'pencil',
  params: {
    points: [
      [12, 20],
      [14, 22],
      [17, 25],
      [21, 29],
      [26, 32],
      [32, 36],
    ],
    color: '#cc3300',
    size: 4,
  },
};
/** Reads its state, counts, writes it back: what the prototypes of the design measured as one step. */
const STEP = `import { get, set } from 'neira:host/storage';
function work(ev) {${HANDLER_BODY}
}
export function handle(event) {
  const { key, body } = event.payload;
  set(key, (get(key)?.value ?? 0) + 1);
  return work(body);
}`;

interface Driver {
  turn(slot: number): Promise<void>;
}

/** A spine over a real store, durability `power`, with one cell. */
async function openSpine(home: string) {
  const store = await openStore({
    writer: new URL('../../host/writer-main.ts', import.meta.url),
    home,
    durability: 'power',
  });
  let turns: Turns;
  const pool = await CellPool.open(
    {
      size: 1,
      entry: new URL('../../host/cell-main.ts', import.meta.url),
      connect: () => store.connectCell(),
      root: { databasePath: store.databasePath, secret: Buffer.alloc(32, 1) },
    },
    {
      onDry: (attempt, record) => turns.onDry(attempt, record),
      onCut: (attempts) => turns.onCut(attempts),
      onLost: (lost) => turns.onLost(lost),
      onWait: (...wait) => turns.onWait(...wait),
      onSuspended: (...suspended) => turns.onSuspended(...suspended),
    },
  );
  turns = new Turns({
    cells: 1,
    send: (cell, deliveries) => pool.send(cell, deliveries),
    settled: (cell, attempt) => pool.settled(cell, attempt),
    submit: (record) => store.submit(record),
    fence: (cell) => store.retireCell(cell),
    waits: {
      request: unhandled,
      answer: (...answer) => pool.answer(...answer),
      abort: (...abort) => pool.abort(...abort),
    },
    perform: () => {},
    quarantine: () => {},
  });
  store.onTurnAck((acks) => {
    for (const ack of acks) turns.acknowledge(ack);
  });
  let generations = 0;

  async function driver(
    version: Version,
    event: string,
    payloadOf: (slot: number) => unknown,
  ): Promise<Driver> {
    const { manifest, code, sourceMap } = version;
    const gate = { id: manifest.gate, stage: 'experimental' } as const;
    const settings = checkedSettings(manifest, {});
    const events = schemasFor(manifest, EventRegistry.load());
    const policy = policyOf(manifest, version.digest, gate, manifest.permissions, settings, events);
    const { limits } = policy;
    const { image } = await pool.boot({ plugin: manifest.id, limits, code, sourceMap, policy });
    const generation = ++generations;
    pool.install({ generation, plugin: manifest.id, limits, image, sourceMap, policy });
    const { id } = manifest;
    const state = { id, state: 'enabled' } as const;
    const serving: Serving = { id, state, generation, policy, concurrency: 1, writes: true };
    return {
      async turn(slot) {
        const eventId = randomUUID();
        const atMs = Date.now();
        const envelope = sealEnvelope({
          id: eventId,
          eventName: event,
          version: 1,
          atMs,
          source: 'bench',
          correlationId: eventId,
          causationId: null,
          tenant: DEFAULT_TENANT,
          headers: {},
          payloadJson: JSON.stringify(payloadOf(slot)),
        });
        const result = await turns.deliver(serving, {
          eventId,
          subject: event,
          envelope,
          key: `slot-${slot}`,
          caller: 'admin',
          mode: 'normal',
          dryRun: false,
          deadlineAtMs: atMs + 60_000,
        });
        if (result.kind !== 'committed' || result.outcome.status !== 'ok')
          throw new Error(JSON.stringify(result));
      },
    };
  }
  const close = async () => {
    await pool.close();
    await store.close();
  };
  return { driver, close };
}

async function drive({ turn }: Driver, count: number, inFlight: number): Promise<readonly number[]> {
  const latencies: number[] = [];
  let left = count;
  const client = async (slot: number) => {
    while (left-- > 0) {
      const started = performance.now();
      await turn(slot);
      latencies.push(performance.now() - started);
    }
  };
  await Promise.all(Array.from({ length: inFlight }, (_, slot) => client(slot)));
  return latencies;
}

async function measure(driver: Driver) {
  const until = performance.now() + WARM_UP_MS;
  while (performance.now() < until) await drive(driver, 200, IN_FLIGHT);
  const cpu: number[] = [];
  const perSecond: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const before = process.cpuUsage();
    const started = performance.now();
    await drive(driver, TURNS, IN_FLIGHT);
    const { user, system } = process.cpuUsage(before);
    cpu.push((user + system) / TURNS);
    perSecond.push((TURNS * 1000) / (performance.now() - started));
  }
  const single = await drive(driver, 200, 1);
  return { cpu: median(cpu), perSecond: median(perSecond), singleMs: quantile(single, 0.5) };
}

async function versionOf(folder: string): Promise<Version> {
  return buildVersion(folder, { signatures: { require: false, trusted: {} } });
}

export async function run(): Promise<Section> {
  const home = mkdtempSync(path.join(tmpdir(), 'neira-bench-'));
  const spine = await openSpine(home);
  try {
    const pencil = await versionOf(
      fileURLToPath(new URL('../../plugins/scripts/ui_pencil', import.meta.url)),
    );
    const step = { ...pencil, code: STEP.replace(/import .*;\n/, '') };
    step.code = `import { get, set } from 'neira:host/storage';\n${step.code}`;
    const granted = { ...pencil.manifest.permissions, storage: ['read', 'write'] as const };
    const stepVersion = { ...step, manifest: { ...pencil.manifest, id: 'bench.step', permissions: granted } };
    const body = JSON.parse(EVENT_JSON) as unknown;
    const stepDriver = await spine.driver(stepVersion as Version, 'bench.step', (slot) => ({
      key: `k${slot}`,
      body,
    }));
    const pencilDriver = await spine.driver(pencil, 'ui.pencil.draw', (slot) => ({
      ...PENCIL,
      context: { chat_id: `chat-${slot}`, session_id: 's' },
    }));
    const oneStep = await measure(stepDriver);
    const drawn = await measure(pencilDriver);
    const rows = (what: string, { perSecond, singleMs }: typeof drawn) => [
      { what: `${what}: turns a second at ${IN_FLIGHT} in flight`, figure: String(Math.round(perSecond)) },
      { what: `${what}: one in flight, p50`, figure: ms(singleMs) },
    ];
    return {
      name: 'durable (in-process, durability power)',
      rows: [
        atMost('read, count, write: CPU a turn, all threads', oneStep.cpu, 150, us),
        ...rows('read, count, write', oneStep),
        { what: 'pencil: CPU a turn, all threads', figure: us(drawn.cpu) },
        ...rows('pencil', drawn),
      ],
      notes: [
        `${ROUNDS} rounds of ${TURNS} committed turns after ${WARM_UP_MS / 1000} s of warming up; the driver's own time is in it`,
      ],
    };
  } finally {
    await spine.close();
    rmSync(home, { recursive: true, force: true });
  }
}
