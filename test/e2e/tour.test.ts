import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type SpawnedHost, spawnHost } from '../kit/boot-host.ts';

// The tour of README.md, as a reader pastes it: one terminal, block after block.

const ROOT = path.resolve(import.meta.dirname, '../..');
const STEP = /<!-- tour -->\n```sh\n([\s\S]*?)```\n[\s\S]*?```text\n([\s\S]*?)```/g;
const steps = [...readFileSync(path.join(ROOT, 'README.md'), 'utf8').matchAll(STEP)].map(
  ([, script, shown]) => ({
    script: script!,
    shown: shown!.trimEnd().split('\n'),
  }),
);

let host: SpawnedHost;
let shell: ChildProcess;
let output = '';
const folder = mkdtempSync(path.join(tmpdir(), 'neira-tour-'));

beforeAll(async () => {
  host = await spawnHost();
  shell = spawn('bash', [], {
    cwd: ROOT,
    // The environment of a fresh terminal: nothing of the test runner's, no Node 26 on the path.
    env: {
      PATH: withoutOurs(process.env['PATH'] ?? ''),
      HOME: process.env['HOME'] ?? folder,
      LANG: 'C.UTF-8',
      TMPDIR: folder,
      npm_config_cache: path.join(folder, 'npm-cache'),
      NEIRA_HOME: host.home,
      NEIRA_PORT: new URL(host.url).port,
    },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  for (const stream of [shell.stdout!, shell.stderr!]) {
    stream.on('data', (chunk: Buffer) => {
      output += chunk.toString();
    });
  }
});

afterAll(async () => {
  shell.kill();
  await host.close();
  rmSync(folder, { recursive: true, force: true });
});

/** What the terminal shows for a block. */
async function paste(script: string): Promise<string> {
  output = '';
  shell.stdin!.write(`${script}\necho "tour-step-ended"\n`);
  await expect.poll(() => output, { timeout: 60_000, interval: 20 }).toContain('tour-step-ended');
  return output;
}

function withoutOurs(paths: string): string {
  return paths
    .split(':')
    .filter((each) => !each.startsWith(ROOT))
    .join(':');
}

test('the README has a tour', () => {
  expect(steps.length).toBeGreaterThanOrEqual(6);
});

for (const { script, shown } of steps) {
  test(`${script.trimEnd().split('\n').at(-1)}`, { timeout: 70_000 }, async () => {
    const seen = await paste(script);
    for (const line of shown) expect(seen).toContain(line);
  });
}

test('the checkout is as it was', async () => {
  const seen = await paste('git status --porcelain -- plugins .neira 2>/dev/null | grep -v "^ M"');
  expect(seen.replace('tour-step-ended', '').trim()).toBe('');
});
