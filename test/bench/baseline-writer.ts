/** The writer thread of the baseline: appends what has gathered as one group under one fsync. */
import path from 'node:path';
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { openForWriting } from '../../host/store/database.ts';

type Append = readonly [number, string, string, number, string];

const { home } = workerData as { home: string };
const port = parentPort!;
// The pragmas of the host's own writer, durability `power`.
const db = openForWriting(path.join(home, 'baseline.db'), 'power');
db.exec(`create table event(seq integer primary key, event_id text not null unique, subject text not null,
  at_ms integer not null, envelope text not null) strict`);
const insert = db.prepare('insert into event(event_id, subject, at_ms, envelope) values(?, ?, ?, ?)');
const begin = db.prepare('begin immediate');
const commit = db.prepare('commit');

port.on('message', (first: string) => {
  const appends: Append[] = JSON.parse(first);
  for (let next = receiveMessageOnPort(port); next; next = receiveMessageOnPort(port)) {
    appends.push(...(JSON.parse(next.message as string) as Append[]));
  }
  begin.run();
  for (const [, id, subject, atMs, envelope] of appends) insert.run(id, subject, atMs, envelope);
  commit.run();
  port.postMessage(JSON.stringify(appends.map(([number]) => number)));
});
