/**
 * What happens when a cell hangs or dies all the same: blame for the turn that ran and no other, its
 * neighbours' turns run again and answer, the spare takes over, and a plugin that does it three times stops.
 */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { CellPool } from '../../host/sandbox/pool.ts';
import { type Answer, bootHost, SCRIPT_GATES, type TestHost } from '../kit/boot-host.ts';

const GOOD = `
  import { get, set } from 'neira:host/storage';
  export function handle() { const n = (get('n')?.value ?? 0) + 1; set('n', n); return { actions: [{ n }] }; }`;
const FAULTY = `
  import { log } from 'neira:host/io';
  import { set } from 'neira:host/storage';
  if ('FAULT' === 'at load') log('info', 'fault: hang');
  export function handle(event) {
    const { fault, spin } = event.payload.params;
    for (let i = 0; i < (spin ?? 0); i++);
    set('touched', true);
    if (fault) log('info', 'fault: ' + fault);
    return { actions: [{ calm: true }] };
  }`;
const LIMITS = { turn_ms: 300 };
const IN_TIME_MS = 10_000;

let host: TestHost;

beforeEach(async () => {
  // The one thing that differs from the product: the file that a cell thread starts with.
  const open = CellPool.open.bind(CellPool);
  const entry = new URL('./stuck-cell.ts', import.meta.url);
  const spy = vi.spyOn(CellPool, 'open');
  spy.mockImplementation((options, listener) => open({ ...options, entry }, listener));
  try {
    host = await bootHost({ gates: SCRIPT_GATES, env: { NEIRA_CELLS: '1' } });
  } finally {
    spy.mockRestore();
  }
  await register('good', GOOD);
  await register('faulty', FAULTY);
});

afterEach(() => host?.close());

describe('a cell that had to be ended (HOST-06, X-26)', () => {
  test.each([
    ['hang', /watchdog/],
    ['exit', /crash/],
    // Collecting garbage takes so long that the watchdog may come first.
    ['heap', /memory|watchdog/],
  ])('a turn after which the cell is gone (%s) is blamed alone', async (fault, kill) => {
    const before = await Promise.all(Array.from({ length: 5 }, () => send('good')));
    const started = performance.now();
    const attack = send('faulty', { fault });
    const during = Array.from({ length: 20 }, () => send('good'));
    expect(await attack).toMatchObject({
      status: 500,
      body: { code: 'NEIRA_CELL_LOST', plugin: 'faulty' },
    });
    expect(performance.now() - started).toBeLessThan(IN_TIME_MS);
    const answers = [...before, ...(await Promise.all(during))];
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
    // Each event of the neighbour ran once, whichever cell it ran in.
    const counted = answers.map(({ body }) => body.actions[0].n).sort((a, b) => a - b);
    expect(counted).toEqual(answers.map((_, index) => index + 1));
    const { body } = await plugin('faulty');
    expect(body.state).toBe('enabled');
    expect(body.recent_errors[0]).toMatchObject({ code: 'NEIRA_CELL_LOST' });
    expect((await plugin('good')).body.recent_errors).toEqual([]);
    // The blamed turn kept nothing, and its plugin goes on in the cell that was the spare.
    expect(await send('faulty')).toMatchObject({ status: 200, body: { actions: [{ calm: true }] } });
    // OBS-06
    const { body: metrics } = await host.call('GET', '/metrics');
    const [, reason] = /^neira_cell_kills_total\{reason="(\w+)"\} 1$/m.exec(metrics) ?? [];
    expect(reason).toMatch(kill);
    expect((await host.call('GET', '/api/neira/status')).body.cell_kills).toBe(1);
  });

  test('the memory of cells that are gone comes back', async () => {
    for (let i = 0; i < 5; i++) await send('faulty', { fault: i % 2 ? 'exit' : '' });
    const before = process.memoryUsage.rss();
    for (let i = 0; i < 30; i++) await send('faulty', { fault: i % 2 ? 'exit' : '' });
    const grownMb = (process.memoryUsage.rss() - before) / 2 ** 20;
    expect(grownMb, 'MB more after 15 cells').toBeLessThan(150);
    expect((await plugin('faulty')).body.state).toBe('enabled');
  });

  test('a mistake of a host function fails the turn and leaves the cell alive', async () => {
    const failed = await send('faulty', { fault: 'throw' });
    expect(failed).toMatchObject({ status: 500, body: { code: 'NEIRA_INTERNAL' } });
    expect(failed.body.detail).not.toMatch(/mistake of a host function/);
    expect(await send('faulty')).toMatchObject({ status: 200 });
  });

  test('a dry run that hangs is blamed as well', async () => {
    const body = { tool_id: 'faulty', event: 'faulty.event', params: { fault: 'hang' }, context: {} };
    const answer = await host.call('POST', '/api/neira/ui/events', body, { query: '?dry_run=1' });
    expect(answer).toMatchObject({ status: 500, body: { code: 'NEIRA_CELL_LOST' } });
    expect(await send('good')).toMatchObject({ status: 200 });
  });

  test('a plugin that hangs while it boots is refused, and serving goes on meanwhile', async () => {
    const registering = register('late', FAULTY.replace('FAULT', 'at load'), false);
    const during: Answer[] = [];
    let settled = false;
    void registering.finally(() => {
      settled = true;
    });
    while (!settled) during.push(await send('good'));
    expect((await registering).body).toMatchObject({ code: 'NEIRA_BOOT_FAILED' });
    expect(during.every(({ status }) => status === 200)).toBe(true);
    expect(during.length).toBeGreaterThan(100);
    expect((await register('later', GOOD)).status).toBe(201);
  });

  test('a cell that dies while another plugin boots is replaced all the same', async () => {
    const booting = register('late', FAULTY.replace('FAULT', 'at load'), false);
    const answers = await Promise.all([send('faulty', { fault: 'exit' }), send('good'), send('good')]);
    expect(answers.map(({ status }) => status)).toEqual([500, 200, 200]);
    expect((await booting).body).toMatchObject({ code: 'NEIRA_BOOT_FAILED' });
  });
});

describe('quarantine (HOST-06, X-26)', () => {
  test('three turns that ended their cell stop the plugin, with the reason, and what waited is refused', async () => {
    for (const fault of ['hang', 'exit']) await send('faulty', { fault });
    // A failure is no success: it does not make the kills before it forgotten.
    await send('faulty', { fault: 'throw' });
    const last = await Promise.all([
      send('faulty', { fault: 'exit' }),
      ...Array.from({ length: 30 }, () => send('faulty', { fault: 'hang' })),
      send('good'),
    ]);
    expect(last.pop()).toMatchObject({ status: 200 });
    const codes = last.map(({ body }) => body.code);
    expect(codes.filter((code) => code === 'NEIRA_CELL_LOST').length).toBe(1);
    expect(new Set(codes)).toEqual(new Set(['NEIRA_CELL_LOST', 'NEIRA_QUARANTINED']));
    const { body } = await plugin('faulty');
    expect(body).toMatchObject({ state: 'quarantined', active: false });
    expect(body.reason).toMatch(/3 of its turns had to be ended/);
    expect(await send('faulty')).toMatchObject({ status: 409, body: { code: 'NEIRA_QUARANTINED' } });
    const { body: journal } = await host.call('GET', '/api/neira/journal?limit=1000');
    expect(JSON.stringify(journal)).toMatch(/plugin\.quarantined/);
    expect(await send('good')).toMatchObject({ status: 200 });

    // An administrator may give it another chance.
    expect((await host.call('POST', '/api/neira/plugins/faulty/enable')).status).toBe(200);
    expect(await send('faulty')).toMatchObject({ status: 200, body: { actions: [{ calm: true }] } });
  });

  test('a success in between makes the kills before it forgotten', async () => {
    for (const fault of ['exit', 'exit', '', 'exit', 'exit']) await send('faulty', { fault });
    expect((await plugin('faulty')).body.state).toBe('enabled');
    expect(await send('faulty')).toMatchObject({ status: 200 });
  });
});

async function register(id: string, source: string, mustWork = true): Promise<Answer> {
  const answer = await host.script(
    {
      id,
      permissions: { storage: ['read', 'write'] },
      limits: LIMITS,
      ui: { buttons: [{ id, title: id, event: `${id}.event` }] },
    },
    source,
  );
  if (mustWork) expect(answer, JSON.stringify(answer.body)).toMatchObject({ status: 201 });
  return answer;
}

function send(id: string, params: unknown = {}): Promise<Answer> {
  const body = { tool_id: id, event: `${id}.event`, params, context: {} };
  return host.call('POST', '/api/neira/ui/events', body);
}

function plugin(id: string): Promise<Answer> {
  return host.call('GET', `/api/neira/plugins/${id}`);
}
