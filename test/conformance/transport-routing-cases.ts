import { expect } from 'vitest';
import { NOTE, type TransportCase } from './transport-kit.ts';

/** Logs the event and its number. */
const NAMED = `export function handle(event) {
  note(event.event_name + '@' + event.version + ' ' + event.payload.n);
}`;
const IN_ORDER = '$.tenant';

/** Who gets an event. */
export const ROUTING: readonly TransportCase[] = [
  {
    claim: '`*` stands for one word of a name and `>` for all that follow; a version narrows, none takes any',
    async run(bus) {
      await bus.events('~.shop.order.placed@1', '~.shop.order.placed@2', '~.shop.opened@1');
      const hears = (event: string) => ({ subscribes: [{ event, key: IN_ORDER }] });
      await bus.plugin('one', NAMED, hears('~.shop.*'));
      await bus.plugin('middle', NAMED, hears('~.shop.*.placed@2'));
      await bus.plugin('all', NAMED, hears('~.shop.>'));
      await bus.plugin('first', NAMED, hears('~.shop.>@1'));
      await bus.publishes('~.shop.order.placed@1', { n: 1 });
      await bus.publishes('~.shop.order.placed@2', { n: 2 });
      await bus.publishes('~.shop.opened@1', { n: 3 });
      const [placed, placed2, opened] = [
        '~.shop.order.placed@1 1',
        '~.shop.order.placed@2 2',
        '~.shop.opened@1 3',
      ];
      await bus.expectNotes('all', placed, placed2, opened);
      await bus.expectNotes('first', placed, opened);
      await bus.expectNotes('middle', placed2);
      await bus.expectNotes('one', opened);
    },
  },
  {
    claim: 'a filter lets through what it says, and what it cannot be asked about passes nobody',
    async run(bus) {
      await bus.events('~.shop.opened@1');
      const hears = (filter: string) => ({
        subscribes: [{ event: '~.shop.opened@1', filter, key: IN_ORDER }],
      });
      await bus.plugin('berlin', NOTE, hears('$.payload.city == "Berlin"'));
      await bus.plugin('large', NOTE, hears('event.payload.n > 2'));
      await bus.publishes(
        '~.shop.opened',
        { n: 1, city: 'Berlin' },
        { n: 2, city: 'Perm' },
        { n: 3 },
        { n: 4, city: 'Berlin' },
      );
      await bus.expectNotes('berlin', 1, 4);
      await bus.expectNotes('large', 3, 4);
    },
  },
  {
    claim: 'every subscriber gets an event, once',
    async run(bus) {
      await bus.events('~.shop.opened@1');
      const hearers = ['a', 'b', 'c', 'd'];
      for (const id of hearers)
        await bus.plugin(id, NOTE, { subscribes: [{ event: '~.shop.opened@1', key: IN_ORDER }] });
      await bus.publishes('~.shop.opened', { n: 1 }, { n: 2 });
      for (const id of hearers) await bus.expectNotes(id, 1, 2);
      await bus.settled();
    },
  },
  {
    claim: 'several subscriptions of one plugin that match are one delivery, which names them',
    async run(bus) {
      await bus.events('~.shop.opened@1');
      await bus.plugin(
        'hearer',
        `export function handle() { note(delivery().subscriptions.toSorted().join(' ')); }`,
        {
          subscribes: [{ event: '~.shop.opened@1' }, { event: '~.shop.>' }, { event: '~.shop.*@2' }],
        },
      );
      await bus.publishes('~.shop.opened', {});
      await bus.expectNotes('hearer', '~.shop.> ~.shop.opened@1');
      await bus.settled();
      expect(await bus.notes('hearer')).toHaveLength(1);
    },
  },
  {
    claim:
      'a plugin subscribes and unsubscribes while it runs, within what it was granted; both outlive a restart',
    within: true,
    async run(bus) {
      await bus.events('~.shop.opened@1', '~.shop.closed@1', '~.list.changed@1');
      await bus.plugin(
        'hearer',
        `export function handle({ event_name, payload }) {
          if (event_name !== '~.list.changed') return note(payload.n);
          try {
            if (payload.on) subscribe({ name: 'news', event: payload.on });
            else unsubscribe('news');
            note('changed');
          } catch (error) { note(error.code); }
        }`,
        {
          subscribes: [{ event: '~.list.changed@1' }],
          permissions: { bus: { subscribe: ['~.shop.*'] } },
        },
      );
      const noted: unknown[] = [];
      const after = async (event: string, payload: object, note?: unknown) => {
        await bus.publishes(event, payload);
        if (note !== undefined) noted.push(note);
        await bus.expectNotes('hearer', ...noted);
      };
      await after('~.shop.opened', { n: 1 });
      await after('~.list.changed', { on: '>' }, 'NEIRA_PERMISSION_DENIED');
      await after('~.list.changed', { on: 'other.thing.done' }, 'NEIRA_PERMISSION_DENIED');
      await after('~.list.changed', { on: bus.named('~.shop.opened@1') }, 'changed');
      await after('~.shop.opened', { n: 2 }, 2);
      await after('~.shop.closed', { n: 3 });
      await after('~.list.changed', { on: bus.named('~.shop.*') }, 'changed');
      await bus.restart();
      await after('~.shop.closed', { n: 4 }, 4);
      await after('~.list.changed', {}, 'changed');
      await after('~.shop.opened', { n: 5 });
      await bus.restart();
      await after('~.shop.opened', { n: 6 });
      await bus.settled();
      expect(await bus.notes('hearer')).toEqual(noted.map(String));
    },
  },
  {
    claim:
      'of a queue group one member gets each event, all of one key the same; a broadcast goes to every member',
    async run(bus) {
      await bus.events('~.job.queued@1');
      const workers = ['w1', 'w2', 'w3'];
      const group = { event: '~.job.queued@1', group: bus.named('~.workers'), key: '$.payload.key' };
      for (const id of workers)
        await bus.plugin(id, `export function handle({ payload }) { note(payload.key + payload.n); }`, {
          subscribes: [group],
        });
      const jobs = Array.from({ length: 60 }, (_, n) => ({ n, key: `k${n % 12}-` }));
      await bus.publishes('~.job.queued', ...jobs);
      const all = async () => (await Promise.all(workers.map((id) => bus.notes(id)))).flat();
      await expect.poll(async () => (await all()).length, { timeout: 15_000 }).toBe(jobs.length);
      expect((await all()).toSorted()).toEqual(jobs.map(({ n, key }) => `${key}${n}`).toSorted());
      const keysOf = async (id: string) => new Set((await bus.notes(id)).map((text) => text.split('-')[0]));
      const shares = await Promise.all(workers.map(keysOf));
      expect(shares.reduce((sum, share) => sum + share.size, 0)).toBe(12);
      await bus.publish('~.job.queued', { n: 'all', key: 'x' }, { broadcast: true });
      for (const id of workers) await expect.poll(() => bus.notes(id)).toContain('xall');
      await bus.settled();
    },
  },
  {
    claim: 'a command goes to exactly one that handles it, an event beside it to all',
    async run(bus) {
      await bus.events('~.job.run@1!', '~.job.done@1');
      const hearers = ['h1', 'h2', 'h3'];
      for (const id of hearers)
        await bus.plugin(id, NAMED, {
          subscribes: [
            { event: '~.job.run@1', key: IN_ORDER },
            { event: '~.job.done@1', key: IN_ORDER },
          ],
        });
      await bus.publishes('~.job.run', { n: 1 });
      await bus.publishes('~.job.done', { n: 2 });
      const all = async () => (await Promise.all(hearers.map((id) => bus.notes(id)))).flat();
      await expect.poll(async () => (await all()).length, { timeout: 15_000 }).toBe(4);
      await bus.settled();
      const ran = (await all()).filter((text) => text.startsWith('~.job.run'));
      expect([ran.length, (await all()).length]).toEqual([1, 4]);
    },
  },
  {
    claim: 'events that are not installed any more are refused, and what is installed goes on',
    within: true,
    async run(bus) {
      await bus.events('~.other.opened@1');
      const owner = bus.named('~.owner');
      const files = { 'main.ts': 'export function handle() {}', ...bus.files('~.shop.opened@1') };
      expect((await bus.host.script({ id: owner }, files)).status).toBe(201);
      expect((await bus.publish('~.shop.opened', {})).status).toBe(200);
      await bus.remove('owner');
      const refused = await bus.publish('~.shop.opened', {});
      expect([refused.status, refused.body.code]).toEqual([422, 'NEIRA_EVENT_UNREGISTERED']);
      expect((await bus.publish('~.other.opened', {})).status).toBe(200);
      expect((await bus.publish('~.never.opened', {})).body.code).toBe('NEIRA_EVENT_UNREGISTERED');
    },
  },
];
