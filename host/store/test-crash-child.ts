import { writeSync } from 'node:fs';
import { join } from 'node:path';
import { openForWriting } from './database.ts';
import { MIGRATIONS, migrate } from './migrations.ts';
import type { TurnRecord } from './records.ts';
import { openStore } from './store.ts';

const WRITER = new URL('../writer-main.ts', import.meta.url);

/**
 * The process of a crash test: does turns and journaled changes, says on stdout what was acknowledged, and
 * is killed at the fault point that NEIRA_FAULT names. `node test-crash-child.ts <home> [migrate]`.
 */

export const TURNS = 40;
export const IN_FLIGHT = 4;

if (import.meta.main) {
  const [home = '', what] = process.argv.slice(2);
  if (what === 'migrate') {
    const path = join(home, 'neira.db');
    migrate(openForWriting(path, 'power'), path, [...MIGRATIONS, 'create table later(a)']);
  } else await work(home);
}

async function work(home: string): Promise<void> {
  const store = await openStore({ writer: WRITER, home, durability: 'power' });
  writeSync(1, 'open\n');
  let next = 0;
  const worker = async () => {
    while (next < TURNS) {
      const n = ++next;
      if ((await store.submit(turnOf(n))).ok) writeSync(1, `turn ${n}\n`);
      if (n % 4 !== 0) continue;
      const journal = [{ actor: 'child', action: `step.${n}`, target: 'home' }];
      const put = { op: 'setting.put', name: `s${n}`, value: `${n}` } as const;
      if ((await store.submit({ kind: 'admin', ops: [put], journal })).ok) writeSync(1, `admin ${n}\n`);
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, worker));
  await store.close();
  writeSync(1, 'done\n');
}

export function turnOf(n: number): TurnRecord {
  return {
    kind: 'turn',
    turnId: `e${n}:demo`,
    plugin: 'demo',
    version: 'v',
    gate: 'g',
    eventId: `e${n}`,
    envelope: `{"id":"e${n}"}`,
    subject: 's',
    caller: 'write',
    startedAtMs: 0,
    reads: { keys: [], ranges: [] },
    effects: [
      { op: 'set', key: `k${n}`, value: `${n}` },
      { op: 'append', key: 'log', value: `${n}` },
      {
        op: 'record',
        type: 'annotation',
        id: `n${n}`,
        chatId: 'chat',
        sessionId: `s${n % 2}`,
        line: `{"n":${n},"text":"строка"}`,
        text: `слово${n}`,
      },
      {
        op: 'publish',
        event: {
          id: `p${n}`,
          subject: 'annotation.saved',
          version: 1,
          envelope: `{"id":"p${n}"}`,
          mode: 'event',
          caller: 'write',
        },
      },
      { op: 'send', id: `e${n}:demo/1`, port: 'console', target: 'out', payload: `${n}` },
    ],
    outcome: { status: 'ok', actions: `[${n}]` },
    fuel: 1,
    runMs: 1,
    storageMb: 10,
    logs: [{ level: 'info', message: `${n}`, atMs: 0 }],
  };
}
