import { spawn } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { OWN_COMMANDS } from '../registry/contributed-commands.ts';
import { withId } from './new.ts';
import { neira } from './test-kit.ts';

let home: string;

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'neira-offline-'));
});
afterEach(() => rm(home, { recursive: true, force: true }));

const run = (...args: string[]) => neira(args, { NEIRA_HOME: home, NEIRA_PORT: '1' }, home);

function makeDatabase(path: string, word: string): void {
  using database = new DatabaseSync(path);
  database.exec(
    `pragma journal_mode = wal; create table journal (n); create table t (word text); insert into t values ('${word}')`,
  );
}

function wordIn(path: string): unknown {
  using database = new DatabaseSync(path);
  return database.prepare('select word from t').get()?.['word'];
}

const asides = async () => (await readdir(home)).filter((name) => name.includes('.replaced-'));

describe('restore', () => {
  const backup = () => join(home, 'backup.db');
  const database = () => join(home, 'neira.db');

  test('puts the backup in place and keeps what it replaced', async () => {
    makeDatabase(backup(), 'then');
    makeDatabase(database(), 'now');
    const { code, stdout } = await run('restore', 'backup.db', '--json');
    expect(code).toBe(0);
    expect(wordIn(database())).toBe('then');
    const { replaced } = JSON.parse(stdout) as { replaced: string };
    expect(wordIn(replaced)).toBe('now');
    expect((await readdir(home)).sort()).toEqual([
      'backup.db',
      'lock.db',
      'neira.db',
      replaced.slice(home.length + 1),
    ]);
  });

  test('works on a home that is new', async () => {
    makeDatabase(backup(), 'then');
    const fresh = join(home, 'deep', 'home');
    const { code } = await neira(['restore', backup()], { NEIRA_HOME: fresh });
    expect([code, wordIn(join(fresh, 'neira.db'))]).toEqual([0, 'then']);
  });

  test('replaces a database that is damaged, and keeps it too', async () => {
    makeDatabase(backup(), 'then');
    await writeFile(database(), 'this was a database once, before the disk failed'.repeat(100));
    expect((await run('restore', 'backup.db')).code).toBe(0);
    expect(wordIn(database())).toBe('then');
    expect((await asides()).length).toBe(1);
  });

  test('refuses while a host has the home, and changes nothing', async () => {
    makeDatabase(backup(), 'then');
    makeDatabase(database(), 'now');
    const { lockHome } = await import('../store/lock.ts');
    using _lock = lockHome(home);
    const { code, stderr } = await run('restore', 'backup.db');
    expect([code, stderr]).toEqual([1, expect.stringContaining('NEIRA_HOME_LOCKED')]);
    expect([wordIn(database()), await asides()]).toEqual(['now', []]);
  });

  test('refuses while another process has the database open, and changes nothing', async () => {
    makeDatabase(backup(), 'then');
    makeDatabase(database(), 'now');
    const script = `const { DatabaseSync } = require('node:sqlite'); const d = new DatabaseSync(${JSON.stringify(database())}); d.exec('pragma journal_mode=wal; select * from t'); console.log('open'); setInterval(() => d, 1000)`;
    const holder = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'ignore'] });
    await once(holder.stdout, 'data');
    const { code, stderr } = await run('restore', 'backup.db');
    holder.kill('SIGKILL');
    await once(holder, 'exit');
    expect([code, stderr]).toEqual([1, expect.stringContaining('NEIRA_HOME_LOCKED')]);
    expect([wordIn(database()), await asides()]).toEqual(['now', []]);
  });

  test.each<[string, (file: string) => void | Promise<void>]>([
    ['is not there', () => {}],
    ['is no database', (file) => writeFile(file, 'hello '.repeat(1000))],
    ['is empty', (file) => writeFile(file, '')],
    [
      'is the database of another program',
      (file) => {
        using made = new DatabaseSync(file);
        made.exec('create table bookmarks (url)');
      },
    ],
    ['is a folder', async (file) => void (await mkdir(file))],
    [
      'was cut off',
      async (file) => {
        const whole = `${file}.whole`;
        {
          using made = new DatabaseSync(whole);
          made.exec(
            "create table t (word text); insert into t values (zeroblob(100000)); insert into t values ('x')",
          );
        }
        await writeFile(file, (await readFile(whole)).subarray(0, 40_000));
      },
    ],
  ])('refuses a file that %s, and changes nothing', async (_what, make) => {
    await make(backup());
    makeDatabase(database(), 'now');
    const { code, stderr } = await run('restore', 'backup.db');
    expect([code, stderr]).toEqual([1, expect.stringContaining('backup.db')]);
    expect([wordIn(database()), await asides()]).toEqual(['now', []]);
    expect((await readdir(home)).filter((name) => name.includes('restoring'))).toEqual([]);
  });
});

describe('journal --verify', () => {
  async function makeHome(): Promise<string> {
    const path = join(home, 'neira.db');
    const [{ openForWriting }, { migrate }] = await Promise.all([
      import('../store/database.ts'),
      import('../store/migrations.ts'),
    ]);
    const db = openForWriting(path, 'process');
    migrate(db, path);
    db.close();
    return path;
  }

  test('a whole journal is 0, with a host or without', async () => {
    await makeHome();
    const { code, stdout } = await run('journal', '--verify');
    expect([code, stdout]).toEqual([0, 'whole: 0 entries, each chained to the one before it.\n']);
  });

  test('a journal with a forged entry is 1 and names it', async () => {
    using db = new DatabaseSync(await makeHome());
    db.exec(`insert into file values (1, 'journal/2026-01.ndjson', 'journal', 0, 0, null);
      insert into journal values (1, 'm', '{"seq":1,"neira:meta":"m","prev":"x","hash":"y"}', 1, 0)`);
    const { code, stdout, stderr } = await run('journal', '--verify', '--json');
    expect([code, JSON.parse(stdout).ok]).toEqual([1, false]);
    expect(stderr).toMatch(/^broken: entry 1: /);
  });

  test('a home without a journal is 1', async () => {
    const { code, stderr } = await run('journal', '--verify');
    expect([code, stderr]).toEqual([1, expect.stringContaining('NEIRA_NOT_FOUND')]);
    await writeFile(join(home, 'neira.db'), 'no database '.repeat(500));
    expect((await run('journal', '--verify')).stderr).toContain('NEIRA_STORE_FAILED');
  });
});

describe('sign', () => {
  test('writes a signature that the host accepts, and prints the key to trust', async () => {
    const folder = join(home, 'p');
    await mkdir(folder);
    await writeFile(join(folder, 'manifest.yaml'), 'id: p\n');
    const { privateKey } = generateKeyPairSync('ed25519');
    await writeFile(join(home, 'me.pem'), privateKey.export({ type: 'pkcs8', format: 'pem' }));
    const { code, stdout } = await run('plugin', 'sign', 'p', '--key', 'me.pem', '--json');
    expect(code).toBe(0);
    const { keyId, publicKey } = JSON.parse(stdout) as { keyId: string; publicKey: string };
    const [{ sourceFromFolder }, { verifySignature }] = await Promise.all([
      import('../registry/source.ts'),
      import('../registry/signature.ts'),
    ]);
    const verified = verifySignature(await sourceFromFolder(folder), 'p', {
      require: true,
      trusted: { [keyId]: publicKey },
    });
    expect(verified).toEqual({ signedBy: 'me' });
  });

  test.each([
    ['a key that is not there', 'none.pem'],
    ['a key of another kind', 'rsa.pem'],
    ['a key that is none', 'text.pem'],
  ])('%s is 1 and writes nothing', async (_what, key) => {
    await mkdir(join(home, 'p'));
    await writeFile(join(home, 'p', 'manifest.yaml'), 'id: p\n');
    await writeFile(join(home, 'text.pem'), 'hello');
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    await writeFile(join(home, 'rsa.pem'), privateKey.export({ type: 'pkcs8', format: 'pem' }));
    const { code, stderr } = await run('plugin', 'sign', 'p', '--key', key);
    expect([code, stderr]).toEqual([1, expect.stringContaining('NEIRA_SIGNATURE_INVALID')]);
    expect(await readdir(join(home, 'p'))).toEqual(['manifest.yaml']);
  });
});

describe('new', () => {
  test('the id of the template is replaced where it is a name, and only there', () => {
    const manifest =
      'id: hello\nentry: main.ts\ntitle: {en: Hello}\nui:\n  buttons:\n    - {id: hello, title: say hello there, event: hello.greet}\n';
    expect(withId(manifest, 'my.tool')).toBe(
      'id: my.tool\nentry: main.ts\ntitle: {en: Hello}\nui:\n  buttons:\n    - {id: my.tool, title: say hello there, event: my.tool.greet}\n',
    );
    expect(withId("send('hello.greet', 'hello world'); plugin('hello'); // says hello", 'x')).toBe(
      "send('x.greet', 'hello world'); plugin('x'); // says hello",
    );
    expect(withId('`neira plugin add plugins/scripts/hello`', 'x')).toBe(
      '`neira plugin add plugins/scripts/x`',
    );
  });

  test('makes a plugin of the template whose manifest is valid and whose test finds its kit', async () => {
    const { code, stdout } = await run('new', 'my.tool', '--dir', 'plugins', '--json');
    expect(code).toBe(0);
    const { path, files } = JSON.parse(stdout) as { path: string; files: string[] };
    expect(files).toEqual(['README.md', 'main.test.ts', 'main.ts', 'manifest.yaml']);
    const { parseManifest } = await import('../registry/manifest.ts');
    const text = await readFile(join(path, 'manifest.yaml'), 'utf8');
    expect(text).not.toMatch(/hello/i);
    expect(parseManifest(text)).toMatchObject({ id: 'my.tool' });
    const [, kit] = /from '(.*boot-plugin.ts)'/.exec(await readFile(join(path, 'main.test.ts'), 'utf8'))!;
    expect(join(path, kit!)).toBe(fileURLToPath(new URL('../../test/kit/boot-plugin.ts', import.meta.url)));
  });

  test('does not touch what is there already', async () => {
    await mkdir(join(home, 'mine'));
    await writeFile(join(home, 'mine', 'main.ts'), 'my work');
    const { code, stderr } = await run('new', 'mine');
    expect([code, stderr]).toEqual([1, expect.stringContaining('NEIRA_CONFLICT')]);
    expect(await readFile(join(home, 'mine', 'main.ts'), 'utf8')).toBe('my work');
  });
});

// A plugin cannot bring a command that begins as one of these.
test('the commands that are named as ours are those that there are', async () => {
  const { stdout } = await run('--help');
  const listed = stdout.slice(stdout.indexOf('Commands:')).matchAll(/^ {2}([a-z][a-z-]*)/gm);
  expect([...OWN_COMMANDS].sort()).toEqual([...listed].map(([, name]) => name!).sort());
});
