import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, onTestFinished, test } from 'vitest';
import { SCRIPT_GATES, type SpawnedHost, spawnHost } from '../kit/boot-host.ts';
import { consoleLines } from './load.ts';

/** Sends with a time through whole hosts that are killed: they leave once their moment came, unless taken back. */

const TEST_MS = 60_000;
const env = { NEIRA_CELLS: '1', NEIRA_DURABILITY: 'power' };
const PLUGIN = `
  import { cancel, send } from 'neira:host/io';
  export function handle({ payload: { params } }) {
    if (params.cancel) return cancel(params.cancel);
    const id = send('console', 'later', { n: params.n }, params.at && { at: new Date(params.at) });
    return { actions: [{ type: 'sent', id }] };
  }`;
const MANIFEST = {
  id: 'later',
  permissions: { io: { ports: ['console'] } },
  ui: { buttons: [{ id: 'later', title: 'Later', event: 'later.go' }] },
};

const sendAt = async (host: SpawnedHost, n: number, at?: number): Promise<string> => {
  const { status, body } = await host.event('later', { n, ...(at !== undefined && { at }) });
  expect(status, JSON.stringify(body)).toBe(200);
  return body.actions[0].id;
};
const sent = (host: SpawnedHost) => consoleLines(host.log()).map(({ payload }) => payload.n);

/** Sends that wait for their moment. */
function waiting(home: string): number {
  const db = new DatabaseSync(path.join(home, 'neira.db'), { readOnly: true });
  try {
    return Number(db.prepare('select count(*) as count from delayed_send').get()!['count']);
  } finally {
    db.close();
  }
}

function newHome(): string {
  const home = mkdtempSync(path.join(tmpdir(), 'neira-later-'));
  onTestFinished(() => rmSync(home, { recursive: true, force: true }));
  return home;
}

test(
  'delayed sends survive SIGKILL, leave in order of their time, and those taken back never do',
  async () => {
    const home = newHome();
    const first = await spawnHost({ home, env, gates: SCRIPT_GATES });
    expect((await first.script(MANIFEST, PLUGIN)).status).toBe(201);
    const soon = Date.now() + 4000;
    await sendAt(first, 3, soon + 200);
    await sendAt(first, 1, soon);
    await sendAt(first, 2, soon);
    const inYears = await sendAt(first, 5, Date.now() + 9 * 365 * 24 * 3_600_000);
    const taken = await sendAt(first, 4, soon + 100);
    expect((await first.event('later', { cancel: taken })).status).toBe(200);
    await sendAt(first, 0);
    await expect.poll(() => sent(first)).toEqual([0]);
    await first.kill();

    await using second = await spawnHost({ home, env });
    // The first may have been killed before it was known that 0 had left: then it leaves again, and says so.
    const later = () => sent(second).filter((n) => n !== 0);
    await expect.poll(later, { timeout: 20_000 }).toEqual([1, 2, 3]);
    expect(waiting(home)).toBe(1);
    expect((await second.event('later', { cancel: inYears })).status).toBe(200);
    expect(waiting(home)).toBe(0);
    for (const { doubtful, payload } of consoleLines(second.log()))
      expect(doubtful).toBe(payload.n === 0 ? true : undefined);
  },
  TEST_MS,
);

test(
  'what came due while no host was running leaves when one is; killed in the middle of it, none is lost',
  async () => {
    const home = newHome();
    const first = await spawnHost({ home, env, gates: SCRIPT_GATES });
    expect((await first.script(MANIFEST, PLUGIN)).status).toBe(201);
    const at = Date.now() + 2500;
    for (let n = 1; n <= 5; n++) await sendAt(first, n, at);
    await first.kill();
    await new Promise((resolve) => setTimeout(resolve, Math.max(at - Date.now(), 0)));

    // It dies before it listens, with three of them released in a transaction that never commits.
    const doomed = spawnHost({ home, env: { ...env, NEIRA_FAULT: 'mailbox.mid-due:3' } });
    await expect(doomed).rejects.toThrow('the host ended');
    expect(waiting(home)).toBe(5);
    await using host = await spawnHost({ home, env });
    await expect.poll(() => sent(host), { timeout: 20_000 }).toEqual([1, 2, 3, 4, 5]);
  },
  TEST_MS,
);
