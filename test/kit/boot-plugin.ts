/**
 * One plugin in the real sandbox of a real host, for the tests beside its source.
 *
 *     await using plugin = await bootPlugin(new URL('.', import.meta.url), { grant: 'all' });
 *     const { actions, effects, logs } = await plugin.send('ui.pencil.draw', { tool_id, params, context });
 */

import { randomUUID } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { NO_PERMISSIONS } from '../../host/base/permissions.ts';
import { DEFAULT_TENANT, sealEnvelope } from '../../host/bus/envelope.ts';
import { EventRegistry } from '../../host/bus/event-registry.ts';
import { REVEAL, type RevealCall } from '../../host/context/secret-reveal.ts';
import type { ReplayReport, Transcript } from '../../host/context/transcript.ts';
import { NeiraError } from '../../host/errors.ts';
import type { TurnFixture } from '../../host/http/turns-api.ts';
import { buildVersion } from '../../host/registry/candidate.ts';
import { checkedSettings, policyOf, schemasFor } from '../../host/registry/policy.ts';
import { type Verdict, verdictOf } from '../../host/registry/replayer.ts';
import { CellPool } from '../../host/sandbox/pool.ts';
import type { Effect, LogLine, TurnOutcome, TurnRecord } from '../../host/store/records.ts';
import { openStore } from '../../host/store/store.ts';
import { Turns } from '../../host/turn.ts';
import type { CellRoot } from '../../host/turn-context.ts';
import { unhandled } from './unhandled.ts';

const nameIn = (args: string) => (JSON.parse(args) as RevealCall).name;

export interface PluginOptions {
  /** `all` grants what the manifest asks, `none` nothing. */
  readonly grant?: 'all' | 'none';
  readonly settings?: unknown;
  /** What `io.secret` shows, where the manifest asks to see it. */
  readonly secrets?: Readonly<Record<string, string>>;
  /** Where built components are kept from boot to boot. */
  readonly components?: string;
}

export interface BootedPlugin extends AsyncDisposable {
  /** One committed turn. @throws NeiraError with the code of the failure */
  send(
    event: string,
    payload: unknown,
    options?: { readonly headers?: Readonly<Record<string, string>> },
  ): Promise<{
    readonly actions: readonly Record<string, unknown>[];
    readonly effects: readonly Effect[];
    readonly logs: readonly LogLine[];
  }>;
  /** Grants a principal that the plugin registered all that it asks for. */
  grantPrincipal(id: string): Promise<void>;
  /** Runs a recorded turn again on this source, with the permissions and settings that it had. */
  replay(fixture: TurnFixture): Promise<Verdict>;
  close(): Promise<void>;
}

/** The turns that `neira turns fixture` kept in `fixtures/`, by the name of their file. */
export function recordedTurns(folder: URL): readonly { readonly name: string; readonly turn: TurnFixture }[] {
  const fixtures = path.join(fileURLToPath(folder), 'fixtures');
  if (!existsSync(fixtures)) return [];
  return readdirSync(fixtures)
    .filter((name) => name.endsWith('.turn.json'))
    .map((name) => ({
      name,
      turn: JSON.parse(readFileSync(path.join(fixtures, name), 'utf8')) as TurnFixture,
    }));
}

export async function bootPlugin(folder: URL, options: PluginOptions = {}): Promise<BootedPlugin> {
  const version = await buildVersion(fileURLToPath(folder), {
    signatures: { require: false, trusted: {} },
    ...(options.components !== undefined && {
      components: { folder: options.components, report: (trouble) => console.error(trouble) },
    }),
  });
  const { manifest } = version;
  const home = mkdtempSync(path.join(tmpdir(), 'neira-plugin-'));
  const store = await openStore({
    writer: new URL('../../host/writer-main.ts', import.meta.url),
    home,
    durability: 'process',
  });
  const root: CellRoot = { databasePath: store.databasePath, secret: Buffer.alloc(32, 1) };
  let turns: Turns;
  const pool = await CellPool.open(
    {
      size: 1,
      entry: new URL('../../host/cell-main.ts', import.meta.url),
      connect: () => store.connectCell(),
      root,
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
      request: async (call) => {
        const value = call.op === REVEAL ? options.secrets?.[nameIn(call.args)] : undefined;
        return value === undefined ? unhandled(call) : `V${JSON.stringify(value)}`;
      },
      answer: (...answer) => pool.answer(...answer),
      abort: (...abort) => pool.abort(...abort),
    },
    perform: () => {},
    quarantine: () => {},
  });
  store.onTurnAck((acks) => {
    for (const ack of acks) turns.acknowledge(ack);
  });
  const granted = options.grant === 'none' ? NO_PERMISSIONS : manifest.permissions;
  const settings = checkedSettings(manifest, options.settings ?? {});
  const events = EventRegistry.load();
  const known = [...events.list(), ...manifest.events];
  const policy = policyOf(
    manifest,
    version.digest,
    { id: manifest.gate, stage: 'experimental' },
    granted,
    settings,
    schemasFor(manifest, events),
    // Whatever its principals come to be granted.
    Object.fromEntries(known.map((each) => [`${each.name}@${each.version}`, each])),
  );
  const { code, sourceMap } = version;
  const { image } = await pool.boot({ plugin: manifest.id, limits: policy.limits, code, sourceMap, policy });
  const program = { generation: 1, plugin: manifest.id, limits: policy.limits, image, sourceMap, policy };
  const cell = pool.install(program);
  const serving = {
    id: manifest.id,
    state: { id: manifest.id, state: 'enabled' as const },
    generation: 1,
    policy,
    concurrency: 1,
    ...(cell !== undefined && { cell }),
    writes: true,
  };

  const close = async () => {
    await pool.close();
    await store.close();
    rmSync(home, { recursive: true, force: true });
  };
  return {
    async send(event, payload, { headers = {} } = {}) {
      const delivered = incoming(event, payload, headers);
      const run = (dryRun: boolean) => turns.deliver(serving, { ...delivered, dryRun });
      // The dry run shows the effects, the committed one keeps them for the next; both draw the same ids.
      const dry = await run(true);
      const record = (dry as { record: TurnRecord }).record;
      requireOk(record.outcome);
      const done = await run(false);
      const outcome = requireOk((done as { outcome: TurnOutcome }).outcome);
      return {
        actions: JSON.parse(outcome.actions) as Record<string, unknown>[],
        effects: record.effects,
        logs: record.logs,
      };
    },
    async grantPrincipal(id) {
      const found = store.principals(manifest.id).find((each) => each.id === id);
      if (!found) throw new NeiraError('NEIRA_NOT_FOUND', { what: 'principal', id });
      const { asked } = found;
      const op = { op: 'principal.grant', plugin: manifest.id, id, asked, grants: asked, atMs: 0 } as const;
      const ack = await store.submit({ kind: 'admin', ops: [op], journal: [] });
      if (!ack.ok) throw new Error(JSON.stringify(ack));
    },
    async replay({ transcript, granted, settings: given }) {
      const ground = { ...program, generation: -1, policy: { ...policy, granted, settings: given } };
      const [report] = await pool.errands.replay(ground, [JSON.stringify(transcript)]);
      return verdictOf(transcript as Transcript, JSON.parse(report!) as ReplayReport, false);
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

function requireOk(outcome: TurnOutcome) {
  if (outcome.status === 'ok') return outcome;
  throw new NeiraError(outcome.error.code, outcome.error.details);
}

function incoming(event: string, payload: unknown, headers: Readonly<Record<string, string>>) {
  const eventId = randomUUID();
  const envelope = sealEnvelope({
    id: eventId,
    eventName: event,
    version: 1,
    atMs: Date.now(),
    source: 'test',
    correlationId: eventId,
    causationId: null,
    tenant: DEFAULT_TENANT,
    headers,
    payloadJson: JSON.stringify(payload),
  });
  return {
    eventId,
    subject: event,
    envelope,
    key: undefined,
    caller: 'admin' as const,
    mode: 'normal' as const,
    deadlineAtMs: Date.now() + 10_000,
  };
}
