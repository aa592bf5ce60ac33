import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { neira } from '../../host/cli/test-kit.ts';
import { bootHost, type TestHost } from '../kit/boot-host.ts';
import { bootPlugin, recordedTurns } from '../kit/boot-plugin.ts';

// Looking back and ahead from the command line: what it prints, and how it ends (0 the same, 1 not, 2 usage).

const HELLO = fileURLToPath(new URL('../../plugins/scripts/hello/', import.meta.url));

let host: TestHost;
let folder: string;

beforeAll(async () => {
  host = await bootHost({ gates: ['runtime_scripting', 'ui_tools_registry'] });
  folder = mkdtempSync(path.join(tmpdir(), 'neira-turns-cli-'));
  cpSync(HELLO, folder, { recursive: true });
  await done('plugin', 'add', folder, '--enable', '--grant', 'all');
  for (const name of ['Anna', 'Boris', 'Anna'])
    expect((await host.event('hello.greet', { name })).status).toBe(200);
});
afterAll(async () => {
  await host.close();
  rmSync(folder, { recursive: true, force: true });
});

const run = (...args: string[]) =>
  neira(args, { NEIRA_HOME: host.home, NEIRA_PORT: new URL(host.url).port }, folder);

async function done(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await run(...args);
  expect([args, code, stderr]).toEqual([args, 0, stderr]);
  return stdout;
}

/** Ids of the turns of hello, the newest first; all three, once they are there. */
async function turns(): Promise<string[]> {
  await expect
    .poll(async () => (await host.call('GET', '/api/neira/turns?plugin=hello')).body.turns.length)
    .toBeGreaterThanOrEqual(3);
  const { turns } = JSON.parse(await done('turns', 'list', '--plugin', 'hello', '--json'));
  return turns.map(({ id }: { id: string }) => id);
}

const edit = (from: string, to: string) => {
  const file = path.join(folder, 'main.ts');
  const text = readFileSync(file, 'utf8');
  expect(text).toContain(from);
  writeFileSync(file, text.replace(from, to));
};

test('turns are listed, shown and run again', async () => {
  const [newest] = await turns();
  const list = await done('turns', 'list', '--subject', 'hello.>', '--since', '1h');
  expect(list.split('\n').filter((line) => line.includes('hello.greet'))).toHaveLength(3);
  const shown = await done('turns', 'show', newest!);
  expect(shown).toContain('read\t{"key":"visits/Anna","value":1,"version":');
  expect(shown).toContain('did\t{"op":"set","key":"visits/Anna","value":2}');
  expect(shown).toContain('log\tinfo: greeted Anna, visit 2');
  expect(await done('turns', 'replay', newest!)).toBe(`${newest}: the same\n`);
  expect(await done('turns', 'replay', '--plugin', 'hello')).toBe(
    '3 turns: 3 the same, 0 different, 0 not comparable.\n',
  );
});

test('a range by time is what lies in it', async () => {
  const { turns } = (await host.call('GET', '/api/neira/turns?plugin=hello')).body;
  const [, middle] = turns;
  const from = await done('turns', 'replay', '--plugin', 'hello', '--since', middle.at);
  expect(from).toContain('2 turns: 2 the same');
  const before = await done('turns', 'replay', '--plugin', 'hello', '--until', middle.at);
  expect(before).toContain('1 turns: 1 the same');
  expect(await done('turns', 'replay', '--plugin', 'hello', '--outcome', 'failed')).toContain('0 turns');
});

test('a recorded turn becomes a test of its plugin with one command', async () => {
  const [newest] = await turns();
  expect(await done('turns', 'fixture', newest!, '--into', folder)).toContain('hello.greet-');
  const [name] = readdirSync(path.join(folder, 'fixtures'));
  expect(name).toMatch(/^hello\.greet-[0-9a-f]{8}\.turn\.json$/);
  const url = pathToFileURL(`${folder}/`);
  const [kept] = recordedTurns(url);
  await using same = await bootPlugin(url, { grant: 'all' });
  expect(await same.replay(kept!.turn)).toEqual({ kind: 'same' });
  edit('This is visit', 'That is visit');
  await using changed = await bootPlugin(url, { grant: 'all' });
  expect(await changed.replay(kept!.turn)).toMatchObject({
    kind: 'different',
    differences: [{ what: 'reply' }],
  });
  edit('That is visit', 'This is visit');
});

test('on another version what it does otherwise is shown by effect, and what it cannot know is said', async () => {
  const [newest] = await turns();
  const versions = async () => (await host.call('GET', '/api/neira/plugins/hello')).body.versions;
  const [{ digest: first }] = (await versions()).filter(({ current }: { current: boolean }) => current);

  edit('?.value ?? 0) + 1', '?.value ?? 0) + 10');
  await done('plugin', 'reload', 'hello');
  const counted = await run('turns', 'replay', newest!, '--on', (await versions())[0].digest);
  expect(counted.code).toBe(1);
  expect(counted.stdout).toContain(': different');
  expect(counted.stdout).toContain('  set visits/Anna\n  - {"op":"set","key":"visits/Anna","value":2}');
  expect(counted.stdout).toContain('  + {"op":"set","key":"visits/Anna","value":11}');

  edit('get<number>(`visits/', 'get<number>(`seen/');
  await done('plugin', 'reload', 'hello');
  const unknown = await run('turns', 'replay', newest!, '--on', (await versions())[0].digest);
  expect(unknown.code).toBe(1);
  expect(unknown.stdout).toContain(
    'not comparable – it wants what the recorded turn never had: storage key `seen/Anna`',
  );
  // On the one that it ran on nothing changed.
  expect((await run('turns', 'replay', newest!, '--on', first)).code).toBe(0);
});

test('a rehearsal is shown, its mode is set, and what is held back is accepted', async () => {
  expect(await done('plugin', 'rehearse', 'hello', '--mode', 'block')).toBe(
    'New versions of hello: rehearse block.\n',
  );
  expect((await host.event('hello.greet', { name: 'Clara' })).status).toBe(200);
  await expect
    .poll(async () => (await host.call('GET', '/api/neira/turns?plugin=hello')).body.turns.length)
    .toBe(4);
  edit('This is visit', 'Visit');
  expect((await run('plugin', 'reload', 'hello')).stderr).toContain('NEIRA_REHEARSAL_DIFFERS');
  const shown = await run('plugin', 'rehearsal', 'hello');
  expect(shown.stdout).toContain('0 the same, 1 different, 0 not comparable');
  expect(shown.stdout).toContain('  reply\n');
  expect(shown.stderr).toContain('neira plugin rehearsal hello --accept');
  expect((await host.event('hello.greet', { name: 'Clara' })).body.actions[0].text).toContain(
    'This is visit',
  );
  expect(await done('plugin', 'rehearsal', 'hello', '--accept')).toBe('Version 0.1.0 of hello serves.\n');
  expect((await host.event('hello.greet', { name: 'Clara' })).body.actions[0].text).not.toContain('This is');
});

test('a dry run shows what would be', async () => {
  const [newest] = await turns();
  const shown = await done('dry-run', '--turn', newest!);
  expect(shown).toMatch(/^1\. hello\.greet → hello, .*: ok$/m);
  expect(shown).toContain('   + {"op":"set"');
  expect(await done('dry-run', '--event', 'ui.notify', '--payload', '{"text": "hello"}')).toBe('');
});

test('what is not meant so is refused, and says how it is meant', async () => {
  expect((await run('turns', 'replay')).code).toBe(2);
  expect((await run('dry-run')).code).toBe(2);
  expect((await run('plugin', 'rehearse', 'hello', '--mode', 'sometimes')).code).toBe(2);
  for (const [code, ...args] of [
    ['NEIRA_NOT_FOUND', 'turns', 'show', 'no:such:turn'],
    ['NEIRA_NOT_FOUND', 'turns', 'replay', 'no:such:turn'],
    ['NEIRA_NOT_FOUND', 'turns', 'replay', '--plugin', 'nobody'],
    ['NEIRA_NOT_FOUND', 'dry-run', '--turn', 'no:such:turn'],
    ['NEIRA_NOT_FOUND', 'dry-run', '--event', 'ui.notify', '--stubs', 'nowhere.json'],
    ['NEIRA_VALUE_INVALID', 'dry-run', '--event', 'ui.notify', '--payload', '{'],
    ['NEIRA_EVENT_UNREGISTERED', 'dry-run', '--event', 'no.such.event'],
    ['NEIRA_NOT_FOUND', 'plugin', 'rehearsal', 'hello', '--accept'],
  ] as const) {
    const { code: exit, stderr } = await run(...args);
    expect([args, exit, stderr]).toEqual([args, 1, expect.stringContaining(code)]);
  }
});

test('a host that keeps no transcripts says so by having none, and runs all the same', async () => {
  await using quiet = await bootHost({
    gates: ['runtime_scripting', 'ui_tools_registry'],
    env: { NEIRA_TRANSCRIPTS: '0' },
  });
  await quiet.call('POST', '/api/neira/plugins', { path: HELLO }, { query: '?enable=1&grant=all' });
  expect((await quiet.event('hello.greet', { name: 'Anna' })).status).toBe(200);
  expect((await quiet.call('GET', '/api/neira/turns')).body.turns).toEqual([]);
});
