import { spawn } from 'node:child_process';
import { appendFileSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { FAULT_POINTS } from './fault.ts';
import { MIGRATIONS } from './migrations.ts';
import { createKvReader } from './reader.ts';
import { openStore, type Store } from './store.ts';
import { TURNS, turnOf } from './test-crash-child.ts';
import { commit, filesIn, linesOf, note, tempHome, turn, WRITER } from './test-store.ts';
import { verifyJournal } from './verify-journal.ts';

const CHILD = fileURLToPath(new URL('./test-crash-child.ts', import.meta.url));

async function run(
  home: string,
  fault: string,
  ...args: string[]
): Promise<{ said: string[]; signal: string | null }> {
  const child = spawn(process.execPath, [CHILD, home, ...args], {
    env: { ...process.env, NEIRA_FAULT: fault },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.on('data', (chunk) => (output += chunk));
  const signal = await new Promise<string | null>((resolve) =>
    child.once('close', (_code, by) => resolve(by)),
  );
  return { said: output.split('\n').slice(0, -1), signal };
}

/** Every effect of every acknowledged turn exactly once; of every other turn all or nothing. */
function check(store: Store, said: readonly string[]): number {
  const { home } = store;
  const records = store.search({ limit: 1000 });
  const events = store.events({ limit: 1000 });
  const log = (() => {
    using reader = createKvReader(store.databasePath);
    return [...reader.scan('demo', { prefix: '' })].map(
      ({ key, value }) => `${key.replace(/\/.*/, '/')}=${value}`,
    );
  })();
  const lines = [0, 1].flatMap((n) => {
    const path = `context/chat/s${n}.annotations.ndjson`;
    return existsSync(join(home, path)) ? linesOf(home, path) : [];
  });
  let kept = 0;
  for (let n = 1; n <= TURNS; n++) {
    const line = `{"n":${n},"text":"строка"}`;
    const counts = [
      log.filter((entry) => entry === `k${n}=${n}`),
      log.filter((entry) => entry === `log/=${n}`),
      records.filter((record) => record.line === line),
      lines.filter((found) => found === line),
      events.filter(({ eventId }) => eventId === `e${n}`),
      events.filter(({ eventId }) => eventId === `p${n}`),
      store.pendingSends().filter(({ id }) => id === `e${n}:demo/1`),
      store.logs('demo', 1000).filter(({ turnId }) => turnId === `e${n}:demo`),
      store.search({ q: `слово${n}` }).filter(({ id }) => id === `n${n}`),
    ].map(({ length }) => length);
    const expected = store.turn(`e${n}:demo`) ? 1 : 0;
    kept += expected;
    expect(counts, `turn ${n}`).toEqual(counts.map(() => expected));
    if (said.includes(`turn ${n}`)) expect(expected, `turn ${n} was acknowledged`).toBe(1);
    const journaled = store.journal(0, 1000).filter(({ action }) => action === `step.${n}`).length;
    expect(journaled).toBe(store.settings(`s${n}`) === undefined ? 0 : 1);
    if (said.includes(`admin ${n}`)) expect(journaled).toBe(1);
  }
  expect(lines).toHaveLength(kept);
  expect(store.statistics()[0]?.turns ?? 0).toBe(kept);
  expect(verifyJournal(home)).toMatchObject({ ok: true, pendingLines: 0 });
  if (kept > 0)
    expect(filesIn(home, 'context/chat').filter((name) => name.includes('set-aside'))).toEqual([]);
  return kept;
}

/**
 * Of the points in mailboxes: test/crash/bus-kill.test.ts; of those in requests: test/crash/http-kill.test.ts; of the
 * master key: test/crash/secrets.test.ts.
 */
const working = FAULT_POINTS.filter((point) => !/^(repair|migrate|mailbox|http|secrets)/.test(point));

test.each(working.flatMap((point) => [`${point}:1`, `${point}:7`]))(
  'killed at %s: what was acknowledged is there once, what was not is there whole or not at all',
  async (fault) => {
    const home = tempHome();
    const { said, signal } = await run(home, fault);
    expect(signal).toBe('SIGKILL');
    expect(said).toContain('open');
    expect(verifyJournal(home)).toMatchObject({ ok: true });
    const store = await openStore({ writer: WRITER, home, durability: 'power' });
    check(store, said);
    // Sent again, every turn is there once: those that were kept answer as before.
    for (let n = 1; n <= TURNS; n++)
      expect((await commit(store, turnOf(n))).outcome).toEqual(turnOf(n).outcome);
    expect(check(store, said)).toBe(TURNS);
    await store.close();
  },
);

test('killed at any moment, again and again, over one home', async () => {
  const home = tempHome();
  const said: string[] = [];
  for (let round = 0; round < 6; round++) {
    const child = spawn(process.execPath, [CHILD, home], { stdio: ['ignore', 'pipe', 'inherit'] });
    let output = '';
    child.stdout.on('data', (chunk) => {
      output += chunk;
      // Somewhere in the middle, another place each round.
      if (output.split('\n').length > 2 + round * 4) child.kill('SIGKILL');
    });
    await new Promise((resolve) => child.once('close', resolve));
    said.push(
      ...output
        .split('\n')
        .slice(0, -1)
        .filter((line) => line.startsWith('turn')),
    );
    const store = await openStore({ writer: WRITER, home, durability: 'power' });
    const kept = TURNS - missing(store);
    expect(kept).toBeGreaterThanOrEqual(new Set(said).size);
    expect(verifyJournal(home)).toMatchObject({ ok: true, pendingLines: 0 });
    await store.close();
  }
});

function missing(store: Store): number {
  let count = 0;
  for (let n = 1; n <= TURNS; n++) if (!store.turn(`e${n}:demo`)) count++;
  return count;
}

test('killed while a file is set aside: the next boot finishes, and nothing is lost', async () => {
  const home = tempHome();
  const path = 'context/chat/session.annotations.ndjson';
  const first = await openStore({ writer: WRITER, home, durability: 'power' });
  await commit(first, turn([note('1')]));
  await first.close();
  appendFileSync(join(home, path), 'mine\n');
  expect((await run(home, 'repair.after-set-aside:1')).signal).toBe('SIGKILL');
  expect(existsSync(join(home, path))).toBe(false);
  const store = await openStore({ writer: WRITER, home, durability: 'power' });
  expect(linesOf(home, path)).toHaveLength(1);
  const aside = filesIn(home, 'context/chat').find((name) => name.includes('set-aside'))!;
  expect(linesOf(home, `context/chat/${aside}`)).toContain('mine');
  expect(store.journal(0, 10)).toMatchObject([{ action: 'file.set_aside', after: `context/chat/${aside}` }]);
  await store.close();
});

test('killed between the backup and the migration: the home is as it was and migrates again', async () => {
  const home = tempHome();
  const first = await openStore({ writer: WRITER, home, durability: 'power' });
  await commit(first, turn([note('1')]));
  await first.close();
  expect((await run(home, 'migrate.after-backup:1', 'migrate')).signal).toBe('SIGKILL');
  expect(existsSync(join(home, `neira.db.backup-v${MIGRATIONS.length}`))).toBe(true);
  const store = await openStore({ writer: WRITER, home, durability: 'power' });
  expect(store.search({})).toHaveLength(1);
  await store.close();
  expect((await run(home, '', 'migrate')).signal).toBeNull();
  await expect(openStore({ writer: WRITER, home, durability: 'power' })).rejects.toMatchObject({
    code: 'NEIRA_HOME_NEWER',
  });
});
