import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { parseYaml } from '../schema.ts';
import { neira } from './test-kit.ts';

const HOST_EVENTS = fileURLToPath(new URL('../../abi/events', import.meta.url));
const PENCIL = fileURLToPath(new URL('../../plugins/scripts/ui_pencil', import.meta.url));

let home: string;

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'neira-events-'));
});
afterEach(() => rm(home, { recursive: true, force: true }));

// No host: the port is one that nothing listens at.
const run = (...args: string[]) => neira(['events', ...args], { NEIRA_HOME: home, NEIRA_PORT: '1' }, home);

const edit = async (file: string, change: (text: string) => string) =>
  writeFile(file, change(await readFile(file, 'utf8')));

// BUS-41
describe('registry lint', () => {
  test('of the host is clean', async () => {
    expect(await run('registry', 'lint')).toEqual({
      code: 0,
      stdout: expect.stringMatching(/: 0 errors, 0 warnings\n$/),
      stderr: '',
    });
  });

  test('takes a plugin, its folder of events, or a copy of those of the host', async () => {
    await cp(HOST_EVENTS, join(home, 'copy'), { recursive: true });
    for (const folder of [PENCIL, join(PENCIL, 'events'), 'copy'])
      expect((await run('registry', 'lint', folder)).code).toBe(0);
  });

  test('of what is broken is 1 and says rule, place and remedy', async () => {
    await cp(HOST_EVENTS, join(home, 'copy'), { recursive: true });
    await edit(join(home, 'copy/ui/notify/v1/schema.json'), (text) =>
      text.replace(/"maxLength": 4000/, '"maxLength": 400'),
    );
    const { code, stdout, stderr } = await run('registry', 'lint', 'copy');
    expect([code, stdout]).toEqual([1, 'copy: 2 errors, 0 warnings\n']);
    expect(stderr).toContain('error keyword-changed: ui/notify/v1/schema.json#/properties/text/anyOf');
    expect(stderr).toContain('ui/notify/v2');
    const json = await run('registry', 'lint', 'copy', '--json');
    expect([json.code, JSON.parse(json.stdout)]).toMatchObject([
      1,
      { ok: false, findings: [{ severity: 'error' }, {}] },
    ]);
  });

  // BUS-47
  test('of what is deprecated only warns', async () => {
    await cp(PENCIL, join(home, 'pencil'), { recursive: true });
    await edit(join(home, 'pencil/events/annotation/saved/v1/meta.yaml'), (text) =>
      text.replace('stable', 'deprecated'),
    );
    const { code, stdout, stderr } = await run('registry', 'lint', 'pencil');
    expect([code, stdout]).toEqual([0, 'pencil: 0 errors, 1 warning\n']);
    expect(stderr).toContain('warning deprecated: annotation/saved/v1/meta.yaml');
  });

  test('of a folder that is not there is 1', async () => {
    expect(await run('registry', 'lint', 'gone')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('NEIRA_NOT_FOUND'),
    });
  });
});

// BUS-42
describe('scaffold', () => {
  test('writes an event into a plugin that the lint has nothing against', async () => {
    await cp(PENCIL, join(home, 'pencil'), { recursive: true });
    const made = await run(
      'scaffold',
      'annotation.set.removed',
      '--version',
      '2',
      '--dir',
      'pencil',
      '--json',
    );
    expect([made.code, JSON.parse(made.stdout)]).toMatchObject([
      0,
      {
        name: 'annotation.set.removed',
        version: 2,
        files: [
          'annotation/set.removed/v2/schema.json',
          'annotation/set.removed/v2/examples/example.json',
          'annotation/set.removed/v2/meta.yaml',
        ],
      },
    ]);
    expect(await run('registry', 'lint', 'pencil')).toMatchObject({ code: 0, stderr: '' });
    const example = join(home, 'pencil/events/annotation/set.removed/v2/examples/example.json');
    expect(JSON.parse(await readFile(example, 'utf8'))).toMatchObject({
      version: 2,
      source: 'plugin:ui.pencil',
    });
  });

  test('writes a command of the host with its reply, and both into the index', async () => {
    await cp(HOST_EVENTS, join(home, 'copy'), { recursive: true });
    expect((await run('scaffold', 'ui.panel.open', '--kind', 'command', '--dir', 'copy')).code).toBe(0);
    const { events } = parseYaml(await readFile(join(home, 'copy/registry.yaml'), 'utf8')) as {
      events: object[];
    };
    expect(events.slice(-2)).toMatchObject([
      { fqdn: 'ui.panel.open', version: 1, kind: 'command', status: 'draft' },
      { fqdn: 'ui.panel.open.result', version: 1, kind: 'reply', status: 'draft' },
    ]);
    expect(await run('registry', 'lint', 'copy')).toMatchObject({ code: 0, stderr: '' });
  });

  test('touches nothing that is there, and takes no name of the host', async () => {
    await cp(PENCIL, join(home, 'pencil'), { recursive: true });
    const before = await readdir(join(home, 'pencil'), { recursive: true });
    const twice = await run('scaffold', 'annotation.saved', '--dir', 'pencil');
    expect(twice).toMatchObject({ code: 1, stderr: expect.stringContaining('NEIRA_CONFLICT') });
    const hosts = await run('scaffold', 'gate.moved', '--dir', 'pencil');
    expect(hosts).toMatchObject({ code: 1, stderr: expect.stringContaining('only the host publishes') });
    expect(await readdir(join(home, 'pencil'), { recursive: true })).toEqual(before);
  });

  test.each([
    [['Bad.Name']],
    [['one']],
    [['a.made', '--kind', 'reply']],
    [['a.made', '--version', '0']],
    [[]],
  ])('with %j is 2', async (args) => expect((await run('scaffold', ...args)).code).toBe(2));
});

// BUS-43
describe('validate', () => {
  const fixtures = async (kind: string) => {
    const folder = join(HOST_EVENTS, 'fixtures', kind);
    return (await readdir(folder)).map((name) => join(folder, name));
  };

  test('of envelopes that are right is 0, of each that is wrong 1', async () => {
    const right = await run('validate', ...(await fixtures('valid')));
    expect([right.code, right.stderr]).toEqual([0, '']);
    const files = await fixtures('invalid');
    const { code, stdout } = await run('validate', ...files, '--json');
    const { results } = JSON.parse(stdout) as { results: { valid: boolean; errors: object[] }[] };
    expect([code, results.filter(({ valid }) => !valid).length]).toEqual([1, files.length]);
    expect(results.every(({ errors }) => errors.length > 0)).toBe(true);
  });

  test('names the failing paths, closed', async () => {
    const event = JSON.parse(await readFile(join(HOST_EVENTS, 'fixtures/valid/ui.notify.json'), 'utf8'));
    await writeFile(
      join(home, 'e.json'),
      JSON.stringify({ ...event, tenant: '', payload: { text: 'x', colour: 1 } }),
    );
    const { code, stderr } = await run('validate', 'e.json');
    expect(code).toBe(1);
    expect(stderr).toMatch(/^e\.json: tenant must NOT have fewer than 1 characters$/m);
    expect(stderr).toMatch(/^e\.json: payload\.colour is not a known field$/m);
  });

  test('knows the events of a plugin that it is shown', async () => {
    await mkdir(join(home, 'mine'));
    await writeFile(join(home, 'mine/manifest.yaml'), 'id: mine\n');
    await run('scaffold', 'mine.thing.made', '--dir', 'mine');
    const file = 'mine/events/mine/thing.made/v1/examples/example.json';
    expect((await run('validate', file)).stderr).toContain(
      'names no event of the registry: mine.thing.made@1',
    );
    expect(await run('validate', file, '--events', 'mine')).toMatchObject({ code: 0, stderr: '' });
  });

  test('of what cannot be read is 1, of nothing 2', async () => {
    await writeFile(join(home, 'e.json'), '{');
    const { code, stderr } = await run('validate', 'e.json', 'gone.json');
    expect(code).toBe(1);
    expect(stderr).toMatch(/e\.json: \$ is not JSON.*\n.*gone\.json: \$ cannot be read \(ENOENT\)/);
    expect((await run('validate')).code).toBe(2);
  });
});

// BUS-44
describe('docs build', () => {
  test('writes a page for each event and an index that links them all', async () => {
    const { code, stdout } = await run('docs', 'build', '--json');
    expect(code).toBe(0);
    const { folder, files } = JSON.parse(stdout) as { folder: string; files: string[] };
    expect(await readdir(folder)).toEqual([...files].sort());
    const index = await readFile(join(folder, 'README.md'), 'utf8');
    for (const page of files.filter((name) => name !== 'README.md')) expect(index).toContain(`](${page})`);
    const page = await readFile(join(folder, 'scenario.run.v1.md'), 'utf8');
    expect(page).toContain('[`scenario.run.result@1`](scenario.run.result.v1.md)');
    expect(page).toContain('| `priority` | `"LOW"`, `"NORM"`, `"HIGH"` |');
  });

  test('marks what is deprecated', async () => {
    await cp(PENCIL, join(home, 'pencil'), { recursive: true });
    await edit(join(home, 'pencil/events/annotation/saved/v1/meta.yaml'), (text) =>
      text.replace('stable', 'deprecated'),
    );
    expect((await run('docs', 'build', '--out', 'pages', '--events', 'pencil')).code).toBe(0);
    expect(await readFile(join(home, 'pages/annotation.saved.v1.md'), 'utf8')).toContain('**Deprecated.**');
    expect(await readFile(join(home, 'pages/README.md'), 'utf8')).toMatch(
      /~~.*annotation\.saved@1.*~~ deprecated/,
    );
  });
});
