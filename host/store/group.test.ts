import { DatabaseSync } from 'node:sqlite';
import { expect, onTestFinished, test } from 'vitest';
import { sealEnvelope } from '../bus/envelope.ts';
import { Router } from '../bus/router.ts';
import { covers, parseSubscriptionEvent } from '../bus/subject.ts';
import type { EventDraft } from './bus-records.ts';
import { GroupCommit } from './group.ts';
import { migrate } from './migrations.ts';
import type { AdminOp } from './records.ts';
import { set, tempHome, turn } from './test-store.ts';

function open() {
  const db = new DatabaseSync(':memory:');
  onTestFinished(() => db.close());
  migrate(db, ':memory:');
  const router = new Router();
  const group = new GroupCommit(
    db,
    tempHome(),
    {
      put: (subscription) => router.put(subscription),
      remove: (id) => router.remove(id),
      removePlugin: (plugin) => router.removePlugin(plugin),
      route: (event) => router.route(event),
      hears: (subject) => router.hears(subject),
      seal: sealEnvelope,
      covers,
      parseEvent: parseSubscriptionEvent,
    },
    () => {},
  );
  group.boot();
  return { db, group };
}

test('a turn does not commit on what a lost group had staged before it in its batch', () => {
  const { db, group } = open();
  db.exec(`create trigger lost before insert on stat begin select raise(abort, 'lost'); end`);
  expect(group.commit([turn([set('k', 1)])])).toMatchObject([{ ok: false }]);
  db.exec('drop trigger lost');
  expect(group.commit([turn([set('k', 2)], { follows: true })])).toMatchObject([{ cut: true }]);
  expect(db.prepare('select count(*) as count from kv').get()).toEqual({ count: 0 });
});

const MEMBER = {
  subscribes: [{ event: 'job.run', group: 'g' }],
  permissions: { bus: { subscribe: ['job.>'] } },
};

function member(id: string, max: number): AdminOp[] {
  const manifest = JSON.stringify({ ...MEMBER, mailbox: { max, overflow: 'slow', maxAgeH: 1 } });
  const version = { plugin: id, digest: id, version: '1.0.0', manifest, files: '{}', bundle: '' };
  const row = { id, kind: 'script', state: 'enabled', digest: id, path: '', origin: 'upload' } as const;
  const grants = JSON.stringify(MEMBER.permissions);
  return [
    {
      op: 'version.put',
      keep: 1,
      row: { ...version, sourceMap: '', createdAtMs: 0, signedBy: null },
    },
    {
      op: 'plugin.put',
      row: {
        ...row,
        sourceDigest: id,
        grants,
        settings: '{}',
        reason: null,
        lastError: null,
        registeredAtMs: 0,
        updatedAtMs: 0,
      },
    },
  ];
}

const job = (id: string, atMs?: number): EventDraft => ({
  id,
  subject: 'job.run',
  version: 1,
  envelope: JSON.stringify({ id, payload: {} }),
  mode: 'event',
  caller: 'write',
  ...(atMs !== undefined && { atMs }),
});

// BUS-13, BUS-37
test('a due event of a queue group is not shed where the member that is next has no room', async () => {
  const { db, group } = open();
  group.commit([{ kind: 'admin', ops: [...member('small', 1), ...member('wide', 100)], journal: [] }]);
  group.commit([{ kind: 'publish', events: [job('first'), job('second')] }]);
  const soon = Date.now() + 5;
  const later = ['a', 'b', 'c', 'd'].map((id) => job(id, soon));
  group.commit([{ kind: 'publish', events: later }]);
  group.takeNews();
  await expect.poll(() => Date.now()).toBeGreaterThan(soon);
  group.commit([{ kind: 'tick' }]);
  expect(group.takeNews().shed).toBeUndefined();
  const count = (table: string) =>
    Number(db.prepare(`select count(*) as count from ${table}`).get()!['count']);
  expect(count('delivery') + count('delayed')).toBe(6);
});
