/**
 * Cells for the model: they take deliveries and post records as host/sandbox/cell.ts and host/cell-main.ts do,
 * on real turn contexts; only the guest is no sandbox but the behaviour that the event names.
 */
import type { DatabaseSync } from 'node:sqlite';
import { TurnRandom } from '../../host/context/turn-random.ts';
import { afterFailure } from '../../host/context/turn-retry.ts';
import { TurnState } from '../../host/context/turn-state.ts';
import { prepareLastOf } from '../../host/store/kv.ts';
import { prepareScan } from '../../host/store/ranges.ts';
import type { BatchRecord, TurnOutcome, TurnRecord } from '../../host/store/records.ts';
import {
  type PluginPolicy,
  type StateReader,
  TurnContext,
  type TurnDelivery,
} from '../../host/turn-context.ts';
import { type Behaviour, opened, sealed } from './events.ts';
import { DYNAMIC } from './plugins.ts';

const FLUSH_EVERY = 8;
const NO_READS = { keys: [], ranges: [] };

/** The committed state of the one database, without a snapshot: a step of a cell sees one moment anyway. */
export function readerOf(db: DatabaseSync): StateReader {
  const get = db.prepare('select value, version from kv where plugin = ? and k = ?');
  return {
    begin: () => {},
    end: () => {},
    get: (plugin, key) => get.get(plugin, key) as { value: string; version: number } | undefined,
    scan: prepareScan(db),
    lastOf: prepareLastOf(db),
    principal: () => undefined,
    records: () => [],
  };
}

/** The thread ended while it ran this attempt; 0 when it ran none. */
export interface CellEnd {
  readonly blamed: number;
}

export interface CellPorts {
  readonly reader: StateReader;
  policy(generation: number): PluginPolicy;
  /** To the writer. */
  post(records: string): void;
  /** To main. */
  cut(attempts: readonly number[]): void;
  nowMs(): number;
  chance(oneIn: number): boolean;
}

export class ModelCell {
  readonly storeCell: number;
  /** As the pool in main knows it. */
  readonly inside = new Set<number>();
  /** The thread is gone; main will hear of it after all that the cell had said. */
  hasEnded = false;
  readonly #ports: CellPorts;
  readonly #inbox: (readonly TurnDelivery[])[][] = [];
  #finished: string[] = [];

  constructor(storeCell: number, ports: CellPorts) {
    this.storeCell = storeCell;
    this.#ports = ports;
  }

  take(deliveries: readonly TurnDelivery[]): void {
    for (const { attempt } of deliveries) this.inside.add(attempt);
    this.#inbox.push(batchesOf(JSON.parse(JSON.stringify(deliveries)) as TurnDelivery[]));
  }

  get isBusy(): boolean {
    return !this.hasEnded && this.#inbox.length > 0;
  }

  /** Runs one batch of the message at hand. @param dies it is ended from outside, sooner or later in the batch */
  step(dies: boolean): CellEnd | undefined {
    const batch = this.#inbox[0]!.shift()!;
    const state = batch.length > 1 ? new TurnState() : undefined;
    const records: TurnRecord[] = [];
    for (const delivery of batch) {
      const record = this.#turn(delivery, state);
      if (record === undefined || (dies && this.#ports.chance(2))) return { blamed: delivery.attempt };
      records.push(record);
      if (record.outcome.status === 'failed' || this.#ports.chance(16)) break;
    }
    if (state) {
      const whole: BatchRecord = { kind: 'batch', reads: state.reads, turns: records };
      this.#finished.push(JSON.stringify(whole));
    } else this.#finished.push(JSON.stringify(records[0]));
    const rest = batch.slice(records.length);
    if (rest.length > 0) this.#ports.cut(rest.map(({ attempt }) => attempt));
    if (this.#finished.length >= FLUSH_EVERY) this.#flush();
    if (this.#inbox[0]!.length === 0) {
      this.#inbox.shift();
      if (dies) return { blamed: 0 };
      this.#flush();
    }
    return dies ? { blamed: 0 } : undefined;
  }

  #flush(): void {
    if (this.#finished.length > 0) this.#ports.post(`[${this.#finished.join()}]`);
    this.#finished = [];
  }

  /** Undefined when the turn ended the cell. */
  #turn(delivery: TurnDelivery, batch: TurnState | undefined): TurnRecord | undefined {
    const policy = this.#ports.policy(delivery.generation);
    const { turnId, deliveryId, eventId, envelope, caller, mode, mailbox, deadlineAtMs } = delivery;
    const startedAtMs = this.#ports.nowMs();
    const origin = {
      turnId,
      eventId,
      correlationId: '',
      tenant: '',
      caller,
      mode,
      dryRun: false,
      startedAtMs,
      attempts: mailbox?.attempts ?? 0,
      subscriptions: mailbox?.subscriptions ?? '[]',
    };
    const random = new TurnRandom(Buffer.alloc(32), deliveryId);
    const turn = new TurnContext(policy, origin, this.#ports.reader, random, undefined, batch);
    const behaviour = opened(envelope).payload.does[policy.plugin] ?? {};
    const attempt = origin.attempts + 1;
    if (attempt <= (behaviour.kills ?? 0)) return undefined;
    const threw = behave(turn, behaviour, attempt);
    turn.end();
    const outcome: TurnOutcome = threw
      ? { status: 'failed', error: { code: 'NEIRA_PLUGIN_FAILED', details: {}, message: 'it threw' } }
      : { status: 'ok', actions: '[]' };
    return {
      kind: 'turn',
      turnId,
      plugin: policy.plugin,
      version: policy.version,
      gate: policy.gate.id,
      eventId,
      ...(!mailbox && { envelope }),
      subject: delivery.subject,
      caller,
      ...(mailbox && {
        delivery: {
          id: mailbox.id,
          attempts: mailbox.attempts,
          afterFailure: afterFailure(policy.retry, mailbox),
        },
      }),
      startedAtMs,
      ...(deadlineAtMs !== undefined && { deadlineAtMs }),
      reads: batch ? NO_READS : turn.reads,
      effects: threw ? [] : turn.effects,
      outcome,
      fuel: 1,
      runMs: 0,
      storageMb: policy.limits.storageMb,
      logs: turn.logs,
    };
  }
}

/** Also what fails stages its effects first: nothing of them may stay. @returns whether it threw */
function behave(turn: TurnContext, does: Behaviour, attempt: number): boolean {
  const { eventId, startedAtMs, caller } = turn.origin;
  const { plugin } = turn.policy;
  turn.append('seen', JSON.stringify(eventId));
  if (does.counts) turn.set('count', JSON.stringify(Number(turn.get('count')?.value ?? 0) + 1));
  if (does.listens === true) turn.arrange({ op: 'subscribe', subscription: DYNAMIC });
  if (does.listens === false) turn.arrange({ op: 'unsubscribe', name: DYNAMIC.name });
  if (does.cancels) {
    const announced = turn.get('announced')?.value;
    if (announced !== undefined) turn.arrange({ op: 'cancel', id: JSON.parse(announced) as string });
  }
  (does.publishes ?? []).forEach((publication, n) => {
    const event = sealed(`${eventId}/${plugin}${n}`, publication, startedAtMs, caller);
    turn.publish({ op: 'publish', event });
    if (event.atMs !== undefined) turn.set('announced', JSON.stringify(event.id));
  });
  if (attempt <= (does.spoils ?? 0)) {
    // What no host function lets pass, so that it is the writer who refuses.
    turn.effects.push({ op: 'set', key: 'word', value: '"x"' }, { op: 'add', key: 'word', amount: 1 });
  }
  return attempt <= (does.throws ?? 0);
}

function batchesOf(deliveries: readonly TurnDelivery[]): (readonly TurnDelivery[])[] {
  const batches: TurnDelivery[][] = [];
  for (const delivery of deliveries) {
    const last = batches.at(-1);
    if (delivery.batch !== undefined && last?.[0]?.attempt === delivery.batch) last.push(delivery);
    else batches.push([delivery]);
  }
  return batches;
}
