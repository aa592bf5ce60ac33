import { DatabaseSync } from 'node:sqlite';
import { expect, test } from 'vitest';
import { NewsDesk } from './bus-news.ts';
import type { EventDraft } from './bus-records.ts';
import { DelayedEvents, MAX_DELAYED } from './delayed.ts';
import { migrate } from './migrations.ts';

const LATER = Date.now() + 3_600_000;

function open() {
  const db = new DatabaseSync(':memory:');
  migrate(db, ':memory:');
  const delayed = new DelayedEvents(db, new NewsDesk());
  const draft = (id: string, text = '') => ({ id, envelope: text }) as EventDraft;
  const load = (plugin: string) =>
    ({ ...db.prepare('select events, chars from delayed_load where plugin = ?').get(plugin) }) as {
      events: number;
      chars: number;
    };
  return { db, delayed, draft, load };
}

// BUS-17, HOST-25
test('a plugin may have so many events waiting, however fast; who takes one back may delay another', () => {
  const { db, delayed, draft, load } = open();
  db.exec('begin');
  for (let n = 0; n < MAX_DELAYED; n++) delayed.add(draft(`e${n}`), LATER, 'demo', null);
  db.exec('commit');
  const details = expect.objectContaining({ what: 'delayed events', max: MAX_DELAYED });
  const refused = { code: 'NEIRA_TOO_MANY', details };
  expect(() => delayed.add(draft('over'), LATER, 'demo', null)).toThrow(expect.objectContaining(refused));
  delayed.add(draft('theirs'), LATER, 'other', null);
  delayed.add(draft('of a client'), LATER, null, null);
  delayed.cancel('e7', 'demo');
  delayed.add(draft('again'), LATER, 'demo', null);
  expect(load('demo').events).toBe(MAX_DELAYED);
});

test('what waits is bounded in size as well', () => {
  const { delayed, draft, load } = open();
  const large = 'x'.repeat(50 * 1024 * 1024);
  for (let n = 0; n < 5; n++) delayed.add(draft(`e${n}`, large), LATER, 'demo', null);
  const details = expect.objectContaining({ what: 'characters of delayed events' });
  const refused = { code: 'NEIRA_TOO_MANY', details };
  expect(() => delayed.add(draft('over', large), LATER, 'demo', null)).toThrow(
    expect.objectContaining(refused),
  );
  for (let n = 0; n < 5; n++) delayed.cancel(`e${n}`, 'demo');
  expect(load('demo')).toEqual({ events: 0, chars: 0 });
});

test('what a turn that fails had delayed does not count', () => {
  const { db, delayed, draft, load } = open();
  delayed.add(draft('kept'), LATER, 'demo', null);
  db.exec('savepoint turn');
  delayed.add(draft('gone'), LATER, 'demo', null);
  db.exec('rollback to turn');
  expect(load('demo').events).toBe(1);
});
