import { expect } from 'vitest';
import { NOTE, type TransportCase } from './transport-kit.ts';

const PLACED = '~.order.placed';
const BY_KEY = { subscribes: [{ event: '~.order.placed@1', key: '$.payload.key' }] };
const UNKEYED = { subscribes: [{ event: '~.order.placed@1' }] };

/** How deliveries come: order, tries, and that each event counts once. */
export const DELIVERY: readonly TransportCase[] = [
  {
    claim: 'deliveries of one key come in order, and another key goes past one that waits for it',
    async run(bus) {
      await bus.events('~.order.placed@1', '~.door.open@1!', '~.door.opened@1');
      // Answers only when the other key has run: so both are open at the same time.
      await bus.plugin(
        'door',
        `export function handle(event) {
          if (event.event_name === '~.door.opened') return set('open', true);
          if (!get('open')) throw new Error('not yet');
          return { result: 'open' };
        }`,
        {
          subscribes: [{ event: '~.door.open@1' }, { event: '~.door.opened@1' }],
          retry: { max: 20, base_ms: 20, max_ms: 50 },
        },
      );
      await bus.plugin(
        'shop',
        `export async function handle(event) {
          if (event.payload.n === 1) await request('~.door.open', {});
          if (event.payload.key === 'b') publish('~.door.opened', {});
          note(event.payload.n);
        }`,
        { ...BY_KEY, publishes: ['~.door.open@1', '~.door.opened@1'] },
      );
      await bus.publishes(
        PLACED,
        { n: 1, key: 'a' },
        { n: 2, key: 'a' },
        { n: 3, key: 'a' },
        { n: 4, key: 'b' },
      );
      await bus.expectNotes('shop', 4, 1, 2, 3);
    },
  },
  {
    claim: 'the order of a key holds through a failure and its retries, and attempts are counted',
    async run(bus) {
      await bus.events('~.order.placed@1');
      await bus.plugin(
        'shop',
        `export function handle(event) {
          const { attempt } = delivery();
          if (event.payload.n === 2 && attempt < 4) throw new Error('not yet');
          note(event.payload.n + ' try ' + attempt);
        }`,
        BY_KEY,
      );
      await bus.publishes(PLACED, ...[1, 2, 3, 4].map((n) => ({ n, key: 'a' })));
      await bus.expectNotes('shop', '1 try 1', '2 try 4', '3 try 1', '4 try 1');
    },
  },
  {
    claim: 'a long line of one key comes complete and in order',
    async run(bus) {
      await bus.events('~.order.placed@1');
      await bus.plugin('shop', NOTE, BY_KEY);
      const numbers = Array.from({ length: 150 }, (_, n) => n);
      await bus.publishes(PLACED, ...numbers.map((n) => ({ n, key: 'a' })));
      await bus.expectNotes('shop', ...numbers);
    },
  },
  {
    claim: 'what a try that failed staged is not there: its effects and its publishes come once',
    async run(bus) {
      await bus.events('~.order.placed@1', '~.order.counted@1');
      await bus.plugin(
        'shop',
        `export function handle(event) {
          append('tries', delivery().attempt);
          publish('~.order.counted', { n: list('tries').length });
          if (delivery().attempt < 3) throw new Error('not yet');
        }`,
        { ...BY_KEY, publishes: ['~.order.counted@1'] },
      );
      await bus.plugin('book', NOTE, { subscribes: [{ event: '~.order.counted@1' }] });
      await bus.publishes(PLACED, { key: 'a' });
      await bus.settled();
      expect(await bus.notes('book')).toHaveLength(1);
    },
  },
  {
    claim: 'after its last try a delivery is a dead letter with error, attempts and the place in the source',
    async run(bus) {
      await bus.events('~.order.placed@1');
      const source = `export function handle(event) {
        if (event.payload.n === 1) throw new TypeError('no stock');
        note(event.payload.n);
      }`;
      await bus.plugin('shop', source, { ...BY_KEY, retry: { max: 2, base_ms: 10, max_ms: 10 } });
      await bus.publishes(PLACED, { n: 1, key: 'a' }, { n: 2, key: 'a' });
      const [letter] = await bus.deadLetters('shop', 1);
      expect(letter).toMatchObject({
        attempts: 3,
        event_name: bus.named(PLACED),
        envelope: { payload: { n: 1, key: 'a' } },
        error: {
          code: 'NEIRA_PLUGIN_FAILED',
          message: expect.stringContaining('no stock'),
          details: { file: 'main.ts', line: expect.any(Number) },
          stack: expect.stringContaining('main.ts'),
        },
      });
      await bus.expectNotes('shop', 2);
    },
  },
  {
    claim: 'a dead letter that is retried runs on the version of now, with all its tries again',
    async run(bus) {
      await bus.events('~.order.placed@1');
      const retry = { max: 1, base_ms: 10, max_ms: 10 };
      await bus.plugin('shop', `export function handle() { throw new Error('broken'); }`, {
        ...BY_KEY,
        retry,
      });
      await bus.publishes(PLACED, { n: 1, key: 'a' });
      const [{ id }] = await bus.deadLetters('shop', 1);
      await bus.plugin(
        'shop',
        `export function handle(event) {
          if (delivery().attempt < 4) throw new Error('once more');
          note(event.payload.n + ' try ' + delivery().attempt);
        }`,
        { ...BY_KEY, retry },
      );
      const answer = await bus.host.call('POST', `/api/neira/dead-letters/${id}/retry`);
      expect(answer.status, JSON.stringify(answer.body)).toBeLessThan(300);
      await bus.expectNotes('shop', '1 try 4');
      await bus.deadLetters('shop', 0);
    },
  },
  {
    claim: 'what waited when the host stopped comes after it started again, in order, each once',
    async run(bus) {
      await bus.events('~.order.placed@1');
      await bus.plugin('shop', NOTE, { ...BY_KEY, ...bus.behind('gate') });
      await bus.plugin(
        'tried',
        `export function handle(event) {
          if (delivery().attempt < 3) throw new Error('not yet');
          note(event.payload.n);
        }`,
        { ...BY_KEY, retry: { max: 9, base_ms: 20, max_ms: 200 } },
      );
      const numbers = [1, 2, 3, 4, 5, 6];
      await bus.publishes(PLACED, ...numbers.map((n) => ({ n, key: 'a' })));
      await bus.restart();
      await bus.gate('gate', 'experimental');
      await bus.expectNotes('shop', ...numbers);
      await bus.expectNotes('tried', ...numbers);
    },
  },
  {
    claim: 'an idempotency key counts once for a client, and is its own: for each event and each client',
    async run(bus) {
      await bus.events('~.order.placed@1', '~.order.paid@1');
      await bus.plugin(
        'shop',
        `export function handle(event) { note(event.event_name + event.payload.n); }`,
        {
          subscribes: [{ event: '~.order.*', key: '$.tenant' }],
        },
      );
      const keyed = { headers: { idempotency_key: 'k' } };
      const first = await bus.publish(PLACED, { n: 1 }, keyed);
      const again = await bus.publish(PLACED, { n: 2 }, keyed);
      expect(again.body).toMatchObject({ event_id: first.body.event_id, duplicate: true });
      expect((await bus.publish('~.order.paid', { n: 3 }, keyed)).body.duplicate).toBeUndefined();
      const { token } = (
        await bus.outside.call('POST', '/api/neira/tokens', { name: 'other', scopes: ['write'] })
      ).body;
      expect((await bus.publish(PLACED, { n: 4 }, keyed, token)).body.duplicate).toBeUndefined();
      await bus.expectNotes('shop', '~.order.placed1', '~.order.paid3', '~.order.placed4');
    },
  },
  {
    claim: 'an idempotency key counts once for a plugin, over turns and restarts',
    within: true,
    async run(bus) {
      await bus.events('~.order.placed@1', '~.order.counted@1');
      await bus.plugin(
        'shop',
        `export function handle(event) {
          publish('~.order.counted', { n: event.payload.n }, { idempotencyKey: 'of ' + event.payload.key });
          publish('~.order.counted', { n: event.payload.n }, { idempotencyKey: 'of ' + event.payload.key });
        }`,
        { ...BY_KEY, publishes: ['~.order.counted@1'] },
      );
      await bus.plugin('book', NOTE, { subscribes: [{ event: '~.order.counted@1', key: '$.tenant' }] });
      await bus.publishes(PLACED, { n: 1, key: 'a' }, { n: 2, key: 'a' });
      await bus.expectNotes('book', 1);
      await bus.restart();
      await bus.publishes(PLACED, { n: 3, key: 'a' }, { n: 4, key: 'b' });
      await bus.expectNotes('book', 1, 4);
      await bus.settled();
      expect(await bus.notes('book')).toEqual(['1', '4']);
    },
  },
  {
    claim: 'of deliveries that come together one that fails takes no other with it',
    async run(bus) {
      await bus.events('~.order.placed@1');
      const source = `export function handle(event) {
        if (event.payload.n % 5 === 0) throw new Error('no fives');
        note(event.payload.n);
      }`;
      const retry = { max: 1, base_ms: 10, max_ms: 10 };
      await bus.plugin('keyed', source, { ...BY_KEY, ...bus.behind('gate'), retry });
      await bus.plugin('loose', source, { ...UNKEYED, ...bus.behind('gate2'), retry });
      const numbers = Array.from({ length: 40 }, (_, n) => n + 1);
      await bus.publishes(PLACED, ...numbers.map((n) => ({ n, key: 'a' })));
      await bus.gate('gate', 'experimental');
      await bus.gate('gate2', 'experimental');
      await bus.expectNotes('keyed', ...numbers.filter((n) => n % 5 !== 0));
      await bus.expectSet('loose', ...numbers.filter((n) => n % 5 !== 0));
      const letters = [...(await bus.deadLetters('keyed', 8)), ...(await bus.deadLetters('loose', 8))];
      expect(letters.every(({ envelope }) => envelope.payload.n % 5 === 0)).toBe(true);
    },
  },
];
