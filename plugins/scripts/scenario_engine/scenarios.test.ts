// SCN-11, SCN-22, SCN-23: the scenarios that come along do what their tests say. UPDATE_GOLDEN=1 writes the snapshots.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { runTests } from './engine/tests.ts';
import { readScenario } from './language/read.ts';

const FOLDER = fileURLToPath(new URL('scenarios', import.meta.url));
const files: Record<string, string> = Object.fromEntries(
  readdirSync(FOLDER, { recursive: true, withFileTypes: true })
    .filter((each) => each.isFile())
    .map((each) => join(each.parentPath, each.name).slice(FOLDER.length + 1))
    .map((name) => [name, readFileSync(join(FOLDER, name), 'utf8')]),
);
const update = process.env['UPDATE_GOLDEN'] === '1';
const { results, golden } = runTests({ files, update });
for (const [name, text] of Object.entries(golden)) {
  mkdirSync(dirname(join(FOLDER, name)), { recursive: true });
  writeFileSync(join(FOLDER, name), text);
}

test.each(results.map((each) => [each.file, each.test, each] as const))(
  '%s: %s',
  (_file, _test, { problems }) => {
    expect(problems).toEqual([]);
  },
);

describe('each of them', () => {
  const scenarios = Object.keys(files).filter((name) => /^[a-z_]+\.yaml$/.test(name));
  test.each(scenarios)('%s is read without a warning, has a title in both languages and a test', (entry) => {
    const read = readScenario({ files, entry });
    expect(read.ok ? read.warnings : read.problems).toEqual([]);
    if (read.ok) expect(read.program.title).toMatchObject({ en: expect.any(String), ru: expect.any(String) });
    expect(results.some(({ file }) => files[file]!.includes(`scenario: ${entry}`))).toBe(true);
  });
});
