/** A secret followed through everything that the host tells: found nowhere. MEM-02, MEM-05, SCN-28. */
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, test } from 'vitest';
import { encodingsOf } from '../../host/base/text-encodings.ts';
import { type Answer, SCRIPT_GATES, type SpawnedHost, spawnHost } from '../kit/boot-host.ts';

const NAME = 'shop.key';
const LABEL = `[secret:${NAME}]`;
const VALUE = `S3/+"ключ"\\${randomBytes(9).toString('hex')} end`;
const TEST_MS = 90_000;
const CLI = path.join(import.meta.dirname, '../../host/cli/neira.ts');

const MANIFEST = {
  id: 'leaky',
  permissions: {
    storage: ['read', 'write'],
    io: { ports: ['console'] },
    bus: { publish: ['leak.done'], subscribe: ['leak.due'] },
    secrets: [{ name: NAME, reveal: true }],
  },
  publishes: ['leak.done@1', 'leak.ask@1'],
  subscribes: [{ event: 'leak.due@1' }, { event: 'leak.ask@1' }],
  retry: { max: 0 },
  ui: { buttons: [{ id: 'leak', title: 'Leak', event: 'ui.leak' }] },
};

/** Pushes what it was shown wherever a plugin can, in every way that a plugin can write it. */
const LEAKY = `
import { append, get, list, saveAnnotation, saveMessage, set } from 'neira:host/storage';
import { log, secret, send } from 'neira:host/io';
import { publish, request, subscribe } from 'neira:host/bus';

const hex = (text) => [...new TextEncoder().encode(text)].map((byte) => byte.toString(16).padStart(2, '0')).join('');
const base64 = (text) => btoa(String.fromCharCode(...new TextEncoder().encode(text)));
const ways = (text) => [text, JSON.stringify({ text }), JSON.stringify(JSON.stringify(text)), encodeURIComponent(text),
  hex(text), hex(text).toUpperCase(), base64(text), base64('a' + text + 'b'), base64('ab' + text + 'c')];
const chat = { chatId: 'c', sessionId: 's' };

const LEAKS = {
  set: (text) => set('k', { text }),
  key: (text) => set(text, 1),
  append: (text) => append('log', [text]),
  message: (text) => saveMessage({ ...chat, role: 'user', text }),
  annotation: (text) => saveAnnotation({ ...chat, kind: 'note', data: { deep: [{ [text]: 1 }] } }),
  publish: (text) => publish('leak.done', { text }),
  header: (text) => publish('leak.done', {}, { headers: { note: text } }),
  console: (text) => send('console', 'x', text),
  target: (text) => send('console', text, 1),
  request: (text) => request('leak.ask', { text }),
  subscribe: (text) => subscribe({ name: 'a', event: 'leak.due', filter: 'event.payload.x == ' + JSON.stringify(text) }),
};

export async function handle(event) {
  const { how, way } = event.payload.params ?? event.payload;
  if (how === 'reset') return {};
  const text = ways(await secret('${NAME}'))[way ?? 0];
  switch (how) {
    case 'log':
      for (const level of ['debug', 'info', 'warn', 'error']) log(level, 'it is ' + text + '.');
      console.log('again', { text });
      return {};
    case 'throw': throw new Error('it is ' + text);
    case 'name': { const error = new Error('named'); error.name = text; throw error; }
    case 'stack': { const error = new Error('x'); error.stack = text; throw error; }
    case 'object': throw { text };
    case 'read': get(text.slice(0, 400)); list(text); throw new Error('read it');
    case 'reply': return { actions: [{ text }] };
    case 'result': return { result: { text } };
  }
  await LEAKS[how](text);
  return {};
}
`;

/** Was shown nothing, and tells whatever it is told. */
const CURIOUS = `
import { log } from 'neira:host/io';
import { request } from 'neira:host/bus';
export async function handle() {
  try {
    return { actions: [await request('leak.ask', { how: 'result' })] };
  } catch (error) {
    log('error', JSON.stringify([error.code, error.message, error.details]));
    throw error;
  }
}
`;

async function startCollector() {
  let sent = '';
  const server = createServer((request, response) => {
    request.setEncoding('utf8').on('data', (chunk: string) => {
      sent += chunk;
    });
    request.on('end', () => response.setHeader('content-type', 'application/json').end('{}'));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    sent: () => sent,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Everything below a folder, by its path. */
function filesBelow(folder: string): [string, Buffer][] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath, entry.name))
    .map((file) => [path.relative(folder, file), readFileSync(file)]);
}

const WRITTEN = [...encodingsOf(VALUE, false)].map((text) => Buffer.from(text));

function requireNowhere(places: Iterable<readonly [string, Buffer | string]>): void {
  const found = [...places].filter(([, text]) => {
    const bytes = Buffer.from(text);
    return WRITTEN.some((written) => bytes.includes(written));
  });
  expect(found.map(([place]) => place)).toEqual([]);
}

const WAYS = 9;
const STAGED = [
  'set',
  'key',
  'append',
  'message',
  'annotation',
  'publish',
  'header',
  'console',
  'target',
  'request',
];
const THROWN = ['throw', 'name', 'stack', 'object', 'read'];

test(
  'a secret that a plugin was shown, followed through log, throw, dead letter, metric, trace, export and backup',
  async () => {
    await using collector = await startCollector();
    const home = mkdtempSync(path.join(tmpdir(), 'neira-leak-'));
    const env = { NEIRA_OTLP_URL: collector.url, NEIRA_LOG: 'trace' };
    const host = await spawnHost({ home, env, gates: SCRIPT_GATES });
    let stdout = '';
    host.process.stdout!.on('data', (chunk: Buffer) => {
      stdout += chunk.toString();
    });
    const said: [string, string][] = [];
    const say = (what: string, { status, body, headers }: Answer) => {
      said.push([what, JSON.stringify([status, body, [...headers]])]);
      return { status, body };
    };
    const cli = (args: readonly string[], input = '') => {
      const ran = spawnSync(process.execPath, [CLI, ...args], {
        input,
        env: { ...process.env, NEIRA_URL: host.url, NEIRA_TOKEN: host.token },
      });
      said.push([`neira ${args.join(' ')}`, `${ran.stdout}${ran.stderr}`]);
      return ran.status;
    };

    expect(cli(['secret', 'set', NAME], `${VALUE}\n`)).toBe(0);
    await host.events('leak.due@1', 'leak.done@1', 'leak.ask@1!');
    expect((await host.script(MANIFEST, LEAKY)).status).toBe(201);
    const curious = {
      id: 'curious',
      publishes: ['leak.ask@1'],
      ui: { buttons: [{ id: 'ask', title: 'Ask', event: 'ui.ask' }] },
    };
    expect((await host.script(curious, CURIOUS)).status).toBe(201);

    for (let way = 0; way < WAYS; way++) {
      expect(say('log', await host.event('leak', { how: 'log', way })).status).toBe(200);
      for (const how of THROWN) {
        const { body } = say(how, await host.event('leak', { how, way }));
        expect([how, way, body.code]).toEqual([
          how,
          way,
          expect.stringMatching(/^NEIRA_(PLUGIN_FAILED|VALUE)/),
        ]);
      }
      for (const how of [...STAGED, 'subscribe', 'reply']) {
        const { body } = say(how, await host.event('leak', { how, way }));
        // Only a filter knows what is JSON in it.
        if (how === 'subscribe' && body.code === 'NEIRA_VALUE_INVALID') continue;
        expect([how, way, body]).toEqual([
          how,
          way,
          expect.objectContaining({ code: 'NEIRA_SECRET_LEAK', secret: LABEL }),
        ]);
      }
      for (const how of [...THROWN, 'log', 'set', 'reply']) {
        say('dry', await host.event('leak', { how, way }, {}, { query: '?dry_run=1' }));
        const event = { event_name: 'leak.due', payload: { how, way } };
        const dry = say('dry', await host.call('POST', '/api/neira/dry-run', { event, plugin: 'leaky' }));
        expect([how, dry.status]).toEqual([how, 200]);
      }
      for (const how of ['throw', 'set', 'read']) {
        const body = { event_name: 'leak.due', version: 1, payload: { how, way } };
        say('publish', await host.call('POST', '/api/neira/events', body));
      }
    }
    // It comes back as the refusal of another's turn.
    expect(say('ask', await host.event('ask'))).toMatchObject({
      status: 422,
      body: { code: 'NEIRA_SECRET_LEAK' },
    });

    const letters = async () =>
      (await host.call('GET', '/api/neira/dead-letters?limit=100')).body.dead_letters;
    await expect.poll(letters, { timeout: 20_000 }).toHaveLength(3 * WAYS + 1);
    // It was all told, with the label where the secret was.
    const logs = (await host.call('GET', '/api/neira/plugins/leaky/logs?limit=1000')).body.lines;
    const messages = logs.map((line: { message: string }) => line.message);
    expect(messages.filter((line: string) => line.includes(LABEL)).length).toBeGreaterThanOrEqual(4 * WAYS);
    expect(JSON.stringify(await letters())).toContain(LABEL);

    for (const what of GETS) say(what, await host.call('GET', what));
    const { turns } = (await host.call('GET', '/api/neira/turns?plugin=leaky&limit=1000')).body;
    for (const { id } of turns) {
      const one = `/api/neira/turns/${encodeURIComponent(id)}`;
      expect(say('transcript', await host.call('GET', one)).status).toBe(200);
      say('fixture', await host.call('GET', `${one}/fixture`));
    }
    // A turn that is run again is shown the secret again, and comes out the same.
    const again = say(
      'replay',
      await host.call('POST', '/api/neira/turns/replay', { plugin: 'leaky', limit: 1000 }),
    );
    expect(again).toMatchObject({ status: 200, body: { replayed: turns.length } });
    // But for those that read under the secret as a key, which no transcript has.
    const others = again.body.turns.filter(({ reason }: { reason?: string }) => !reason?.includes(LABEL));
    expect([others, again.body.turns.length]).toEqual([[], 2 * WAYS]);
    for (const command of COMMANDS) expect([command, cli(command.split(' '))]).toEqual([command, 0]);
    expect(say('backup', await host.call('POST', '/api/neira/backup')).status).toBe(201);
    expect(filesBelow(home).map(([name]) => name)).toEqual(
      expect.arrayContaining([
        'neira.db',
        'neira.db-wal',
        'secrets.key',
        expect.stringMatching(/^backups\//),
      ]),
    );
    requireNowhere(said);
    requireNowhere(filesBelow(home));

    await host.close();
    expect(collector.sent()).toContain('turn leaky');
    expect(host.log()).toContain('stopping');
    requireNowhere([
      ['stdout', stdout],
      ['stderr', host.log()],
      ['spans', collector.sent()],
    ]);
    requireNowhere(filesBelow(home));
    rmSync(home, { recursive: true });
  },
  TEST_MS,
);

const GETS = [
  '/healthz',
  '/metrics',
  '/api/neira/status',
  '/api/neira/secrets',
  '/api/neira/plugins',
  '/api/neira/plugins/leaky',
  '/api/neira/plugins/curious',
  '/api/neira/plugins/leaky/logs?limit=1000',
  '/api/neira/plugins/curious/logs',
  '/api/neira/plugins/leaky/settings',
  '/api/neira/journal?limit=1000',
  '/api/neira/events?limit=1000',
  '/api/neira/events/topics',
  '/api/neira/dead-letters?limit=100',
  '/api/neira/dead-letters/1',
  '/api/neira/dead-letters/export',
  '/api/neira/search?q=end',
  '/api/neira/export',
  '/api/neira/tokens',
  '/api/neira/turns?limit=1000',
];
const COMMANDS = [
  'secret list',
  'secret list --json',
  'plugin logs leaky',
  'plugin show leaky',
  'events dlq list',
  'journal',
  'status',
];

test('no call about secrets shows any part of what it was given, whatever is wrong with it', async () => {
  const host: SpawnedHost = await spawnHost({ env: { NEIRA_LOG: 'trace' } });
  const said: [string, string][] = [];
  const put = async (name: string, body: string, type = 'application/json') => {
    const response = await fetch(`${host.url}/api/neira/secrets/${name}`, {
      method: 'PUT',
      headers: { authorization: `Bearer ${host.token}`, 'content-type': type },
      body,
    });
    said.push([
      `${name} ${body.length} ${type}`,
      `${await response.text()} ${JSON.stringify([...response.headers])}`,
    ]);
    return response.status;
  };
  const value = JSON.stringify(VALUE);
  expect(await put(NAME, `{"value": ${value}`)).toBe(400);
  expect(await put(NAME, `{"value": ${value}}`, 'text/plain')).toBe(400);
  expect(await put(NAME, value)).toBe(422);
  expect(await put(NAME, `[${value}]`)).toBe(422);
  expect(await put(NAME, `{${value}: 1}`)).toBe(422);
  expect(await put(NAME, `{"value": "x", ${value}: 1}`)).toBe(422);
  expect(await put(NAME, `{"value": {"text": ${value}}}`)).toBe(422);
  expect(await put(NAME, `{"value": ${JSON.stringify(VALUE.repeat(3000))}}`)).toBe(422);
  expect(await put(NAME, `{"value": ${value}, "__proto__": ${value}}`)).toBe(400);
  // Somebody mixes them up.
  expect(await put(encodeURIComponent(VALUE), `{"value": "x"}`)).toBe(422);
  expect(await put('Not.A.Name', `{"value": ${value}}`)).toBe(422);
  requireNowhere(said);
  await host.close();
  requireNowhere([['stderr', host.log()]]);
});
