import { appendFileSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { migrate } from './migrations.ts';
import { createTranscriptReads } from './transcript-reads.ts';
import { SEGMENT_BYTES, TranscriptWriter } from './transcripts.ts';

let home: string;
let db: DatabaseSync;
const problems: string[] = [];

beforeEach(() => {
  home = mkdtempSync(path.join(tmpdir(), 'neira-transcripts-'));
  db = new DatabaseSync(':memory:');
  migrate(db, ':memory:');
  problems.length = 0;
});
afterEach(() => {
  db.close();
  rmSync(home, { recursive: true, force: true });
});

const writer = () => new TranscriptWriter(home, (what, reason) => problems.push(`${what}: ${reason}`));
const line = (n: number, bytes = 0) =>
  JSON.stringify({ turn: { turnId: `e${n}:demo`, filler: 'x'.repeat(bytes) } });
const reads = () => createTranscriptReads(db, home);
const kept = (plugin = 'demo') =>
  [...reads().transcripts(plugin)].map(
    ({ text }) => (JSON.parse(text) as { turn: { turnId: string } }).turn.turnId,
  );
const files = (plugin = 'demo') => readdirSync(path.join(home, 'transcripts', plugin)).sort();

test('lines are read back with the newest first, over any number of writers', () => {
  for (let boot = 0; boot < 3; boot++) {
    const one = writer();
    one.add('demo', line(boot * 2));
    one.add('demo', line(boot * 2 + 1));
    one.close();
  }
  expect(kept()).toEqual([5, 4, 3, 2, 1, 0].map((n) => `e${n}:demo`));
  expect(files()).toEqual(['00000001.ndjson']);
});

test('a line that was cut off is skipped, and what comes behind it is whole', () => {
  const one = writer();
  one.add('demo', line(1));
  one.close();
  appendFileSync(path.join(home, 'transcripts', 'demo', '00000001.ndjson'), line(2).slice(0, 12));
  const next = writer();
  next.add('demo', line(3));
  next.close();
  expect(kept()).toEqual(['e3:demo', 'e1:demo']);
});

test('a plugin keeps its newest segments, and no other loses by it', () => {
  const one = writer();
  one.add('quiet', line(0));
  one.flush();
  const bytes = 100 * 1024;
  const count = Math.ceil((6 * SEGMENT_BYTES) / bytes);
  for (let n = 0; n < count; n++) {
    one.add('demo', line(n, bytes));
    one.flush();
  }
  one.close();
  expect(files()).toHaveLength(4);
  const ids = kept();
  expect(ids[0]).toBe(`e${count - 1}:demo`);
  expect(ids.length * bytes).toBeGreaterThan(3 * SEGMENT_BYTES);
  expect(ids.length * bytes).toBeLessThan(5 * SEGMENT_BYTES);
  expect(kept('quiet')).toEqual(['e0:demo']);
});

test('a turn is found by its whole name, with the lines before it in its segment', () => {
  const one = writer();
  for (const n of [1, 11, 12]) one.add('demo', line(n));
  one.close();
  const found = reads().transcript('demo', 'e11:demo');
  expect(JSON.parse(found!.text)).toMatchObject({ turn: { turnId: 'e11:demo' } });
  expect([...found!.before()]).toEqual([line(1)]);
  expect(reads().transcript('demo', 'e2:demo')).toBeUndefined();
  expect(reads().transcript('nobody', 'e1:nobody')).toBeUndefined();
});

test('what is dropped is gone, and begins anew', () => {
  const one = writer();
  one.add('demo', line(1));
  one.flush();
  one.drop('demo');
  expect(kept()).toEqual([]);
  one.add('demo', line(2));
  one.close();
  expect(kept()).toEqual(['e2:demo']);
});

test('where nothing can be written, that is told once and nothing else fails', () => {
  writeFileSync(path.join(home, 'transcripts'), 'a file where the folder belongs');
  const one = writer();
  for (let n = 0; n < 3; n++) {
    one.add('demo', line(n));
    one.flush();
  }
  one.close();
  expect(problems).toEqual([expect.stringContaining('transcripts of turns cannot be written')]);
  expect(kept()).toEqual([]);
});
