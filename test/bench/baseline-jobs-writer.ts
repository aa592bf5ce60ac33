/**
 * The writer thread of the bus baseline: the rows that a job of the bus leaves, in the tables of the host and as
 * its statements write them, without checks, routing and savepoints. What has gathered is one group under one fsync.
 */
import path from 'node:path';
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { openForWriting } from '../../host/store/database.ts';
import { migrate } from '../../host/store/migrations.ts';

/** A step of a job; the number comes back when its rows are durable, with the delivery for the next step. */
export type Step = readonly ['send', number, Sent] | readonly ['effect', number, Effect];

export interface Sent {
  readonly id: string;
  readonly envelope: string;
}

export interface Effect {
  readonly delivery: number;
  readonly key: string;
  readonly value: string;
  readonly id: string;
  readonly envelope: string;
}

const PLUGIN = 'bench.free';
const { home } = workerData as { home: string };
const port = parentPort!;
const file = path.join(home, 'baseline.db');
// The pragmas of the host's own writer, durability `power`, and its schema.
const db = openForWriting(file, 'power');
migrate(db, file);
const insertEvent = db.prepare(
  `insert into event(event_id, subject, version, disposition, at_ms, turn_id, caller, envelope)
   values(?, ?, 1, 'published', ?, ?, 'admin', ?)`,
);
const insertDelivery = db.prepare(
  `insert into delivery(event_seq, plugin, key, subscriptions, attempts, tries_from, due_ms, at_ms)
   values(?, '${PLUGIN}', null, '["bench.free.sent@1"]', 0, 0, 0, ?)`,
);
const deleteDelivery = db.prepare('delete from delivery where id = ?');
const set = db.prepare(
  `insert into kv(plugin, k, version, value) values('${PLUGIN}', ?, ?, ?)
   on conflict do update set version = excluded.version, value = excluded.value`,
);
const use = db.prepare(
  `insert into usage(plugin, bytes, kv_version) values('${PLUGIN}', 0, ?)
   on conflict do update set kv_version = excluded.kv_version`,
);
const begin = db.prepare('begin immediate');
const commit = db.prepare('commit');
let version = 0;

function send({ id, envelope }: Sent, nowMs: number): number {
  const { lastInsertRowid: seq } = insertEvent.run(id, 'bench.free.sent', nowMs, null, envelope);
  return Number(insertDelivery.run(seq, nowMs).lastInsertRowid);
}

function effect({ delivery, key, value, id, envelope }: Effect, nowMs: number): void {
  deleteDelivery.run(delivery);
  set.run(key, ++version, value);
  insertEvent.run(id, 'bench.shared.done', nowMs, `${id}:${PLUGIN}`, envelope);
  use.run(version);
}

function take(step: Step, nowMs: number): readonly [number, number] {
  if (step[0] === 'send') return [step[1], send(step[2], nowMs)];
  effect(step[2], nowMs);
  return [step[1], 0];
}

port.on('message', (first: string) => {
  const steps: Step[] = JSON.parse(first);
  for (let next = receiveMessageOnPort(port); next; next = receiveMessageOnPort(port))
    steps.push(...(JSON.parse(next.message as string) as Step[]));
  const nowMs = Date.now();
  begin.run();
  const answers = steps.map((step) => take(step, nowMs));
  commit.run();
  port.postMessage(JSON.stringify(answers));
});
port.postMessage('[]');
