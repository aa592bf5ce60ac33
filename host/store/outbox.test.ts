import { DatabaseSync } from 'node:sqlite';
import { expect, test } from 'vitest';
import { NewsDesk } from './bus-news.ts';
import type { EventDraft, EventRouter } from './bus-records.ts';
import { EventLog } from './event-log.ts';
import { MIGRATIONS } from './migrations.ts';
import { createOutboxReads, MAX_OUTBOX, OutboxWriter } from './outbox.ts';

const ROUTER = { covers: (outer, inner) => outer === inner } as Partial<EventRouter> as EventRouter;
const event = (subject: string): EventDraft => ({
  id: subject,
  subject,
  version: 1,
  envelope: '{}',
  mode: 'event',
  caller: 'host',
});

function open() {
  const db = new DatabaseSync(':memory:');
  for (const step of MIGRATIONS) db.exec(step);
  const outbox = new OutboxWriter(db, ROUTER);
  outbox.carry(['far.away']);
  const log = new EventLog(db, new NewsDesk());
  const record = (subject: string) =>
    log.record(event(subject), { disposition: 'published', turnId: null }, 1);
  return {
    db,
    log,
    outbox,
    record,
    waiting: () =>
      createOutboxReads(db)
        .outbox(10)
        .map(({ id }) => id),
  };
}

test('only what the transport carries waits, in order, until it left; its event is kept as long', () => {
  const { db, log, outbox, record, waiting } = open();
  outbox.add(event('near.by'), record('near.by'), 'refuse');
  outbox.add(event('far.away'), record('far.away'), 'refuse');
  expect(waiting()).toEqual(['far.away']);
  log.sweep(100, 0);
  expect(waiting()).toEqual(['far.away']);
  outbox.left(1);
  expect(waiting()).toEqual([]);
  log.sweep(100, 0);
  expect(db.prepare('select count(*) as n from event').get()).toEqual({ n: 0 });
});

test('an outbox is bounded: what would be one too many is refused, or stays here where it may not fail', () => {
  const { db, outbox, record, waiting } = open();
  const seq = record('far.away');
  outbox.add(event('far.away'), seq, 'refuse');
  db.exec(`insert into outbox(seq, event_seq, mode) values(${MAX_OUTBOX}, ${seq}, 'event')`);
  expect(() => outbox.add(event('far.away'), seq, 'refuse')).toThrow(
    expect.objectContaining({ code: 'NEIRA_OUTBOX_FULL', details: { max: MAX_OUTBOX } }),
  );
  outbox.add(event('far.away'), seq, 'shed');
  expect(waiting()).toHaveLength(2);
  outbox.left(1);
  outbox.add(event('far.away'), seq, 'refuse');
  expect(waiting()).toHaveLength(2);
});
