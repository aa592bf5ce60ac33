import { mkdir, realpath, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { NeiraError } from '../errors.ts';
import { TOKENS, testGate, testPlugin } from '../http/test-api.ts';
import { type CliHost, neira, startCliHost } from './test-kit.ts';

let host: CliHost;

beforeAll(async () => {
  host = await startCliHost();
});
afterAll(() => host[Symbol.asyncDispose]());
beforeEach(() => {
  host.server.api.override({});
  host.server.api.calls.length = 0;
});

/** What the host was asked to do, besides looking. */
const asked = () => host.server.api.calls;

describe('plugins', () => {
  test('add takes a folder as its real path, and says what is still missing', async () => {
    const folder = join(host.home, 'a plugin');
    await mkdir(folder);
    const { code, stdout, stderr } = await host.run([
      'plugin',
      'add',
      'a plugin',
      '--enable',
      '--grant',
      'all',
    ]);
    expect([code, stdout]).toEqual([0, 'path 0.1.0 is enabled.\n']);
    expect(stderr).toContain('the gate `runtime_scripting` is locked');
    expect(stderr).toContain('neira plugin grant path --all');
    expect(asked()).toEqual([
      ['registerPlugin', { from: 'path', path: await realpath(folder) }, { enable: true, grantAll: true }],
    ]);
  });

  test('add sends a zip as its bytes', async () => {
    await writeFile(join(host.home, 'p.zip'), 'PK zip');
    expect((await host.run(['plugin', 'add', 'p.zip'])).code).toBe(0);
    expect(asked()).toEqual([
      ['registerPlugin', { from: 'zip', bytes: Buffer.from('PK zip') }, { enable: false, grantAll: false }],
    ]);
  });

  test('add --catalog names a bundled plugin', async () => {
    expect((await host.run(['plugin', 'catalog'])).stdout).toContain('ui.pencil\t0.1.0\tscript\tno\tPencil');
    expect((await host.run(['plugin', 'add', 'ui.pencil', '--catalog'])).code).toBe(0);
    expect(asked().at(-1)).toEqual([
      'registerPlugin',
      { from: 'catalog', id: 'ui.pencil' },
      { enable: false, grantAll: false },
    ]);
  });

  test('add of what is not there is 1 and asks nobody', async () => {
    const { code, stderr } = await host.run(['plugin', 'add', 'nowhere']);
    expect([code, stderr]).toEqual([1, expect.stringContaining('`nowhere` cannot be read (ENOENT)')]);
    expect(asked()).toEqual([]);
  });

  test('enable, disable, reload, rollback, grant, settings, remove reach the host as they are meant', async () => {
    await host.run(['plugin', 'add', 'ui.pencil', '--catalog']);
    asked().length = 0;
    const commands = [
      ['enable', 'ui.pencil'],
      ['disable', 'ui.pencil'],
      ['reload', 'ui.pencil'],
      ['rollback', 'ui.pencil'],
      ['rollback', 'ui.pencil', '--to', '0.0.3'],
      ['grant', 'ui.pencil', '--all'],
      ['grant', 'ui.pencil', '--json', '{"storage":["read"]}'],
      ['settings', 'ui.pencil', '{"max_points":5}'],
      ['settings', 'ui.pencil'],
      ['remove', 'ui.pencil', '--drop-data'],
    ];
    for (const command of commands)
      expect([command, (await host.run(['plugin', ...command])).code]).toEqual([command, 0]);
    expect(asked()).toEqual([
      ['enablePlugin', 'ui.pencil'],
      ['disablePlugin', 'ui.pencil'],
      ['reloadPlugin', 'ui.pencil'],
      ['rollbackPlugin', 'ui.pencil', undefined],
      ['rollbackPlugin', 'ui.pencil', '0.0.3'],
      ['getPlugin', 'ui.pencil'],
      ['grantPlugin', 'ui.pencil', { storage: ['write'] }],
      ['grantPlugin', 'ui.pencil', { storage: ['read'] }],
      ['putSettings', 'ui.pencil', { max_points: 5 }],
      ['getSettings', 'ui.pencil'],
      ['removePlugin', 'ui.pencil', true],
    ]);
  });

  test('principals are listed, granted and removed by their plugin and id', async () => {
    await host.run(['plugin', 'add', 'ui.pencil', '--catalog']);
    host.server.api.calls.length = 0;
    const of = ['plugin', 'principals', 'ui.pencil'];
    const row = 'scenario:morning\tMorning of ui.pencil\tstorage: read\tbus.publish:ui.notify\t';
    expect((await host.run(of)).stdout.split('\n')[1]).toBe(row);
    const grant = ['plugin', 'grant', 'ui.pencil', '--principal', 'scenario:morning'];
    expect((await host.run(grant)).code).toBe(2);
    const granted = await host.run([...grant, '{"storage":["read"],"bus":{"publish":[]}}']);
    expect(granted.stdout).toBe('scenario:morning of ui.pencil is granted storage: read.\n');
    expect(granted.stderr).toContain('bus.publish:ui.notify');
    expect((await host.run([...grant, '--all'])).code).toBe(0);
    expect((await host.run([...of, '--remove', 'scenario:morning'])).stdout).toContain('removed');
    expect(asked()).toEqual([
      ['listPrincipals', 'ui.pencil'],
      ['grantPrincipal', 'ui.pencil', 'scenario:morning', { storage: ['read'], bus: { publish: [] } }],
      ['grantPrincipal', 'ui.pencil', 'scenario:morning', 'all'],
      ['removePrincipal', 'ui.pencil', 'scenario:morning'],
    ]);
    expect((await host.run([...of, '--remove', '../../x'])).stderr).toContain('NEIRA_INVALID');
  });

  test('through a pipe a table is lines of tabs without colours', async () => {
    await host.run(['plugin', 'add', 'ui.pencil', '--catalog', '--enable']);
    const { stdout } = await host.run(['plugin', 'list']);
    const [head, ...rows] = stdout
      .trimEnd()
      .split('\n')
      .map((line) => line.split('\t'));
    expect(head).toEqual(['id', 'version', 'kind', 'state', 'active', 'why not']);
    expect(rows).toContainEqual([
      'ui.pencil',
      '0.1.0',
      'script',
      'enabled',
      'no',
      'the gate `runtime_scripting` is locked',
    ]);
    expect(stdout).not.toContain('\u001b');
  });

  test('what a plugin wrote reaches the terminal without anything that it would obey', async () => {
    host.server.api.override({
      pluginLogs: () => [
        {
          ts: 'now',
          level: 'info',
          message: 'a\u001b[2J\u001b]0;x\u0007b\nc\u202ed',
          turn: 't',
          principal: 'p',
        },
      ],
      getPlugin: (_caller, id) => testPlugin(id, { title: { en: 'a\u001b[31mb' } }),
    });
    const { stdout } = await host.run(['plugin', 'logs', 'ui.pencil']);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what is looked for
    expect(stdout).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u202e]/);
    expect(stdout.split('\n').length).toBe(2);
    expect(stdout).toMatch(/^now info \[p\] a/);
    expect((await host.run(['plugin', 'show', 'ui.pencil'])).stdout).toContain('title\tab');
  });

  test('an id is one part of the path, whatever it holds', async () => {
    const { code, stderr } = await host.run(['plugin', 'remove', '../tokens/t1']);
    expect([code, stderr]).toEqual([1, expect.stringContaining('NEIRA_INVALID')]);
    expect(asked()).toEqual([]);
  });
});

describe('gates and mode', () => {
  test('a phrase says which gate it is and opens it to experimental', async () => {
    const { code, stdout, stderr } = await host.run(['gate', 'открой карандаш']);
    expect([code, stdout]).toEqual([0, 'annotations_pencil is experimental.\n']);
    expect(stderr).toBe(
      'Карандаш (annotations_pencil): рисование в чате\nrequires ui_tools_registry experimental\n',
    );
    expect(asked()).toEqual([
      ['matchPhrase', 'открой карандаш'],
      ['setGate', 'annotations_pencil', 'experimental', false],
    ]);
  });

  test('the words of a phrase need no quotes', async () => {
    expect((await host.run(['gate', 'open', 'the', 'pencil'])).code).toBe(0);
    expect(asked()[0]).toEqual(['matchPhrase', 'open the pencil']);
  });

  test('a gate that is stable is not taken back to experimental by its phrase', async () => {
    host.server.api.override({ matchPhrase: () => testGate({ stage: 'stable' }) });
    expect((await host.run(['gate', 'open the pencil'])).stdout).toBe('annotations_pencil is stable.\n');
    expect(asked().map(([name]) => name)).toEqual(['matchPhrase']);
  });

  test('a phrase that opens nothing is 1 and shows what is near', async () => {
    const { code, stderr } = await host.run(['gate', 'открой карандашик']);
    expect(code).toBe(1);
    expect(stderr).toContain('near: открой карандаш');
  });

  test('list and set', async () => {
    expect((await host.run(['gate', 'set', 'annotations_pencil', 'stable', '--force'])).stdout).toBe(
      'annotations_pencil is stable.\n',
    );
    expect((await host.run(['gate', 'list'])).stdout).toContain(
      'annotations_pencil\tstable\tui_tools_registry experimental\tdrawing on a chat',
    );
    expect(asked()[0]).toEqual(['setGate', 'annotations_pencil', 'stable', true]);
  });

  test('mode shows and changes; in safe mode the refusal comes with its remedy', async () => {
    expect((await host.run(['mode', 'safe'])).stdout).toContain('in safe mode');
    const { code, stderr } = await host.run(['gate', 'set', 'annotations_pencil', 'stable']);
    expect([code, stderr]).toEqual([
      1,
      'error: The host is in safe mode: opening a gate is refused. (NEIRA_SAFE_MODE)\n  Leave safe mode with `neira mode normal`.\n',
    ]);
    expect((await host.json(['mode', 'normal']))['mode']).toBe('normal');
  });
});

describe('tokens, journal, backup, status', () => {
  test('a token is shown when it is made, and never again', async () => {
    const made = await host.run(['token', 'create', '--name', 'ci', '--scope', 'write', '--expires', '30d']);
    expect([made.code, made.stdout]).toEqual([0, 'the-secret-of-the-new-token\n']);
    const [, draft] = asked()[0] as [string, { name: string; scopes: string[]; expiresAt: string }];
    expect([draft.name, draft.scopes]).toEqual(['ci', ['write']]);
    expect(Math.abs(Date.parse(draft.expiresAt) - Date.now() - 30 * 86_400_000)).toBeLessThan(60_000);
    const listed = await host.run(['token', 'list']);
    expect(listed.stdout).toContain('t1\tci\twrite');
    expect(listed.stdout + listed.stderr).not.toContain('secret');
    expect((await host.run(['token', 'revoke', 't1'])).stdout).toBe('t1 is revoked.\n');
  });

  test('a secret is read from stdin without its line break, and never shown', async () => {
    const set = await host.run(['secret', 'set', 'weather.api_key'], {}, 'swordfish\n');
    expect([set.code, set.stdout]).toEqual([0, 'weather.api_key is set, version 1.\n']);
    expect(asked()).toEqual([['setSecret', 'weather.api_key', 'swordfish']]);
    const listed = await host.run(['secret', 'list']);
    expect(listed.stdout).toContain('weather.api_key\t1\t');
    expect(listed.stdout).toContain('\tshop for api.example.org\n');
    expect((await host.run(['secret', 'rotate-key'])).stdout).toBe('1 secrets are sealed with a new key.\n');
    expect((await host.run(['secret', 'rm', 'weather.api_key'])).stdout).toBe(
      'weather.api_key is removed.\n',
    );
    expect((await host.run(['secret', 'rm', 'weather.api_key'])).stderr).toContain('NEIRA_SECRET_MISSING');
  });

  test('a secret given as an argument is refused before anything is sent, and is not repeated', async () => {
    const { code, stdout, stderr } = await host.run(['secret', 'set', 'weather.api_key', 'swordfish']);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toContain('other users see arguments');
    expect(stderr).not.toContain('swordfish');
    expect(asked()).toEqual([]);
  });

  test('journal, backup and status', async () => {
    expect((await host.run(['journal', '--after', '0', '--limit', '5'])).stdout).toContain(
      '1\t2026-01-02T03:04:05.678Z\tadmin\tgate.set',
    );
    expect((await host.run(['backup'])).stdout).toBe('/home/backups/1.db (4096 bytes)\n');
    const status = await host.json(['status']);
    expect(status).toMatchObject({ url: host.server.url, status: 'ok', mode: 'normal', version: '0.1.0' });
    const { stdout } = await host.run(['status']);
    expect(stdout).toContain(`${host.server.url} is ok, version 0.1.0, up 1 d 2 h.`);
    expect(stdout).toContain('Plugins: 2 registered, 1 active, quarantined: bad.one\n');
    expect(stdout).toContain('deliveries\t5 done, 2 retried, 1 dead, 4 waiting\n');
    expect(stdout).toContain('turns\t8, p50 1.25 ms, p95 9 ms\n');
  });
});

describe('--json', () => {
  test.each([
    [['status']],
    [['plugin', 'list']],
    [['plugin', 'catalog']],
    [['plugin', 'show', 'ui.pencil']],
    [['plugin', 'enable', 'ui.pencil']],
    [['plugin', 'logs', 'ui.pencil']],
    [['plugin', 'settings', 'ui.pencil']],
    [['gate', 'list']],
    [['gate', 'open the pencil']],
    [['mode']],
    [['journal']],
    [['token', 'list']],
    [['backup']],
    [['plugin', 'remove', 'ui.pencil']],
  ])('%j prints one document, also with the flag in front', async (args) => {
    await host.run(['plugin', 'add', 'ui.pencil', '--catalog']);
    const { code, stdout } = await host.run(['--json', ...args]);
    expect([code, typeof JSON.parse(stdout)]).toEqual([0, 'object']);
  });

  test('a refusal is its problem document, and the reason is on stderr as ever', async () => {
    const { code, stdout, stderr } = await host.run(['plugin', 'show', 'none', '--json']);
    expect([code, JSON.parse(stdout).code]).toEqual([1, 'NEIRA_NOT_FOUND']);
    expect(stderr).toContain('There is no plugin `none`.');
  });
});

describe('exit codes', () => {
  test.concurrent.each([
    [[]],
    [['plugin']],
    [['plugin', 'nonsense']],
    [['plugin', 'show']],
    [['plugin', 'show', 'a', 'b']],
    [['plugin', 'add', 'x', '--grant', 'some']],
    [['plugin', 'grant', 'x']],
    [['plugin', 'grant', 'x', '--all', '{}']],
    [['plugin', 'grant', 'x', 'storage']],
    [['plugin', 'settings', 'x', '[]']],
    [['plugin', 'logs', 'x', '--limit', '0']],
    [['gate']],
    [['gate', 'set', 'x', 'open']],
    [['mode', 'party']],
    [['token', 'create', '--name', 'x']],
    [['token', 'create', '--name', 'x', '--scope', 'root']],
    [['token', 'create', '--name', 'x', '--scope', 'read', '--expires', 'soon']],
    [['token', 'create', '--name', 'x', '--scope', 'read', '--expires', '2001-01-01']],
    [['new', 'Not-An-Id']],
    [['journal', '--after', 'x']],
    [['--unknown']],
  ])('%j is 2, says so on stderr and asks nobody', async (args) => {
    const { code, stdout, stderr } = await host.run(args);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).not.toBe('');
    expect(asked()).toEqual([]);
  });

  test('help and version are 0', async () => {
    expect((await neira(['--version'])).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
    const help = await neira(['plugin', '--help']);
    expect([help.code, help.stdout]).toEqual([0, expect.stringContaining('--json')]);
  });

  test('many failing paths are all shown', async () => {
    host.server.api.override({
      async registerPlugin() {
        const errors = [
          { path: 'id', message: 'is missing' },
          { path: 'kind', message: 'is missing' },
        ];
        throw new NeiraError('NEIRA_MANIFEST_INVALID', { reason: 'id is missing (and 1 more)', errors });
      },
    });
    const { code, stderr } = await host.run(['plugin', 'add', 'x', '--catalog']);
    expect(code).toBe(1);
    expect(stderr).toContain('  id: is missing\n  kind: is missing\n');
  });
});

describe('finding the host', () => {
  test('NEIRA_URL and NEIRA_TOKEN come first', async () => {
    const env = { NEIRA_URL: `${host.server.url}/`, NEIRA_TOKEN: TOKENS.read, NEIRA_PORT: '1' };
    expect((await host.run(['mode'], env)).code).toBe(0);
    const { code, stderr } = await host.run(['mode', 'safe'], env);
    expect([code, stderr]).toEqual([1, expect.stringContaining('NEIRA_FORBIDDEN')]);
  });

  test('no host is 1, with what to do', async () => {
    const { code, stderr } = await host.run(['status'], { NEIRA_PORT: '1' });
    expect([code, stderr]).toEqual([
      1,
      'error: No host answers at http://127.0.0.1:1. (NEIRA_UNREACHABLE)\n  Start one with `neira up`, or set NEIRA_URL.\n',
    ]);
  });

  test('a wrong token is 1 and is not printed', async () => {
    const { code, stdout, stderr } = await host.run(['status'], { NEIRA_TOKEN: 'a-wrong-token' });
    expect([code, stderr]).toEqual([1, expect.stringContaining('NEIRA_UNAUTHENTICATED')]);
    expect(stdout + stderr).not.toContain('a-wrong-token');
  });

  test('something else on that port is not taken for a host, and gets no token by redirection', async () => {
    const seen: (string | undefined)[] = [];
    const other = createServer((request, response) => {
      seen.push(request.url);
      if (request.url === '/away/healthz') response.writeHead(302, { location: '/caught' }).end();
      else response.writeHead(500).end('<html>');
    });
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(other.address() as AddressInfo).port}`;
    for (const at of [url, `${url}/away`]) {
      const { code, stderr } = await host.run(['status'], { NEIRA_URL: at });
      expect([code, stderr]).toEqual([1, expect.stringContaining('NEIRA_UNREACHABLE')]);
    }
    expect(seen).toEqual(['/api/neira/status', '/away/api/neira/status']);
    await new Promise((resolve) => other.close(resolve));
  });

  test.each([
    ['NEIRA_URL', 'ftp://x'],
    ['NEIRA_URL', 'x'],
    ['NEIRA_PORT', '0'],
    ['NEIRA_PORT', 'http'],
  ])('%s=%s is 1 and names the setting', async (name, value) => {
    const { code, stderr } = await host.run(['status'], { [name]: value });
    expect([code, stderr]).toEqual([1, expect.stringContaining(name)]);
  });
});
