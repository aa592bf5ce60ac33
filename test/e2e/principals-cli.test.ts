import { execFile } from 'node:child_process';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { SCRIPT_GATES, type SpawnedHost, spawnHost } from '../kit/boot-host.ts';
import { Engine, REGISTER, STORE } from './principal-kit.ts';

// The command line against a host of its own process: what a refusal names as its remedy is what helps.

const NEIRA = path.resolve(import.meta.dirname, '../../host/cli/neira.ts');

let host: SpawnedHost;

beforeAll(async () => {
  host = await spawnHost({ gates: SCRIPT_GATES });
});
afterAll(() => host.close());

interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function neira(...args: readonly string[]): Promise<Ran> {
  const { PATH = '', HOME = '' } = process.env;
  const env = { PATH, HOME, LANG: 'C', NEIRA_HOME: host.home, NEIRA_PORT: new URL(host.url).port };
  return new Promise((resolve) => {
    execFile(process.execPath, [NEIRA, ...args], { env }, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : Number(error.code ?? -1), stdout, stderr }),
    );
  });
}

test('a scenario is refused, granted by the command that the refusal names, and its log lines carry its name', async () => {
  const engine = await Engine.register(
    host,
    'engine',
    `${REGISTER}
     step({ id }) { const me = as(id); me.io.log('info', 'step'); me.storage.set('step', 1); },`,
  );
  await engine.run('join', { id: 'scenario:morning', title: 'Morning', permissions: STORE, digest: 'v1' });
  const refused = await engine.send('step', { id: 'scenario:morning' });
  const [, command = ''] = /`neira (plugin grant [^`]+)`/.exec(refused.body.remedy) ?? [];
  expect(command).toBe('plugin grant engine --principal scenario:morning');
  const listed = await neira('plugin', 'principals', 'engine');
  expect(listed.stdout.split('\n')[1]).toBe(
    'scenario:morning\tMorning\tnothing\tstorage.read, storage.write\tv1',
  );
  const granted = await neira(...command.split(' '), '{"storage": ["write"]}');
  expect([granted.code, granted.stdout]).toEqual([
    0,
    'scenario:morning of engine is granted storage: write.\n',
  ]);
  expect((await engine.send('step', { id: 'scenario:morning' })).status).toBe(200);
  const beyond = await neira(...command.split(' '), '{"io": {"ports": ["console"]}}');
  expect([beyond.code, beyond.stderr]).toEqual([
    1,
    expect.stringContaining('does not ask for io.send:console'),
  ]);
  const logs = await neira('plugin', 'logs', 'engine');
  expect(logs.stdout).toMatch(/info \[scenario:morning\] step\n/);
  const all = await neira(...command.split(' '), '--all', '--json');
  expect(JSON.parse(all.stdout)).toMatchObject({ id: 'scenario:morning', pending_consent: [] });
  const removed = await neira('plugin', 'principals', 'engine', '--remove', 'scenario:morning');
  expect([removed.code, removed.stdout]).toEqual([0, 'scenario:morning of engine is removed.\n']);
  expect((await neira('plugin', 'principals', 'engine', '--json')).stdout).toContain('"principals": []');
  const journal = await neira('journal', '--json');
  for (const action of ['principal.registered', 'principal.granted', 'principal.removed'])
    expect(journal.stdout).toContain(action);
});
