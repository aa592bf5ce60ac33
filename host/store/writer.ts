import type { DatabaseSync } from 'node:sqlite';
import { type MessagePort, parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { NeiraError, toShape } from '../errors.ts';
import type { EventRouter } from './bus-records.ts';
import { databasePath, openForWriting } from './database.ts';
import { GroupCommit } from './group.ts';
import type { AckBatch, FromStoreCell, FromWriter, Submission, ToWriter, WriterOptions } from './messages.ts';
import { backUp, migrate } from './migrations.ts';
import type { Ack, AdminRecord, BatchRecord, TurnRecord, WriteRecord } from './records.ts';
import { TranscriptWriter } from './transcripts.ts';

/**
 * The writer thread: the only one that writes to the store. It takes what has come from main and from all
 * cells, commits it as one group under one fsync, and answers with one message. While it commits, the next
 * group gathers in the ports; so the busier it is, the larger the groups.
 */

const GROUP_RECORDS = 512;
const SYNC_FILES_MS = 1000;

interface Waiting {
  /** Number of the submission; undefined for a turn that a cell posted. */
  readonly number: number | undefined;
  readonly record: WriteRecord;
}

const options = workerData as WriterOptions;
const main = parentPort!;
const cells = new Map<number, MessagePort>();
const queue: Waiting[] = [];
let queued = 0;

let db: DatabaseSync;
let group: GroupCommit;
let transcripts: TranscriptWriter;
let timer: NodeJS.Timeout;

/** Runs the writer in this thread; the composition root (host/writer-main.ts) says who hears what. */
export function startWriter(router: EventRouter): void {
  ({ db, group } = open(router));
  transcripts = new TranscriptWriter(options.home, (what, reason) => tell({ op: 'problem', what, reason }));
  timer = setInterval(keepFiles, SYNC_FILES_MS);
  main.on('message', (message: string | ToWriter) => {
    take(message, undefined);
    drain();
  });
  // What the boot found due, and nothing else yet.
  answer([], [], 0);
  tell({ op: 'ready' });
}

function open(router: EventRouter) {
  try {
    const path = databasePath(options.home);
    const db = openForWriting(path, options.durability);
    migrate(db, path);
    if (options.maxPageCount !== undefined) limitPages(db, options.maxPageCount);
    const problem = (what: string, reason: string) => tell({ op: 'problem', what, reason });
    const group = new GroupCommit(db, options.home, router, problem);
    group.boot();
    return { db, group };
  } catch (error) {
    tell({ op: 'failed', error: toShape(error) });
    throw error;
  }
}

/** Takes one message into the queue; control waits until all that came before it is committed. */
function take(message: string | FromStoreCell | ToWriter, cell: number | undefined): void {
  if (cell !== undefined) {
    takeTurns(message as string | FromStoreCell, cell);
    return;
  }
  if (typeof message !== 'string') {
    commitQueue();
    control(message as ToWriter);
    return;
  }
  try {
    for (const [number, record] of JSON.parse(message) as Submission[]) queue.push({ number, record });
  } catch (error) {
    tell({ op: 'problem', what: 'a batch of main is not JSON', reason: String(error) });
  }
}

/** Each turn gets the transcript that lies at its place beside the records. */
function takeTurns(message: string | FromStoreCell, cell: number): void {
  const [records, ...texts] = typeof message === 'string' ? [message] : message;
  try {
    const turns = (JSON.parse(records!) as (TurnRecord | BatchRecord)[]).flatMap((posted) => turnsOf(posted));
    turns.forEach((record, index) => {
      if (texts[index]) record.transcript = texts[index];
      queue.push({ number: undefined, record });
    });
  } catch (error) {
    tell({ op: 'problem', what: `a batch of cell ${cell} is not JSON`, reason: String(error) });
  }
}

/** The turns of a batch stay together, in order; the first answers for what all of them read. */
export function turnsOf(posted: TurnRecord | BatchRecord): readonly TurnRecord[] {
  if (posted?.kind !== 'batch') return [posted];
  const { turns, reads } = posted;
  return turns.map((turn, index) => (index === 0 ? { ...turn, reads } : { ...turn, follows: true }));
}

/** Gathers a group from all ports, without waiting, and commits it. */
function drain(): void {
  for (let found = true; found && queue.length < GROUP_RECORDS; ) {
    found = false;
    for (const [port, cell] of sources()) {
      const received = receiveMessageOnPort(port) as
        | { message: string | FromStoreCell | ToWriter }
        | undefined;
      if (received === undefined) continue;
      found = true;
      take(received.message, cell);
    }
  }
  // What is still in the ports raises another event; returning lets timers have their turn.
  commitQueue();
}

function sources(): readonly (readonly [MessagePort, number | undefined])[] {
  return [[main, undefined], ...[...cells].map(([cell, port]) => [port, cell] as const)];
}

function commitQueue(): void {
  while (queued < queue.length) {
    const group_ = queue.slice(queued, queued + GROUP_RECORDS);
    queued += group_.length;
    const beganMs = performance.now();
    const acks = group.commit(group_.map(({ record }) => record));
    const micros = Math.round((performance.now() - beganMs) * 1000);
    const keep = () => {
      for (const [index, { record }] of group_.entries()) keepTranscript(record, acks[index]!);
    };
    // Who drops data and then looks finds nothing of it; nobody else waits for transcripts.
    const dropping = group_.some(
      ({ record }, index) => acks[index]!.ok && record.kind === 'admin' && droppedBy(record).length > 0,
    );
    if (dropping) keep();
    answer(group_, acks, micros);
    if (!dropping) keep();
  }
  queue.length = 0;
  queued = 0;
  transcripts.flush();
}

/** Plugins whose data goes. */
function droppedBy({ ops }: AdminRecord): string[] {
  return ops.flatMap((op) => (op.op === 'plugin.delete' && op.dropData ? [op.id] : []));
}

/** Behind the commit; failures lie in the store. */
function keepTranscript(record: WriteRecord, ack: Ack): void {
  if (!ack.ok) return;
  if (
    record.kind === 'turn' &&
    record.transcript !== undefined &&
    ack.outcome?.status === 'ok' &&
    !ack.repeated
  )
    transcripts.add(record.plugin, record.transcript);
  else if (record.kind === 'admin') for (const plugin of droppedBy(record)) transcripts.drop(plugin);
}

function answer(waiting: readonly Waiting[], acks: readonly Ack[], micros: number): void {
  const submitted: [number, Ack][] = [];
  const turns: Ack[] = [];
  waiting.forEach(({ number }, index) => {
    if (number === undefined) turns.push(acks[index]!);
    else submitted.push([number, acks[index]!]);
  });
  const commit = [waiting.length, micros] as const;
  const news = group.takeNews();
  main.postMessage(JSON.stringify({ submitted, turns, commit, news } satisfies AckBatch));
}

function control(message: ToWriter): void {
  switch (message.op) {
    case 'cell': {
      const { cell, port } = message;
      cells.set(cell, port);
      port.on('message', (posted: string | FromStoreCell) => {
        take(posted, cell);
        drain();
      });
      return;
    }
    case 'fence':
    case 'retire':
      drainCell(message.cell);
      if (message.op === 'retire') {
        cells.get(message.cell)?.close();
        cells.delete(message.cell);
      }
      tell({ op: 'done', request: message.request });
      return;
    case 'listening':
      group.listen(message.plugins);
      return;
    case 'carrying':
      group.carry(message.patterns);
      return;
    case 'learn':
      group.learn(message.known);
      tell({ op: 'done', request: message.request });
      return;
    case 'max-pages':
      limitPages(db, message.count);
      tell({ op: 'done', request: message.request });
      return;
    case 'backup':
      try {
        backUp(db, message.path);
        tell({ op: 'done', request: message.request });
      } catch (error) {
        const reason = (error as Error).message;
        tell({
          op: 'done',
          request: message.request,
          error: toShape(new NeiraError('NEIRA_STORE_FAILED', { reason })),
        });
      }
      return;
    case 'close':
      for (const cell of cells.keys()) drainCell(cell);
      close();
  }
}

/** Commits all that a cell has posted until now. */
function drainCell(cell: number): void {
  const port = cells.get(cell);
  if (!port) return;
  for (;;) {
    const received = receiveMessageOnPort(port) as { message: string | FromStoreCell } | undefined;
    if (received === undefined) break;
    take(received.message, cell);
  }
  commitQueue();
}

function close(): void {
  clearInterval(timer);
  transcripts.close();
  group.close();
  for (const port of cells.values()) port.close();
  db.exec('pragma optimize; pragma wal_checkpoint(truncate)');
  db.close();
  tell({ op: 'closed' });
  main.close();
}

function keepFiles(): void {
  if (group.hasSuspects) group.mendSuspects();
  group.syncFiles(() => {
    if (db.isOpen) group.recordWatermarks();
  });
}

function limitPages(database: DatabaseSync, count: number): void {
  database.exec(`pragma max_page_count = ${Math.trunc(count)}`);
}

function tell(message: FromWriter): void {
  main.postMessage(message);
}
