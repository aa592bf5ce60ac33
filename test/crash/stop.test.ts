import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { spawnHost } from '../kit/boot-host.ts';
import { consoleLines, Load, loadUntilGone, prepareHome, verify, verifySends } from './load.ts';

const env = { NEIRA_CELLS: '2', NEIRA_DURABILITY: 'power' };

function newHome(): string {
  const home = mkdtempSync(path.join(tmpdir(), 'neira-stop-'));
  onTestFinished(() => rmSync(home, { recursive: true, force: true }));
  return home;
}

// Contract, "Process"
test('SIGTERM under load drains and exits 0; what was answered is there, and nothing that was not', async () => {
  const home = newHome();
  await prepareHome(home);
  const load = new Load();
  const stopped = await spawnHost({ home, env });
  expect(
    await loadUntilGone(stopped, load, { signal: 'SIGTERM', after: { answers: 20 } }),
    stopped.log(),
  ).toBe(0);
  expect(stopped.log()).not.toMatch(/"level":"(?:error|fatal)"/);

  await using host = await spawnHost({ home, env });
  // Every turn that committed was answered before the process ended.
  expect(await verify(host, load)).toBe(load.acknowledged);
  await verifySends(host, load);
  // And everything that was sent was confirmed: nothing is in doubt.
  expect(consoleLines(host.log())).toEqual([]);
  await load.resend(host);
  await verify(host, load);
});

test('a second signal ends the process at once; what was answered is there all the same', async () => {
  const home = newHome();
  await prepareHome(home);
  const load = new Load();
  const stopped = await spawnHost({ home, env });
  stopped.process.once('exit', () => clearInterval(again));
  const again = setInterval(() => {
    if (load.acknowledged >= 10) stopped.process.kill('SIGINT');
  }, 10);
  expect([0, 'SIGINT']).toContain(
    await loadUntilGone(stopped, load, { signal: 'SIGINT', after: { answers: 10 } }),
  );
  await using host = await spawnHost({ home, env });
  expect(await verify(host, load)).toBeGreaterThanOrEqual(load.acknowledged);
});

test('a second process on the same home is refused with the reason, and the first is not harmed', async () => {
  const home = newHome();
  await using first = await spawnHost({ home, env });
  const { code, stderr, stdout } = await runMain(home);
  expect(code).toBe(1);
  expect(stderr).toContain('in use by another process');
  expect(stderr).toContain(home);
  expect(stderr).toContain('NEIRA_HOME');
  // A sentence for a person, not a trace for a developer.
  expect(stderr).not.toMatch(/\n\s+at /);
  expect(stdout).toBe('');
  expect((await first.call('GET', '/healthz')).body).toMatchObject({ status: 'ok' });
});

test('the lock of a process that was killed is free at once', async () => {
  const home = newHome();
  const killed = await spawnHost({ home, env });
  await killed.kill();
  await using next = await spawnHost({ home, env });
  expect((await next.call('GET', '/healthz')).body).toMatchObject({ status: 'ok' });
});

async function runMain(home: string): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const main = path.join(import.meta.dirname, '../../host/main.ts');
  const child = spawn(process.execPath, [main], {
    env: { ...process.env, NEIRA_HOME: home, NEIRA_PORT: '0' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk) => {
    stdout += chunk;
  });
  child.stderr.on('data', (chunk) => {
    stderr += chunk;
  });
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  return { code, stdout, stderr };
}
