import { expect } from 'vitest';
import { NOTE, type TransportCase } from './transport-kit.ts';

const HEARS = { subscribes: [{ event: '~.shop.opened@1', key: '$.tenant' }] };
const ASK = `export async function handle(event) {
  try { return { actions: [{ answer: await request('~.math.double', event.payload.params, { timeoutMs: 2000 }) }] }; }
  catch (error) { return { actions: [{ code: error.code, message: error.message }] }; }
}`;

/** A requester with the button `ask`, and the command that it sends. */
async function asker(bus: Parameters<TransportCase['run']>[0], source = ASK): Promise<void> {
  await bus.events('~.math.double@1!');
  await bus.plugin('asker', source, { publishes: ['~.math.double@1'], ...bus.button('ask') });
}

const HANDLES = { subscribes: [{ event: '~.math.double@1' }], retry: { max: 0 } };

/** What comes later: at a time, with an answer, or when its plugin may run. */
export const WAITING: readonly TransportCase[] = [
  {
    claim: 'an event with a time comes then and not before, also when the host was restarted meanwhile',
    async run(bus) {
      await bus.events('~.shop.opened@1');
      await bus.plugin(
        'hearer',
        `export function handle({ payload }) { note(payload.n + ' ' + (Date.now() >= payload.at)); }`,
        HEARS,
      );
      const at = Date.now() + 3000;
      await bus.publish('~.shop.opened', { n: 2, at }, { at: new Date(at).toISOString() });
      await bus.publishes('~.shop.opened', { n: 1, at: 0 });
      await bus.expectNotes('hearer', '1 true');
      await bus.restart();
      await bus.expectNotes('hearer', '1 true', '2 true');
    },
  },
  {
    claim: 'a delayed event that its plugin took back never comes, and no other plugin can take it back',
    within: true,
    async run(bus) {
      await bus.events('~.shop.opened@1', '~.shop.closed@1');
      const source = `export function handle({ event_name, payload }) {
        if (event_name === '~.shop.closed') { cancel(payload.id); return note('cancelled'); }
        if (payload.made) return note(payload.made);
        const later = (made, ms) => publish('~.shop.opened', { made }, { at: new Date(Date.now() + ms) });
        const [first, second] = [later('first', 3000), later('second', 3200)];
        publish('~.shop.closed', { id: first, of: 'mine' });
        publish('~.shop.closed', { id: second, of: 'other' });
      }`;
      const closed = (of: string) => ({ event: '~.shop.closed@1', filter: `event.payload.of == "${of}"` });
      await bus.plugin('mine', source, {
        subscribes: [{ event: '~.shop.opened@1' }, closed('mine')],
        publishes: ['~.shop.opened@1', '~.shop.closed@1'],
      });
      await bus.plugin('other', source, {
        subscribes: [closed('other')],
        publishes: ['~.shop.opened@1', '~.shop.closed@1'],
      });
      await bus.publishes('~.shop.opened', {});
      await bus.expectNotes('other', 'cancelled');
      await bus.expectNotes('mine', 'cancelled', 'second');
    },
  },
  {
    claim: 'a request brings the answer of the one that handles it; its failure comes as a failure',
    within: true,
    async run(bus) {
      await asker(bus);
      await bus.plugin(
        'doubler',
        `export function handle({ payload }) {
          if (payload.n > 9) throw new RangeError('too large');
          return { result: payload.n * 2 };
        }`,
        HANDLES,
      );
      expect((await bus.press('ask', { n: 4 })).body.actions).toEqual([{ answer: 8 }]);
      expect((await bus.press('ask', { n: 10 })).body.actions).toEqual([
        { code: 'NEIRA_PLUGIN_FAILED', message: expect.stringContaining('too large') },
      ]);
    },
  },
  {
    claim:
      'a request that nobody handles is refused at once, and one past its deadline leaves nothing behind',
    within: true,
    async run(bus) {
      await asker(bus, ASK.replace('2000', '150'));
      const { body } = await bus.press('ask', {});
      expect(body.actions).toEqual([{ code: 'NEIRA_COMMAND_UNHANDLED', message: expect.any(String) }]);
      await bus.plugin('doubler', NOTE, { ...HANDLES, ...bus.behind('gate') });
      const late = await bus.press('ask', { n: 1 });
      expect(late.body.actions).toEqual([{ code: 'NEIRA_DEADLINE', message: expect.any(String) }]);
      await bus.gate('gate', 'experimental');
      await bus.settled();
      expect(await bus.notes('doubler')).toEqual([]);
    },
  },
  {
    claim: 'a circle of requests is refused, and a request of a dry run leaves nothing of either turn',
    within: true,
    async run(bus) {
      await asker(bus);
      await bus.plugin(
        'doubler',
        `export async function handle({ payload }) {
          append('asked', 1);
          if (!payload.on) return { result: list('asked/').length };
          try { return { result: await request('~.math.double', payload) }; }
          catch (error) { return { result: error.code }; }
        }`,
        { ...HANDLES, publishes: ['~.math.double@1'] },
      );
      const dry = () => bus.press('ask', { n: 1 }, '?dry_run=1');
      for (const answer of [await dry(), await dry()])
        expect(answer.body).toMatchObject({ mode: 'dry-run', actions: [{ answer: 1 }] });
      expect((await bus.press('ask', { on: true })).body.actions).toEqual([
        { answer: 'NEIRA_REQUEST_CYCLE' },
      ]);
    },
  },
  {
    claim: 'a disabled plugin keeps what waits and gets nothing that is published meanwhile',
    async run(bus) {
      await bus.events('~.shop.opened@1');
      await bus.plugin('hearer', NOTE, { ...HEARS, ...bus.behind('gate') });
      await bus.publishes('~.shop.opened', { n: 1 }, { n: 2 });
      await bus.change('hearer', 'disable');
      await bus.publishes('~.shop.opened', { n: 3 });
      await bus.gate('gate', 'experimental');
      await bus.change('hearer', 'enable');
      await bus.publishes('~.shop.opened', { n: 4 });
      await bus.expectNotes('hearer', 1, 2, 4);
    },
  },
  {
    claim: 'behind a locked gate deliveries wait, and go on in order when it opens',
    async run(bus) {
      await bus.events('~.shop.opened@1');
      await bus.plugin('hearer', NOTE, { ...HEARS, ...bus.behind('gate') });
      await bus.plugin('free', NOTE, HEARS);
      await bus.gate('gate', 'experimental');
      await bus.publishes('~.shop.opened', { n: 1 });
      await bus.expectNotes('hearer', 1);
      await bus.gate('gate', 'locked');
      await bus.publishes('~.shop.opened', { n: 2 }, { n: 3 });
      await bus.expectNotes('free', 1, 2, 3);
      expect(await bus.notes('hearer')).toEqual(['1']);
      await bus.gate('gate', 'experimental');
      await bus.publishes('~.shop.opened', { n: 4 });
      await bus.expectNotes('hearer', 1, 2, 3, 4);
    },
  },
  {
    claim:
      'in safe mode what others than an administrator caused waits for a plugin that writes, and goes on after it',
    within: true,
    async run(bus) {
      await bus.events('~.shop.opened@1');
      await bus.plugin('hearer', NOTE, { subscribes: [{ event: '~.shop.opened@1' }] });
      const { token } = (
        await bus.host.call('POST', '/api/neira/tokens', { name: 'user', scopes: ['write'] })
      ).body;
      const mode = async (mode: string) =>
        expect((await bus.host.call('PUT', '/api/neira/mode', { mode })).body.mode).toBe(mode);
      await mode('safe');
      try {
        expect((await bus.publish('~.shop.opened', { n: 1 }, {}, token)).status).toBe(200);
        await bus.publishes('~.shop.opened', { n: 2 });
        await bus.expectNotes('hearer', 2);
      } finally {
        await mode('normal');
      }
      await bus.expectNotes('hearer', 2, 1);
    },
  },
];
