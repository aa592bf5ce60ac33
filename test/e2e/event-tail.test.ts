import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { MAX_TAILS } from '../../host/app/event-records.ts';
import { bootHost, SCRIPT_GATES, type SpawnedHost, spawnHost, type TestHost } from '../kit/boot-host.ts';
import { files, IDLE, place, randomOf, shop, type Tail, tail } from './event-kit.ts';

// BUS-18, BUS-27: the live tail loses nothing and repeats nothing, whatever happens to its connection.

const listening = shop({ subscribes: [] });

async function bootShop(): Promise<TestHost> {
  const host = await bootHost({ gates: SCRIPT_GATES });
  expect((await host.script(listening, files(IDLE))).status).toBe(201);
  return host;
}

const numbers = ({ events }: Pick<Tail, 'events'>) => events.map(({ data }) => data.payload.n as number);

test('a tail shows what is published from now on, with its place, its name and its envelope', async () => {
  await using host = await bootShop();
  await place(host, 1);
  const live = await tail(host);
  expect(live.response.headers['content-type']).toBe('text/event-stream; charset=utf-8');
  const { body } = await place(host, 2);
  await expect.poll(() => live.events).toHaveLength(1);
  const [{ id, event, data }] = live.events as [(typeof live.events)[number]];
  expect([event, data.id, data.payload]).toEqual(['order.placed', body.event_id, { n: 2 }]);
  expect(Object.keys(data).sort()).toEqual(
    'causation_id correlation_id event_name headers id payload source tenant ts version'.split(' '),
  );
  const { events, places } = (await host.call('GET', '/api/neira/events')).body;
  expect([events.at(-1), places.at(-1).seq]).toEqual([data, id]);
  live.cut();
});

test('a tail begins after a place or at a time, and shows only the subjects that it asks for', async () => {
  await using host = await bootShop();
  const before = new Date().toISOString();
  for (let n = 1; n <= 3; n++) await place(host, n);
  const opened = await Promise.all([
    tail(host, `?subject=order.*&since=${before}`),
    tail(host, `?subject=order.placed&since=${before}`),
    tail(host, `?subject=*.placed&after=0`),
    tail(host, `?subject=other.>&after=0`),
    tail(host, `?subject=plugin.>&after=0`),
  ]);
  await place(host, 4);
  const [pattern, exact, star, other, plugins] = opened;
  for (const each of [pattern, exact, star]) await expect.poll(() => numbers(each)).toEqual([1, 2, 3, 4]);
  const second = exact.events[1]!.id;
  const resumed = await tail(host, '?subject=order.placed&since=2000-01-01T00:00:00Z', {
    'last-event-id': String(second),
  });
  await expect.poll(() => numbers(resumed)).toEqual([3, 4]);
  expect(other.events).toEqual([]);
  expect(plugins.events.every(({ event }) => event.startsWith('plugin.'))).toBe(true);
  for (const each of [...opened, resumed]) each.cut();
  // A restored host may have fewer events than a client saw.
  const beyond = await tail(host, '', { 'last-event-id': '999999' });
  await place(host, 5);
  await expect.poll(() => numbers(beyond)).toEqual([5]);
  beyond.cut();
  for (const query of ['?subject=a..b', '?subject=>.a', '?since=yesterday', '?after=-1'])
    expect((await tail(host, query)).response.statusCode, query).toBe(422);
});

test('a tail that is cut at random and resumed over a restart sees every event once, in order', async ({
  annotate,
}) => {
  const seed = Date.now() % 1_000_000;
  await annotate(`seed ${seed}`);
  const random = randomOf(seed);
  const home = mkdtempSync(path.join(tmpdir(), 'neira-tail-'));
  onTestFinished(() => rmSync(home, { recursive: true, force: true }));
  let host: SpawnedHost = await spawnHost({ home, gates: SCRIPT_GATES });
  expect((await host.script(listening, files(IDLE))).status).toBe(201);

  const acknowledged = new Set<string>();
  let published = 0;
  const publish = async (count: number) => {
    await Promise.all(
      Array.from({ length: 4 }, async () => {
        for (let n = 0; n < count / 4; n++) {
          const answer = await place(host, ++published, { pad: 'x'.repeat(random() * 3000) }).catch(
            () => undefined,
          );
          if (answer?.status === 200) acknowledged.add(answer.body.event_id);
        }
      }),
    );
  };

  const got: { id: number; event: string }[] = [];
  let lastId = '0';
  let cuts = 0;
  let done = false;
  const following = (async () => {
    while (!done) {
      const live = await tail(host, '', { 'last-event-id': lastId }, 200 + random() * 20_000).catch(
        () => undefined,
      );
      if (!live) {
        await new Promise((resolve) => setTimeout(resolve, 20));
        continue;
      }
      const idle = setInterval(() => done && live.cut(), 50);
      await live.ended;
      clearInterval(idle);
      got.push(...live.events.map(({ id, data }) => ({ id, event: data.id })));
      lastId = live.lastId() ?? lastId;
      cuts++;
    }
  })();

  await publish(200);
  const doomed = publish(120);
  await new Promise((resolve) => setTimeout(resolve, 100 + random() * 200));
  await host.kill();
  await doomed;
  host = await spawnHost({ home });
  onTestFinished(() => host.close());
  await publish(80);

  const recorded: string[] = [];
  for (let after: number | null = 0; after !== null; ) {
    const { body } = await host.call('GET', `/api/neira/events?after=${after}&limit=100`);
    recorded.push(...body.events.map(({ id }: { id: string }) => id));
    after = body.next;
  }
  const last = (await host.call('GET', '/api/neira/events?limit=1')).body.places[0].seq;
  done = true;
  await following;
  const rest = await tail(host, '', { 'last-event-id': lastId });
  await expect.poll(() => Number(rest.lastId())).toBe(last);
  got.push(...rest.events.map(({ id, data }) => ({ id, event: data.id })));
  rest.cut();

  expect(got.map(({ event }) => event)).toEqual(recorded);
  expect(got.map(({ id }) => id)).toEqual(got.map(({ id }) => id).toSorted((a, b) => a - b));
  const missing = [...acknowledged].filter((id) => !recorded.includes(id));
  expect([missing, new Set(recorded).size]).toEqual([[], recorded.length]);
  expect(cuts).toBeGreaterThan(5);
  expect(acknowledged.size).toBeGreaterThan(200);
}, 60_000);

test('a reader that stops reading holds nobody up, and catches up when it reads again', async () => {
  await using host = await bootShop();
  const slow = await tail(host);
  slow.response.pause();
  const quick = await tail(host, '?subject=order.>');
  // More than the buffers between the two processes of a connection hold.
  const pad = 'x'.repeat(200_000);
  for (let n = 1; n <= 100; n++) expect((await place(host, n, { pad })).status).toBe(200);
  await expect.poll(() => quick.events.length).toBe(100);
  expect(slow.events.length).toBeLessThan(100);
  slow.response.resume();
  const orders = () => slow.events.filter(({ event }) => event === 'order.placed');
  await expect.poll(() => orders().length, { timeout: 10_000 }).toBe(100);
  expect(numbers({ events: orders() })).toEqual(Array.from({ length: 100 }, (_, n) => n + 1));
  slow.cut();
  quick.cut();
}, 60_000);

test('there are as many tails as there may be, and a place is free again when one leaves', async () => {
  await using host = await bootShop();
  const tails = await Promise.all(Array.from({ length: MAX_TAILS }, () => tail(host)));
  expect(tails.every(({ response }) => response.statusCode === 200)).toBe(true);
  const { response } = await tail(host);
  expect([response.statusCode, response.headers['retry-after']]).toEqual([503, '1']);
  const { status, body } = await host.call('GET', '/api/neira/events', undefined, {
    headers: { accept: 'text/event-stream' },
  });
  expect([status, body.code, body.max]).toEqual([503, 'NEIRA_TOO_MANY_TAILS', MAX_TAILS]);
  tails.pop()!.cut();
  await expect
    .poll(async () => {
      const again = await tail(host);
      if (again.response.statusCode === 200) tails.push(again);
      return again.response.statusCode;
    })
    .toBe(200);
  for (const each of tails) each.cut();
});

test('the end of the host is the end of its tails', async () => {
  const host = await bootShop();
  const live = await tail(host);
  await place(host, 1);
  await expect.poll(() => live.events.length).toBe(1);
  await host.close();
  await live.ended;
  expect(live.response.complete).toBe(true);
});
