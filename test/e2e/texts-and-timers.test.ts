import { afterAll, beforeAll, expect, test } from 'vitest';
import { bootHost, SCRIPT_GATES, type TestHost } from '../kit/boot-host.ts';

/** Texts, timers and delayed sends through a whole host: what commits, what is dry, what is run again. */

const SOURCE = `
  import { cancel, send } from 'neira:host/io';
  import { set } from 'neira:host/storage';
  import { sleep } from 'neira:host/timer';

  const price = new Intl.NumberFormat('ru', { style: 'currency', currency: 'RUB' });
  let ready;
  export function prepare() { ready = price.format(1); }

  export async function handle({ payload: { params: { n, ms = 3 } } }) {
    const before = Date.now();
    const late = new Promise((_, reject) => setTimeout(() => reject(new Error('late')), 5000));
    let id;
    const timeout = new Promise((resolve) => { id = setTimeout(resolve, 4000, 'timeout'); });
    const won = await Promise.race([sleep(ms).then(() => 'sleep'), timeout, late]);
    clearTimeout(id);
    const names = ['ёж', 'Еж', 'яма', 'абв', 'Абв' + n].sort((a, b) => a.localeCompare(b, 'ru'));
    const at = new Date(Date.now() + 3600_000);
    send('console', 'now', { n });
    const kept = send('console', 'later', { n }, { at });
    cancel(send('console', 'never', { n }, { at }));
    set('n', n);
    return { actions: [{ won, ready, names, kept, passed: Date.now() - before >= ms, price: price.format(n), date: new Date(0).toLocaleDateString('de', { timeZone: 'Europe/Berlin' }) }] };
  }`;

let host: TestHost;

beforeAll(async () => {
  host = await bootHost({ gates: SCRIPT_GATES });
  const registered = await host.script(
    {
      id: 'texts',
      permissions: { storage: ['write'], io: { ports: ['console'] } },
      limits: { turn_ms: 5000 },
      ui: { buttons: [{ id: 'texts', title: 'Texts', event: 'texts.go' }] },
    },
    SOURCE,
  );
  expect(registered.status, JSON.stringify(registered.body)).toBe(201);
});
afterAll(() => host.close());

const ANSWER = {
  won: 'sleep',
  ready: '1,00\u00a0₽',
  names: expect.any(Array),
  kept: expect.stringMatching(/\/2$/),
  passed: true,
  price: '5,00\u00a0₽',
  date: '1.1.1970',
};

test('texts, timers and sends work as authors write them', async () => {
  const { status, body } = await host.event('texts', { n: 5 });
  expect(status, JSON.stringify(body)).toBe(200);
  expect(body.actions).toEqual([ANSWER]);
  expect(body.actions[0].names).toEqual(
    ['абв', 'Абв5', 'Еж', 'ёж', 'яма'].sort(new Intl.Collator('ru').compare),
  );
});

test('a dry run shows what is sent when, and does not wait', async () => {
  const { status, body } = await host.event('texts', { n: 5, ms: 3500 }, {}, { query: '?dry_run=1' });
  expect(status, JSON.stringify(body)).toBe(200);
  expect(body.actions).toEqual([ANSWER]);
  const at = expect.any(Number);
  expect(body.planned).toMatchObject([
    { op: 'send', target: 'now', payload: { n: 5 } },
    { op: 'send', target: 'later', payload: { n: 5 }, atMs: at },
    { op: 'send', target: 'never', atMs: at },
    { op: 'cancel-send' },
    { op: 'set' },
  ]);
});

// Design §1.3
test('turns that formatted, waited and delayed come out the same when they are run again', async () => {
  for (let n = 0; n < 20; n++) expect((await host.event('texts', { n, ms: n % 4 })).status).toBe(200);
  const replayed = async () =>
    (await host.call('POST', '/api/neira/turns/replay', { plugin: 'texts', limit: 100 })).body;
  // Transcripts are written a moment after their turns.
  await expect
    .poll(replayed, { timeout: 10_000 })
    .toMatchObject({ replayed: 21, same: 21, different: 0, not_comparable: 0, turns: [] });
});
