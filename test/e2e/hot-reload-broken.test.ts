import { renameSync, rmSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { SCRIPT_GATES, type SpawnedHost, spawnHost } from '../kit/boot-host.ts';
import {
  actionsOf,
  answering,
  journalOf,
  manifestOf,
  reloadsOf,
  type SavedPlugin,
  savedPlugin,
  sleep,
} from './saved-plugin.ts';

// HOST-07, HOST-16: a broken save keeps the old version serving, and says where it is broken.

let host: SpawnedHost;
let plugin: SavedPlugin;

beforeAll(async () => {
  host = await spawnHost({ gates: SCRIPT_GATES, env: { NEIRA_LOG: 'info' } });
});
afterAll(() => host.close());
beforeEach(async () => {
  plugin = savedPlugin(() => host);
  expect((await plugin.register()).status).toBe(201);
});
afterEach(async () => {
  await host.call('DELETE', `/api/neira/plugins/${plugin.id}?data=drop`);
  plugin.remove();
});

interface Breakage {
  readonly save: () => void;
  readonly code: string;
  readonly where?: { readonly file: string; readonly line: number };
  readonly says: string;
}

const BROKEN: Record<string, Breakage> = {
  'a syntax error': {
    save: () => plugin.save('main.ts', '// one\nexport function handle( {\n'),
    code: 'NEIRA_BUNDLE_FAILED',
    where: { file: 'main.ts', line: 3 },
    says: 'Expected identifier',
  },
  'a syntax error in another file': {
    save: () => {
      plugin.save('lib/v.ts', 'export const v =\n\n  = 2;\n');
      plugin.save('main.ts', "import { v } from './lib/v.ts';\nexport const handle = () => v;\n");
    },
    code: 'NEIRA_BUNDLE_FAILED',
    where: { file: 'lib/v.ts', line: 3 },
    says: 'Unexpected',
  },
  'a throw at top level': {
    save: () => plugin.save('main.ts', 'export const handle = () => {};\n\nthrow new Error("not today");\n'),
    code: 'NEIRA_BOOT_FAILED',
    where: { file: 'main.ts', line: 3 },
    says: 'not today',
  },
  'a throw in prepare()': {
    save: () =>
      plugin.save(
        'main.ts',
        'export const handle = () => {};\nexport function prepare() {\n  throw new Error("no rules");\n}\n',
      ),
    code: 'NEIRA_BOOT_FAILED',
    where: { file: 'main.ts', line: 3 },
    says: 'no rules',
  },
  'an import of what is not there': {
    save: () =>
      plugin.save('main.ts', "\nimport { v } from './nowhere.ts';\nexport const handle = () => v;\n"),
    code: 'NEIRA_BUNDLE_FAILED',
    where: { file: 'main.ts', line: 2 },
    says: 'nowhere',
  },
  'an import of a builtin of Node': {
    save: () => plugin.save('main.ts', "import fs from 'node:fs';\nexport const handle = () => fs;\n"),
    code: 'NEIRA_BUNDLE_FAILED',
    where: { file: 'main.ts', line: 1 },
    says: 'node:fs',
  },
  'no handle()': {
    save: () => plugin.save('main.ts', 'export const handler = () => {};\n'),
    code: 'NEIRA_NO_HANDLER',
    says: 'handle',
  },
  'a manifest that is no YAML': {
    save: () => plugin.save('manifest.yaml', `id: ${plugin.id}\nversion: [1\n`),
    code: 'NEIRA_MANIFEST_INVALID',
    says: 'manifest',
  },
  'a manifest with an unknown field': {
    save: () => plugin.save('manifest.yaml', manifestOf(plugin.id, 'colour: red\n')),
    code: 'NEIRA_MANIFEST_INVALID',
    says: 'colour',
  },
  'a manifest of another plugin': {
    save: () => plugin.save('manifest.yaml', manifestOf('saved.other')),
    code: 'NEIRA_CONFLICT',
    says: 'saved.other',
  },
  'an endless loop at top level': {
    save: () => plugin.save('main.ts', 'export const handle = () => {};\n\nfor (;;) {}\n'),
    code: 'NEIRA_BOOT_FAILED',
    says: 'computation',
  },
  'the file deleted': {
    save: () => rmSync(plugin.main),
    code: 'NEIRA_MANIFEST_INVALID',
    says: 'entry',
  },
  'the manifest deleted': {
    save: () => rmSync(plugin.file('manifest.yaml')),
    code: 'NEIRA_SOURCE_REFUSED',
    says: 'manifest.yaml',
  },
  'the folder deleted': {
    save: () => plugin.remove(),
    code: 'NEIRA_SOURCE_REFUSED',
    says: 'ENOENT',
  },
};

describe.each(Object.keys(BROKEN))('%s', (name) => {
  test('is shown, once, in API, journal and log; the old version serves; mending it clears the error', async () => {
    const { save, code, where, says } = BROKEN[name]!;
    save();
    const error = await plugin.fails(code);
    expect(error).toMatchObject({ ...where, message: expect.stringContaining(says) });
    expect(await plugin.serves()).toBe(1);
    expect(await plugin.detail()).toMatchObject({ active: true, state: 'enabled' });

    await sleep(400);
    const told = (await journalOf(host, plugin.id)).filter(({ action }) => action === 'plugin.reload-failed');
    expect(told).toEqual([
      expect.objectContaining({
        actor: 'watch',
        note: expect.stringContaining(
          where ? `${error.message} (${where.file}:${where.line})` : error.message,
        ),
        after: expect.objectContaining({ code, ...where }),
      }),
    ]);
    expect(host.log()).toContain(JSON.stringify(error.message).slice(1, -1));
    expect(await reloadsOf(host, plugin.id)).toBe(0);

    plugin.save('manifest.yaml', manifestOf(plugin.id));
    plugin.save('main.ts', answering(2));
    await plugin.becomes(2);
    await plugin.mended();
    expect(await reloadsOf(host, plugin.id)).toBe(1);
  });
});

test('taking the mistake back clears the error without a reload', async () => {
  plugin.save('main.ts', 'export function handle( {\n');
  await plugin.fails('NEIRA_BUNDLE_FAILED');
  plugin.save('main.ts', answering(1));
  await plugin.mended();
  expect(await actionsOf(host, plugin.id)).toEqual([
    'plugin.registered',
    'plugin.reload-failed',
    'plugin.mended',
  ]);
});

test('another mistake replaces the first, and a rollback leaves both behind', async () => {
  plugin.save('main.ts', answering(2));
  await plugin.becomes(2);
  plugin.save('main.ts', 'export function handle( {\n');
  await plugin.fails('NEIRA_BUNDLE_FAILED');
  plugin.save('main.ts', 'throw new Error("second");\n');
  await plugin.fails('NEIRA_BOOT_FAILED');
  expect((await host.call('POST', `/api/neira/plugins/${plugin.id}/rollback`, {})).status).toBe(200);
  await sleep(400);
  expect([await plugin.serves(), (await plugin.detail()).last_error]).toEqual([1, undefined]);
});

test('a broken reload that is asked for is refused with the error, which stays shown', async () => {
  await host.call('PUT', '/api/neira/mode', { mode: 'safe' });
  plugin.save('main.ts', 'export function handle( {\n');
  await host.call('PUT', '/api/neira/mode', { mode: 'normal' });
  const { status, body } = await host.call('POST', `/api/neira/plugins/${plugin.id}/reload`);
  expect([status, body]).toEqual([
    422,
    expect.objectContaining({ code: 'NEIRA_BUNDLE_FAILED', file: 'main.ts', line: 2 }),
  ]);
  expect((await plugin.detail()).last_error).toMatchObject({ file: 'main.ts', line: 2 });
  await sleep(500);
  const actions = await actionsOf(host, plugin.id);
  expect(actions.filter((action) => action === 'plugin.reload-failed')).toHaveLength(1);
});

test('a folder that comes back is taken over', async () => {
  renameSync(plugin.folder, `${plugin.folder}.away`);
  await plugin.fails('NEIRA_SOURCE_REFUSED');
  renameSync(`${plugin.folder}.away`, plugin.folder);
  await plugin.mended();
  plugin.save('main.ts', answering(2));
  await plugin.becomes(2);
});

test('a broken neighbour delays nobody for long', async () => {
  const neighbour = savedPlugin(() => host);
  await neighbour.register();
  plugin.save('main.ts', 'export function handle( {\n');
  neighbour.save('main.ts', answering(2));
  await neighbour.becomes(2);
  await plugin.fails('NEIRA_BUNDLE_FAILED');
  await host.call('DELETE', `/api/neira/plugins/${neighbour.id}`);
  neighbour.remove();
});

describe('what may not run yet', () => {
  test('a save in safe mode is not run, and taken over when that ends', async () => {
    await host.call('PUT', '/api/neira/mode', { mode: 'safe' });
    plugin.save('main.ts', answering(2));
    await sleep(400);
    expect(await plugin.serves()).toBe(1);
    expect(await reloadsOf(host, plugin.id)).toBe(0);
    await host.call('PUT', '/api/neira/mode', { mode: 'normal' });
    await plugin.becomes(2);
    expect(await reloadsOf(host, plugin.id)).toBe(1);
  });

  test('a save behind a locked gate is not run, and taken over when it opens', async () => {
    await host.call('PUT', '/api/neira/gates/runtime_scripting', { stage: 'locked' });
    plugin.save('main.ts', 'throw new Error("ran behind a locked gate");\n');
    await sleep(400);
    expect((await plugin.detail()).last_error).toBe(undefined);
    plugin.save('main.ts', answering(2));
    await sleep(100);
    await host.open('runtime_scripting');
    await plugin.becomes(2);
    expect((await plugin.detail()).last_error).toBe(undefined);
  });

  test('a save behind its own locked gate is built but not run until that opens', async () => {
    const own = savedPlugin(
      () => host,
      'gate: saved_own\ngates: [{id: saved_own, title: Own, phrases: {ru: [открой своё], en: [open own]}}]\n',
    );
    try {
      expect((await own.register()).body).toMatchObject({
        state: 'enabled',
        active: false,
        gate_stage: 'locked',
        reason: 'the gate `saved_own` is locked',
      });
      own.save('main.ts', answering(2));
      await expect.poll(() => reloadsOf(host, own.id)).toBe(1);
      expect(await own.serves()).toMatchObject({ mode: 'dry-run', ran: false });
      await host.open('saved_own');
      expect(await own.serves()).toBe(2);
    } finally {
      await host.call('DELETE', `/api/neira/plugins/${own.id}`);
      own.remove();
    }
  });
});

describe('while the host was down', () => {
  test('what was saved, broken, deleted and left alone is each as its folder says', async () => {
    const down = await spawnHost({ gates: SCRIPT_GATES });
    const names = ['saved', 'broken', 'deleted', 'same'] as const;
    let up = down;
    const plugins = Object.fromEntries(names.map((name) => [name, savedPlugin(() => up)])) as Record<
      (typeof names)[number],
      SavedPlugin
    >;
    for (const name of names) await plugins[name].register();
    down.process.kill('SIGTERM');
    expect(await down.exited).toBe(0);
    plugins.saved.save('main.ts', answering(2));
    plugins.broken.save('main.ts', 'export function handle( {\n');
    plugins.deleted.remove();

    for (const boot of [1, 2]) {
      up = await spawnHost({ home: down.home });
      await plugins.saved.becomes(2);
      await plugins.broken.fails('NEIRA_BUNDLE_FAILED');
      await plugins.deleted.fails('NEIRA_SOURCE_REFUSED');
      for (const name of ['broken', 'deleted', 'same'] as const) expect(await plugins[name].serves()).toBe(1);
      // Told at the first boot only: nothing is new at the second.
      await sleep(400);
      expect([boot, await actionsOf(up, plugins.saved.id)]).toEqual([
        boot,
        ['plugin.registered', 'plugin.reloaded'],
      ]);
      expect(await actionsOf(up, plugins.broken.id)).toEqual(['plugin.registered', 'plugin.reload-failed']);
      expect(await actionsOf(up, plugins.deleted.id)).toEqual(['plugin.registered', 'plugin.reload-failed']);
      expect(await actionsOf(up, plugins.same.id)).toEqual(['plugin.registered']);
      if (boot === 1) {
        up.process.kill('SIGTERM');
        expect(await up.exited).toBe(0);
      }
    }
    // The folder that was gone at boot is seen when it comes back.
    plugins.deleted.save('manifest.yaml', manifestOf(plugins.deleted.id));
    plugins.deleted.save('main.ts', answering(3));
    await plugins.deleted.becomes(3);
    up.process.kill('SIGTERM');
    expect(await up.exited).toBe(0);
    rmSync(down.home, { recursive: true });
    for (const name of names) plugins[name].remove();
  });

  test('a save is not run at a boot in safe mode, and taken over when that ends', async () => {
    const down = await spawnHost({ gates: SCRIPT_GATES });
    let up = down;
    const saved = savedPlugin(() => up);
    await saved.register();
    await down.kill();
    saved.save('main.ts', answering(2));
    up = await spawnHost({ home: down.home, env: { NEIRA_SAFE_MODE: '1' } });
    await sleep(400);
    expect(await saved.serves()).toBe(1);
    await up.call('PUT', '/api/neira/mode', { mode: 'normal' });
    await saved.becomes(2);
    await up.kill();
    rmSync(down.home, { recursive: true });
    saved.remove();
  });
});
