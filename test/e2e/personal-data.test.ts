/** What a plugin marks as personal is data, and nothing that is told of its turns. MEM-04. */
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { SCRIPT_GATES, type SpawnedHost, spawnHost } from '../kit/boot-host.ts';

const NAME = 'Ада Lovelace "Byron"';
const PHONE = '79161234567';
const LABEL = '[personal]';

const MANIFEST = {
  id: 'people',
  permissions: {
    storage: ['read', 'write'],
    io: { ports: ['console'] },
    bus: { publish: ['person.met', 'person.find'], subscribe: ['person.>'] },
  },
  publishes: ['person.met@1', 'person.find@1'],
  subscribes: [{ event: 'person.met@1' }, { event: 'person.find@1' }],
  retry: { max: 0 },
  ui: { buttons: [{ id: 'people', title: 'People', event: 'ui.people' }] },
};
/** One step of each turn; every turn tells all that it is given in its log, and throws it when it is told to. */
const SOURCE = `
import { append, get, list, saveMessage, set } from 'neira:host/storage';
import { log, markPersonal, send } from 'neira:host/io';
import { publish } from 'neira:host/bus';

const person = { name: '${NAME.replaceAll('"', '\\"')}', phones: [${PHONE}], id: 'p1' };
const STEPS = {
  mark: () => { markPersonal(person); return person; },
  set: () => { markPersonal(person); set('person', { deep: [{ of: 'is ' + person.name }], public: 'a text of nobody' }); },
  key: () => { markPersonal(person); set('by/' + person.name, 1); },
  append: () => { markPersonal(person); append('log', person); },
  message: () => { markPersonal(person); saveMessage({ chatId: 'c', sessionId: 's', role: 'user', text: person.name }); },
  publish: () => { markPersonal(person); publish('person.met', person); },
  console: () => { markPersonal(person); send('console', person.name, { to: person.name }); },
  get: () => get('person').value,
  list: () => list('', { limit: 100 }).map(({ key, value }) => [key, value]),
  staged: () => { STEPS.set(); STEPS.append(); return [get('person'), list('log')]; },
};

export async function handle(event) {
  const { event_name: name, payload } = event;
  if (name === 'person.find') { markPersonal(person); return { result: { found: person } }; }
  if (name === 'person.met') { log('info', 'met ' + JSON.stringify(payload)); throw new Error('met ' + payload.name); }
  const { step, fail } = payload.params;
  const given = await STEPS[step]();
  log('info', step + ' ' + JSON.stringify(given ?? null));
  if (fail) throw new Error(step + ' ' + JSON.stringify(given ?? person));
  return { actions: [{ given: given ?? null }] };
}
`;

const ASKER = {
  id: 'asker',
  permissions: { bus: { publish: ['person.find'] } },
  publishes: ['person.find@1'],
  ui: { buttons: [{ id: 'ask', title: 'Ask', event: 'ui.ask' }] },
};
const ASKING = `
import { log } from 'neira:host/io';
import { request } from 'neira:host/bus';
export async function handle() {
  const given = await request('person.find', {});
  log('info', 'ask ' + JSON.stringify(given));
  return { actions: [{ given }] };
}
`;

let host: SpawnedHost;

beforeAll(async () => {
  host = await spawnHost({ gates: SCRIPT_GATES, env: { NEIRA_LOG: 'trace' } });
  await host.events('person.met@1', 'person.find@1!');
  expect((await host.script(MANIFEST, SOURCE)).status).toBe(201);
  expect((await host.script(ASKER, ASKING)).status).toBe(201);
});
afterAll(() => host.close());

const step = (name: string, fail = false) => host.event('people', { step: name, fail });
const lines = async () =>
  (await host.call('GET', '/api/neira/plugins/people/logs?limit=1000')).body.lines.map(
    ({ message }: { message: string }) => message,
  ) as string[];
const detail = async () => (await host.call('GET', '/api/neira/plugins/people')).body;

/** Everything that is told, and not the data itself. */
async function told(): Promise<string> {
  const { recent_errors } = await detail();
  const letters = (await host.call('GET', '/api/neira/dead-letters')).body.dead_letters;
  const errors = letters.map(({ error }: { error: unknown }) => error);
  return JSON.stringify([await lines(), recent_errors, errors]) + host.log();
}

function requireUntold(text: string): void {
  for (const part of ['Lovelace', 'Ада', PHONE]) expect(text).not.toContain(part);
}

test('a turn tells nothing of what it marked, in its log and in what it throws', async () => {
  expect((await step('mark')).body.actions).toEqual([
    { given: { name: NAME, phones: [Number(PHONE)], id: 'p1' } },
  ]);
  const failed = await step('mark', true);
  expect(failed).toMatchObject({ status: 500, body: { code: 'NEIRA_PLUGIN_FAILED' } });
  expect(failed.body.detail).toContain(LABEL);
  requireUntold(JSON.stringify(failed.body));
  expect(await lines()).toContain(`mark {"name":"${LABEL}","phones":[${LABEL}],"id":"p1"}`);
  requireUntold(await told());
});

test.each(['set', 'key', 'append', 'message', 'console'])('%s keeps it as data', async (name) => {
  expect((await step(name)).status).toBe(200);
  await expect.poll(async () => (await lines()).at(-1)).toBe(`${name} null`);
});

test('whoever reads it where it was stored is bound in the same way, also in the turn that stored it', async () => {
  for (const name of ['get', 'list', 'staged']) {
    const { body } = await step(name);
    expect(JSON.stringify(body.actions)).toContain('Lovelace');
    const failed = await step(name, true);
    expect(failed.body.detail).toContain(LABEL);
    requireUntold(JSON.stringify(failed.body));
  }
  // What lies beside it is nobody's.
  expect((await lines()).findLast((line) => line.startsWith('get '))).toBe(
    `get {"deep":[{"of":"${LABEL}"}],"public":"a text of nobody"}`,
  );
  requireUntold(await told());
});

test('whoever gets it in an event is bound, and so is who gets it as an answer', async () => {
  expect((await step('publish')).status).toBe(200);
  const letters = async () => (await host.call('GET', '/api/neira/dead-letters')).body.dead_letters;
  await expect.poll(letters, { timeout: 10_000 }).toHaveLength(1);
  const [letter] = await letters();
  expect(letter.error.message).toContain(`met ${LABEL}`);
  const { events } = (await host.call('GET', '/api/neira/events?subject=person.met')).body;
  expect(events).toMatchObject([
    { headers: { pii: '["/payload/name","/payload/phones/0"]' }, payload: { name: NAME } },
  ]);

  expect((await host.event('ask')).body.actions[0].given).toMatchObject({ found: { name: NAME } });
  const answered = (await host.call('GET', '/api/neira/plugins/asker/logs')).body.lines;
  expect(answered).toMatchObject([
    { message: `ask {"found":{"name":"${LABEL}","phones":[${LABEL}],"id":"p1"}}` },
  ]);
  requireUntold(await told());
});

test('an administrator exports the data as it is', async () => {
  expect((await host.call('GET', '/api/neira/export')).body).toContain('Lovelace');
});

test('a publisher cannot set the mark itself, so it cannot take one away', async () => {
  const body = { event_name: 'person.met', version: 1, payload: {}, headers: { pii: '[]' } };
  expect(await host.call('POST', '/api/neira/events', body)).toMatchObject({ status: 422 });
});

test('prepare() is refused what is personal: an image would hold it for every turn', async () => {
  const source = `
    import { get } from 'neira:host/storage';
    export function prepare() { get('person'); }
    export function handle() { return {}; }`;
  const { body } = await host.script({ ...MANIFEST, version: '2.0.0' }, source);
  expect(body.code).toBe('NEIRA_BOOT_FAILED');
  expect(body.detail).toContain('marked as personal');
  requireUntold(JSON.stringify(body));
});

test('no row and no file tells it but those that hold the data', async () => {
  using db = new DatabaseSync(path.join(host.home, 'neira.db'), { readOnly: true });
  const rows = (sql: string) => JSON.stringify(db.prepare(sql).all());
  expect(rows('select envelope from failure')).toContain(LABEL);
  for (const sql of [
    'select error, envelope, reads from failure',
    'select * from log',
    'select error from dead_letter',
    'select line from journal',
    "select outcome from turn where status = 'failed'",
  ])
    requireUntold(rows(sql));
});
