/**
 * The bus of a host inside this process, its parts joined as host/host.ts joins them, without HTTP, watcher and
 * clock: events go in through the gateway, and whoever sent one is told when its effects are committed.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import path from 'node:path';
import { EventGateway } from '../../host/app/event-gateway.ts';
import { Observers } from '../../host/app/observers.ts';
import { readPluginEvents } from '../../host/bus/event-files.ts';
import { folderOf } from '../../host/bus/event-names.ts';
import { deliveryProblem, EventRegistry } from '../../host/bus/event-registry.ts';
import { createLogger } from '../../host/log.ts';
import { Metrics } from '../../host/metrics.ts';
import {
  type Booted,
  bootVersion,
  buildVersion,
  storedForm,
  type Version,
} from '../../host/registry/candidate.ts';
import { loadGates } from '../../host/registry/gate-catalogue.ts';
import { GateService, requireAck } from '../../host/registry/gate-service.ts';
import { type KeptTurn, keptTurns, replayable } from '../../host/registry/kept-turns.ts';
import { parseRow } from '../../host/registry/live-plugin.ts';
import { parseManifest } from '../../host/registry/manifest.ts';
import { Registry } from '../../host/registry/registry.ts';
import { CellPool } from '../../host/sandbox/pool.ts';
import { createKvReader } from '../../host/store/reader.ts';
import type { AdminOp, Effect, PluginRow } from '../../host/store/records.ts';
import { openStore, type Store } from '../../host/store/store.ts';
import { openTracing } from '../../host/tracing.ts';
import { Turns } from '../../host/turn.ts';
import { Mailboxes } from '../../host/turns/mailboxes.ts';
import { unhandled } from '../kit/unhandled.ts';

export interface BusHost extends AsyncDisposable {
  readonly store: Store;
  /**
   * Registers plugins, enabled and granted, that do the job of the bench for each event that they hear. All run the
   * same code: it is bundled and booted once, since what is measured is the bus.
   */
  register(ids: readonly string[], more?: Record<string, unknown>): Promise<void>;
  /** Resolves when the event is durable. */
  publish(event: string, payload: unknown): Promise<{ readonly event_id: string }>;
  /** The same for one that a plugin hears; `done` resolves when what the plugin did is committed. */
  send(event: string, payload: unknown): Promise<{ readonly done: Promise<void> }>;
  /** A turn that ran, without its running: the writer commits its effects. */
  commit(plugin: string, effects: readonly Effect[]): Promise<void>;
  /** Runs the last recorded turns of a plugin again: how many came out the same. */
  replay(plugin: string, turns: number): Promise<number>;
  /** What waits for it stays in its mailbox, until it goes on. */
  pause(plugin: string, paused: boolean): void;
}

/** The event that a plugin brings and hears. */
export const jobOf = (plugin: string): string => `${plugin}.sent`;

const DONE = 'bench.shared.done';
const GATE = 'runtime_scripting';
const ADMIN = { actor: 'bench', tokenId: 'bench', scope: 'admin', mode: 'normal' } as const;

/** One write to storage and one publish. */
const SOURCE = `import { publish } from 'neira:host/bus';
import { set } from 'neira:host/storage';
export function handle({ payload }) {
  set(payload.key, payload);
  publish('${DONE}', { key: payload.key, n: payload.n });
}
`;

const MANIFEST = {
  version: '1.0.0',
  kind: 'script',
  entry: 'main.ts',
  permissions: { storage: ['read', 'write'] },
  publishes: [`${DONE}@1`],
  limits: { storage_mb: 1000 },
};

const schemaOf = (event: string, properties: Record<string, unknown>) =>
  JSON.stringify({
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    $id: `urn:neira:event:${event}:1.0.0`,
    'x-version': '1.0.0',
    type: 'object',
    required: Object.keys(properties),
    properties,
    additionalProperties: false,
  });

const KEY_AND_NUMBER = { key: { type: 'string' }, n: { type: 'integer' } };
const fileOf = (event: string) => `events/${folderOf(event, 1)}/schema.json`;

export async function openBusHost({ transcripts = true } = {}): Promise<BusHost> {
  const home = mkdtempSync(path.join(tmpdir(), 'neira-bench-bus-'));
  const log = createLogger({ level: 'error' });
  const store = await openStore({
    home,
    durability: 'power',
    writer: new URL('../../host/writer-main.ts', import.meta.url),
  });
  const observers = new Observers(new Metrics(), await openTracing(undefined, '0', log));
  store.onCommit((records, micros) => observers.committed(records, micros));
  let turns: Turns;
  const pool = await CellPool.open(
    {
      size: Math.max(1, availableParallelism() - 1),
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
  const waiting = new Map<string, () => void>();
  turns = new Turns({
    cells: pool.size,
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
    observe: {
      turnEnded(turn) {
        observers.turnEnded(turn);
        if (turn.end !== 'ok') throw new Error(`a job of ${turn.plugin} ended with ${turn.error}`);
        waiting.get(turn.event.eventId)?.();
        waiting.delete(turn.event.eventId);
      },
      turnRefused: (...refused) => observers.turnRefused(...refused),
      conflict: (plugin) => observers.conflict(plugin),
      cellLost: (reason) => observers.cellLost(reason),
    },
  });
  store.onTurnAck((acks) => {
    for (const ack of acks) turns.acknowledge(ack);
  });
  const gates = new GateService(loadGates(), store);
  await gates.set(ADMIN, GATE, 'experimental', true);
  const reader = createKvReader(store.databasePath);
  const events = EventRegistry.load();
  const registry = new Registry({
    mask: (value) => value,
    reveal: () => undefined,
    home,
    store,
    reader,
    pool,
    turns,
    gates,
    events,
    transcripts,
    changed: (plugin) => {
      mailboxes.wake(plugin);
      store.listen(registry.running());
    },
    log,
  });
  const paused = new Set<string>();
  const mailboxes = new Mailboxes({
    store,
    turns,
    serving: (plugin) => (paused.has(plugin) ? undefined : registry.servingOf(plugin)),
    mayRun: (serving, entry) => registry.mayRun(serving, { ...entry, mode: 'normal' }),
    mode: () => 'normal',
    problem: (entry) => deliveryProblem(events, entry),
    committed: (plugin) => registry.noteCommit(plugin),
    tick: async () => void requireAck(await store.submit({ kind: 'tick' })),
    log,
  });
  const gateway = new EventGateway({
    events,
    submit: (record) => store.submit(record),
    refused: () => {},
    warn: () => {},
  });
  const publish: BusHost['publish'] = (event_name, payload) =>
    gateway.publish(ADMIN, { event_name, payload }, {});
  await registry.start();
  store.onNews((news) => {
    observers.news(news);
    mailboxes.arrived(news);
  });
  mailboxes.start();

  let shared: { readonly version: Version; readonly booted: Booted } | undefined;

  async function build(id: string, more: Record<string, unknown>): Promise<Version> {
    const job = jobOf(id);
    const files = new Map([[fileOf(job), schemaOf(job, { ...KEY_AND_NUMBER, text: { type: 'string' } })]]);
    if (!shared) files.set(fileOf(DONE), schemaOf(DONE, KEY_AND_NUMBER));
    const manifest = { ...MANIFEST, id, subscribes: [{ event: `${job}@1` }], ...more };
    if (!shared) return buildFolder(manifest, files);
    const digest = Buffer.from(id).toString('hex').padEnd(64, '0');
    return {
      ...shared.version,
      digest,
      manifest: { ...parseManifest(manifest), events: readPluginEvents(id, files) },
    };
  }

  async function register(ids: readonly string[], more: Record<string, unknown> = {}): Promise<void> {
    const versions: Version[] = [];
    for (const id of ids) {
      const version = await build(id, more);
      const { manifest, digest } = version;
      shared ??= {
        version,
        booted: await bootVersion(
          pool,
          version,
          registry.policy({ manifest, grants: manifest.permissions, settings: {} }, digest),
        ),
      };
      versions.push(version);
    }
    const rows = versions.map((version) => rowsOf(version, home));
    await registry.commit(
      rows.flatMap(({ ops }) => ops),
      [],
    );
    for (const { plugin, version } of rows)
      registry.install(parseRow(plugin, version), shared!.booted, shared!.version.sourceMap);
  }

  return {
    store,
    register,
    publish,
    async send(event, payload) {
      const { event_id: eventId } = await publish(event, payload);
      return { done: new Promise((done) => waiting.set(eventId, done)) };
    },
    async commit(plugin, effects) {
      const turnId = `bench:${plugin}:${performance.now()}`;
      requireAck(
        await store.submit({
          kind: 'turn',
          turnId,
          plugin,
          version: '',
          gate: GATE,
          eventId: turnId,
          envelope: '{}',
          subject: 'bench.setup',
          caller: 'admin',
          startedAtMs: Date.now(),
          reads: { keys: [], ranges: [] },
          effects,
          outcome: { status: 'ok', actions: '[]' },
          fuel: 0,
          runMs: 0,
          storageMb: 1,
          logs: [],
        }),
      );
    },
    async replay(plugin, turns) {
      const kept: KeptTurn[] = [];
      for (const turn of keptTurns(store, plugin, { sinceMs: 0, untilMs: Number.MAX_SAFE_INTEGER })) {
        kept.push(turn);
        if (kept.length === turns) break;
      }
      const recorded = kept.map(replayable);
      const verdicts = await registry.replayer.replay(
        await registry.replayer.groundOf(recorded[0]!.transcript),
        recorded,
      );
      return verdicts.filter(({ kind }) => kind === 'same').length;
    },
    pause(plugin, isPaused) {
      if (isPaused) paused.add(plugin);
      else paused.delete(plugin);
      mailboxes.wake(plugin);
    },
    async [Symbol.asyncDispose]() {
      mailboxes.stop();
      await registry.close();
      await turns.drain();
      await pool.close();
      reader[Symbol.dispose]();
      await store.close();
      rmSync(home, { recursive: true, force: true });
    },
  };
}

/** What a registration commits. */
function rowsOf(version: Version, folder: string) {
  const { manifest, digest } = version;
  const nowMs = Date.now();
  const stored = storedForm(version, nowMs);
  const plugin: PluginRow = {
    id: manifest.id,
    kind: manifest.kind,
    state: 'enabled',
    digest,
    path: folder,
    origin: 'path',
    sourceDigest: digest,
    grants: JSON.stringify(manifest.permissions),
    settings: '{}',
    reason: null,
    lastError: null,
    registeredAtMs: nowMs,
    updatedAtMs: nowMs,
  };
  const ops: readonly AdminOp[] = [
    ...[...stored.blobs].map(
      ([name, bytes]): AdminOp => ({ op: 'blob.put', digest: name, bytes: bytes.toString('base64') }),
    ),
    { op: 'plugin.put', row: plugin },
    { op: 'version.put', row: stored.row, keep: 1 },
  ];
  return { plugin, version: stored.row, ops };
}

async function buildFolder(
  manifest: Record<string, unknown>,
  events: ReadonlyMap<string, string>,
): Promise<Version> {
  const folder = mkdtempSync(path.join(tmpdir(), 'neira-bench-plugin-'));
  try {
    const files = [...events, ['manifest.yaml', JSON.stringify(manifest)], ['main.ts', SOURCE]] as const;
    for (const [name, text] of files) {
      mkdirSync(path.dirname(path.join(folder, name)), { recursive: true });
      writeFileSync(path.join(folder, name), text);
    }
    return await buildVersion(folder, { signatures: { require: false, trusted: {} } });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
