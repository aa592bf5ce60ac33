import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { bootHost, SCRIPT_GATES, spawnHost, type TestHost } from '../kit/boot-host.ts';
import { answering, eventOf, journalOf } from './saved-plugin.ts';

const at = (id: string, rest = '') => `/api/neira/plugins/${id}${rest}`;
const button = (id: string) => ({ ui: { buttons: [{ id, title: id, event: `${id}.go` }] } });

async function tokenOf(host: TestHost, scope: 'read' | 'write'): Promise<string> {
  return (await host.call('POST', '/api/neira/tokens', { name: scope, scopes: [scope] })).body.token;
}

// MIS-08, HOST-37..41, X-25: everything present, everything locked, nothing runs.
describe('an embryo', () => {
  let host: TestHost;
  let write: string;

  beforeAll(async () => {
    host = await bootHost();
    write = await tokenOf(host, 'write');
  });
  afterAll(() => host.close());

  test('all gates are locked, all lists are empty, and the index says so', async () => {
    const { gates } = (await host.call('GET', '/api/neira/gates')).body;
    expect(gates.map(({ id, stage }: { id: string; stage: string }) => [id, stage])).toEqual(
      expect.arrayContaining(
        ['runtime_scripting', 'runtime_wasm_plugins', 'ui_tools_registry', 'annotations_pencil'].map((id) => [
          id,
          'locked',
        ]),
      ),
    );
    expect(gates.filter(({ stage }: { stage: string }) => stage !== 'locked')).toEqual([]);
    expect((await host.call('GET', '/api/neira/plugins')).body).toEqual({ plugins: [] });
    expect((await host.call('GET', '/api/neira/ui/tools')).body).toEqual({ tools: [] });
    expect(JSON.parse(readFileSync(path.join(host.home, 'plugins/index.json'), 'utf8'))).toEqual({
      plugins: [],
    });
    expect((await host.call('GET', '/healthz')).body).toMatchObject({ status: 'ok', mode: 'normal' });
  });

  test('administrative calls need the scope first, then the gate, which the refusal names', async () => {
    const body = {
      manifest: { id: 'em.one', version: '1.0.0', kind: 'script', entry: 'main.ts' },
      files: { 'main.ts': answering(1) },
    };
    for (const token of [await tokenOf(host, 'read'), write]) {
      const { status, body: problem } = await host.call('POST', '/api/neira/plugins', body, { token });
      expect([status, problem.code]).toEqual([403, 'NEIRA_FORBIDDEN']);
    }
    for (const what of [body, { catalog: 'ui.pencil' }]) {
      const { status, body: problem } = await host.call('POST', '/api/neira/plugins', what);
      expect([status, problem]).toEqual([
        403,
        expect.objectContaining({
          code: 'NEIRA_GATE_LOCKED',
          gate: 'runtime_scripting',
          remedy: expect.stringContaining('neira gate set runtime_scripting'),
        }),
      ]);
    }
    expect((await host.call('GET', '/api/neira/plugins')).body).toEqual({ plugins: [] });
    expect(existsSync(path.join(host.home, 'plugins/scripts/em.one'))).toBe(false);
  });

  test('a gate that requires another stays locked without it', async () => {
    const { status, body } = await host.call('PUT', '/api/neira/gates/annotations_pencil', {
      stage: 'experimental',
    });
    expect([status, body.code]).toEqual([409, 'NEIRA_GATE_REQUIRES']);
  });

  test('a UI event is validated, journaled and dry-run, and nothing runs', async () => {
    for (const token of [host.token, write]) {
      const body = {
        tool_id: 'pencil',
        event: 'ui.pencil.draw',
        params: { points: [[1, 2]] },
        context: { chat_id: 'c', session_id: 's' },
      };
      const { status, body: reply } = await host.call('POST', '/api/neira/ui/events', body, { token });
      expect([status, reply]).toEqual([
        200,
        expect.objectContaining({
          mode: 'dry-run',
          ran: false,
          actions: [],
          reason: expect.stringContaining('ui_tools_registry'),
        }),
      ]);
      const told = (await journalOf(host, 'pencil')).at(-1)!;
      expect(told).toMatchObject({ action: 'ui.event.dry-run', after: { event_id: reply.event_id } });
      const { events, places } = (await host.call('GET', '/api/neira/events?subject=ui.pencil.draw')).body;
      const at = events.findIndex(({ id }: { id: string }) => id === reply.event_id);
      expect(places[at]).toMatchObject({ disposition: 'dry-run' });
    }
    expect(existsSync(path.join(host.home, 'context/c'))).toBe(false);
  });

  test.each([
    ['no tool', { event: 'a.b', params: {} }],
    [
      'a context id that is a path',
      { tool_id: 'pencil', event: 'a.b', params: {}, context: { chat_id: '../x' } },
    ],
    ['a context id of dots', { tool_id: 'pencil', event: 'a.b', params: {}, context: { chat_id: '..' } }],
    ['params that are no object', { tool_id: 'pencil', event: 'a.b', params: [] }],
  ])('a malformed event is refused: %s', async (_what, body) => {
    expect((await host.call('POST', '/api/neira/ui/events', body)).status).toBe(422);
  });

  test('a read token may look and not send', async () => {
    const token = await tokenOf(host, 'read');
    expect((await host.call('GET', '/api/neira/plugins', undefined, { token })).status).toBe(200);
    const body = { tool_id: 'pencil', event: 'a.b', params: {}, context: {} };
    expect((await host.call('POST', '/api/neira/ui/events', body, { token })).status).toBe(403);
  });
});

// HOST-44, HOST-45: the gates open one by one.
test('from gate to gate the same event gets further, until it runs', async () => {
  await using host = await bootHost();
  const body = {
    tool_id: 'pencil',
    event: 'ui.pencil.draw',
    params: { points: [[1, 2]] },
    context: { chat_id: 'c', session_id: 's' },
  };
  const draw = async () => {
    const { body: reply } = await host.call('POST', '/api/neira/ui/events', body);
    return reply.code ?? (reply.ran ? reply.mode : reply.reason.match(/`(\w+)`/)[1]);
  };
  const tools = async () =>
    (await host.call('GET', '/api/neira/ui/tools')).body.tools.map(({ id }: { id: string }) => id);
  expect(await draw()).toBe('ui_tools_registry');
  await host.open('ui_tools_registry');
  expect(await draw()).toBe('runtime_scripting');
  await host.open('runtime_scripting');
  // No gate is in the way of a tool that nobody offers.
  expect(await draw()).toBe('NEIRA_NOT_FOUND');
  const added = await host.call(
    'POST',
    '/api/neira/plugins',
    { catalog: 'ui.pencil' },
    { query: '?enable=1&grant=all' },
  );
  expect([added.status, added.body.active, added.body.reason]).toEqual([
    201,
    false,
    'the gate `annotations_pencil` is locked',
  ]);
  expect([await draw(), await tools()]).toEqual(['annotations_pencil', []]);
  await host.open('annotations_pencil');
  expect([await draw(), await tools()]).toEqual(['executed', ['pencil']]);
  expect(
    readFileSync(path.join(host.home, 'context/c/s.annotations.ndjson'), 'utf8').split('\n'),
  ).toHaveLength(2);

  // And back: a locked gate stops at once what it had opened.
  await host.call('PUT', '/api/neira/gates/annotations_pencil', { stage: 'locked' });
  expect([await draw(), await tools()]).toEqual(['annotations_pencil', []]);
  expect(
    readFileSync(path.join(host.home, 'context/c/s.annotations.ndjson'), 'utf8').split('\n'),
  ).toHaveLength(2);
});

// HOST-24, HOST-40, X-26
describe('safe mode', () => {
  let host: TestHost;
  let write: string;
  const writing = `import { set } from 'neira:host/storage';
export function handle() { set('k', 1); return { actions: [{ type: 'v', v: 'wrote' }] }; }`;

  beforeAll(async () => {
    host = await bootHost({ gates: SCRIPT_GATES });
    write = await tokenOf(host, 'write');
    await host.script({ id: 'sm.read', ...button('sm.read') }, answering(1));
    await host.script(
      { id: 'sm.write', permissions: { storage: ['write'] }, ...button('sm.write') },
      writing,
    );
    expect((await host.call('PUT', '/api/neira/mode', { mode: 'safe' })).body.mode).toBe('safe');
  });
  afterAll(() => host.close());

  test.each<[string, string, string, unknown]>([
    [
      'register inline',
      'POST',
      '/api/neira/plugins',
      {
        manifest: { id: 'sm.new', version: '1.0.0', kind: 'script', entry: 'main.ts' },
        files: { 'main.ts': answering(1) },
      },
    ],
    ['register a folder', 'POST', '/api/neira/plugins', { path: '/tmp' }],
    ['register from the catalog', 'POST', '/api/neira/plugins', { catalog: 'hello' }],
    ['enable', 'POST', at('sm.read', '/enable'), undefined],
    ['disable', 'POST', at('sm.read', '/disable'), undefined],
    ['reload', 'POST', at('sm.read', '/reload'), undefined],
    ['rollback', 'POST', at('sm.read', '/rollback'), {}],
    ['grants', 'PUT', at('sm.write', '/grants'), { permissions: {} }],
    ['settings', 'PUT', at('sm.read', '/settings'), { settings: {} }],
    ['remove', 'DELETE', at('sm.read'), undefined],
    ['open a gate', 'PUT', '/api/neira/gates/annotations_pencil', { stage: 'experimental' }],
    ['force a gate', 'PUT', '/api/neira/gates/runtime_wasm_plugins', { stage: 'experimental', force: true }],
    ['raise a gate', 'PUT', '/api/neira/gates/runtime_scripting', { stage: 'stable' }],
  ])('%s is 423', async (_what, method, where, body) => {
    const before = (await host.call('GET', '/api/neira/plugins')).body;
    const { status, body: problem } = await host.call(method, where, body);
    expect([status, problem.code]).toEqual([423, 'NEIRA_SAFE_MODE']);
    expect((await host.call('GET', '/api/neira/plugins')).body).toEqual(before);
  });

  test('a plugin that writes runs for an administrator, and dry for others; one that only reads runs for both', async () => {
    const send = (id: string, token: string) =>
      host.call(
        'POST',
        '/api/neira/ui/events',
        { tool_id: id, event: `${id}.go`, params: {}, context: {} },
        { token },
      );
    expect((await send('sm.write', host.token)).body).toMatchObject({ mode: 'executed', ran: true });
    expect((await send('sm.write', write)).body).toMatchObject({
      mode: 'dry-run',
      ran: true,
      planned: [{ op: 'set', key: 'k' }],
    });
    expect((await send('sm.read', host.token)).body).toMatchObject({ mode: 'executed' });
    expect((await send('sm.read', write)).body).toMatchObject({ mode: 'executed' });
  });

  test('a backup can be made', async () => {
    expect((await host.call('POST', '/api/neira/backup')).status).toBe(201);
    expect((await host.call('POST', '/api/neira/backup', undefined, { token: write })).status).toBe(403);
  });

  test('locking, revoking and leaving stay open to administrators, and to nobody else', async () => {
    const { tokens } = (await host.call('GET', '/api/neira/tokens')).body;
    const lock = (token: string) =>
      host.call('PUT', '/api/neira/gates/ui_tools_registry', { stage: 'locked' }, { token });
    expect([(await lock(write)).status, (await lock(host.token)).status]).toEqual([403, 200]);
    expect((await eventOf(host, 'sm.read')).body).toMatchObject({ mode: 'dry-run', ran: false });
    const leave = (token: string) => host.call('PUT', '/api/neira/mode', { mode: 'normal' }, { token });
    expect((await leave(write)).status).toBe(403);
    const mine = tokens.find(({ name }: { name: string }) => name === 'write');
    expect((await host.call('DELETE', `/api/neira/tokens/${mine.id}`)).status).toBe(204);
    expect((await leave(write)).status).toBe(401);
    expect((await leave(host.token)).body.mode).toBe('normal');
    expect((await host.call('POST', at('sm.read', '/disable'))).status).toBe(200);
  });

  test('it outlives a restart, and --safe boots into it', async () => {
    const first = await spawnHost({ env: { NEIRA_SAFE_MODE: '1' } });
    expect((await first.call('GET', '/healthz')).body.mode).toBe('safe');
    await first.kill();
    await using second = await spawnHost({ home: first.home });
    expect((await second.call('GET', '/healthz')).body.mode).toBe('safe');
  });
});
