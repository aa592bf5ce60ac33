import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { bootHost, SCRIPT_GATES, type TestHost } from '../kit/boot-host.ts';
import {
  actionsOf,
  answering,
  eventOf,
  journalOf,
  type SavedPlugin,
  savedPlugin,
  sleep,
} from './saved-plugin.ts';

// HOST-15, HOST-27, HOST-28: versions, grants, settings, images, and the index.

const button = (id: string) => ({ ui: { buttons: [{ id, title: id, event: `${id}.go` }] } });
const at = (id: string, rest = '') => `/api/neira/plugins/${id}${rest}`;

let host: TestHost;

beforeAll(async () => {
  host = await bootHost({ gates: SCRIPT_GATES });
});
afterAll(() => host.close());

const go = async (id: string, on = host) => {
  const { status, body } = await eventOf(on, id);
  return status === 200 ? body.actions[0]?.v : body.code;
};
const back = (id: string, version?: string, on = host) =>
  on.call('POST', at(id, '/rollback'), version === undefined ? {} : { version });

async function versions(id: string, count: number, on = host) {
  for (let v = 1; v <= count; v++) {
    await on.script({ id, version: `${v}.0.0`, ...button(id) }, answering(v));
  }
}

describe('versions and rollback', () => {
  test('the last ten are kept, the oldest go', async () => {
    await versions('ver.kept', 13);
    const { body } = await host.call('GET', at('ver.kept'));
    expect(
      body.versions
        .map(({ version }: { version: string }) => version)
        .sort((a: string, b: string) => Number.parseInt(a, 10) - Number.parseInt(b, 10)),
    ).toEqual(Array.from({ length: 10 }, (_, i) => `${i + 4}.0.0`));
  });

  test('to the previous one, twice in a row, and no further than there is', async () => {
    await versions('ver.back', 3);
    expect((await back('ver.back')).body.version).toBe('2.0.0');
    expect(await go('ver.back')).toBe(2);
    expect((await back('ver.back')).body.version).toBe('1.0.0');
    expect(await go('ver.back')).toBe(1);
    const { status, body } = await back('ver.back');
    expect([status, body.code]).toEqual([404, 'NEIRA_NOT_FOUND']);
    expect(await actionsOf(host, 'ver.back')).toEqual([
      'plugin.registered',
      'plugin.updated',
      'plugin.updated',
      'plugin.rolled-back',
      'plugin.rolled-back',
    ]);
  });

  test('to a named version, or to a digest, shortened too; an unknown one is 404', async () => {
    await versions('ver.named', 4);
    expect((await back('ver.named', '2.0.0')).body.version).toBe('2.0.0');
    const { digest } = (await host.call('GET', at('ver.named'))).body.versions.find(
      ({ version }: { version: string }) => version === '4.0.0',
    );
    expect((await back('ver.named', digest)).body.version).toBe('4.0.0');
    await back('ver.named', '1.0.0');
    expect((await back('ver.named', digest.slice(0, 12))).body.version).toBe('4.0.0');
    expect((await back('ver.named', '9.9.9')).status).toBe(404);
    expect(await go('ver.named')).toBe(4);
  });

  test('after a rollback and a new version, the way back leads to what served', async () => {
    await versions('ver.undo', 3);
    await back('ver.undo');
    await host.script({ id: 'ver.undo', version: '4.0.0', ...button('ver.undo') }, answering(4));
    expect((await back('ver.undo')).body.version).toBe('2.0.0');
  });

  test('a rollback stays, until the folder is saved with something else, and over a restart', async () => {
    const home = `${host.home}-restart`;
    mkdirSync(home);
    let own = await bootHost({ home, gates: SCRIPT_GATES });
    const plugin = savedPlugin(() => own);
    await plugin.register();
    for (const v of [2, 3]) {
      plugin.save('main.ts', answering(v));
      await plugin.becomes(v);
    }
    await back(plugin.id, undefined, own);
    for (const expected of [2, 1]) {
      await own.close();
      own = await bootHost({ home });
      await sleep(300);
      expect(await plugin.serves()).toBe(expected);
      if (expected === 2) await back(plugin.id, undefined, own);
    }
    plugin.save('main.ts', answering(4));
    await plugin.becomes(4);
    await own.close();
    rmSync(home, { recursive: true });
    plugin.remove();
  });

  test('fewer are kept when the setting says so, never fewer than the one that serves', async () => {
    const own = await bootHost({ gates: SCRIPT_GATES, settings: 'versions_kept: 1\n' });
    await versions('ver.few', 3, own);
    expect((await own.call('GET', at('ver.few'))).body.versions).toHaveLength(1);
    expect((await back('ver.few', undefined, own)).status).toBe(404);
    expect(await go('ver.few', own)).toBe(3);
    await own.close();
  });
});

describe('grants', () => {
  const writing = `import { set } from 'neira:host/storage';
export function handle() { set('k', 1); return { actions: [{ type: 'v', v: 'wrote' }] }; }`;

  test('what was not granted is refused at the call, until it is granted', async () => {
    const { body } = await host.script(
      { id: 'gr.one', permissions: { storage: ['write'] }, ...button('gr.one') },
      writing,
      '?enable=1',
    );
    expect([body.active, body.pending_consent]).toEqual([true, ['storage.write']]);
    expect(await go('gr.one')).toBe('NEIRA_PERMISSION_DENIED');
    const granted = await host.call('PUT', at('gr.one', '/grants'), { permissions: { storage: ['write'] } });
    expect([granted.status, granted.body.pending_consent]).toEqual([200, []]);
    expect(await go('gr.one')).toBe('wrote');
    await host.call('PUT', at('gr.one', '/grants'), { permissions: {} });
    expect(await go('gr.one')).toBe('NEIRA_PERMISSION_DENIED');
  });

  test('growth by a save needs consent again; the rest of the plugin runs on', async () => {
    const plugin = savedPlugin(() => host);
    await plugin.register();
    plugin.save(
      'manifest.yaml',
      `${readFileSync(plugin.file('manifest.yaml'), 'utf8')}permissions: {storage: [write]}\n`,
    );
    plugin.save('main.ts', writing);
    await expect.poll(async () => (await plugin.detail()).pending_consent).toEqual(['storage.write']);
    expect(await go(plugin.id)).toBe('NEIRA_PERMISSION_DENIED');
    await host.call('PUT', at(plugin.id, '/grants'), { permissions: { storage: ['write'] } });
    expect(await go(plugin.id)).toBe('wrote');
    await host.call('DELETE', at(plugin.id));
    plugin.remove();
  });

  test('more than the manifest asks is refused', async () => {
    await host.script({ id: 'gr.more', ...button('gr.more') }, answering(1));
    const { status, body } = await host.call('PUT', at('gr.more', '/grants'), {
      permissions: { storage: ['read'] },
    });
    expect([status, body.code]).toEqual([422, 'NEIRA_INVALID']);
    expect((await host.call('PUT', at('gr.more', '/grants'), { permissions: { disk: ['/'] } })).status).toBe(
      422,
    );
  });

  test('a plugin whose prepare() needs a grant is registered without, and boots with it', async () => {
    const source = `import { get } from 'neira:host/storage';
let v = 0; export function prepare() { v = get('k')?.value ?? 'none'; }
export function handle() { return { actions: [{ type: 'v', v }] }; }`;
    const { status, body } = await host.script(
      { id: 'gr.prepare', permissions: { storage: ['read'] }, ...button('gr.prepare') },
      source,
      '?enable=1',
    );
    expect([status, body.active, body.pending_consent]).toEqual([201, false, ['storage.read']]);
    expect(body.reason).toContain('granted');
    await host.call('PUT', at('gr.prepare', '/grants'), { permissions: { storage: ['read'] } });
    expect(await go('gr.prepare')).toBe('none');
  });
});

describe('settings', () => {
  const schema = (properties: object) => ({ settings: { type: 'object', properties } });
  const reading = `import { settings } from 'neira:host/storage';
const atBoot = settings();
export function handle() { return { actions: [{ type: 'v', v: [atBoot, settings()] }] }; }`;

  test('defaults, validation, and an image that is built anew', async () => {
    const manifest = {
      id: 'set.one',
      ...schema({ size: { type: 'integer', default: 3 }, name: { type: 'string' } }),
      ...button('set.one'),
    };
    await host.script(manifest, reading);
    expect(await go('set.one')).toEqual([{ size: 3 }, { size: 3 }]);
    const put = (settings: object) => host.call('PUT', at('set.one', '/settings'), { settings });
    expect((await put({ size: 5 })).body.settings).toEqual({ size: 5 });
    expect(await go('set.one')).toEqual([{ size: 5 }, { size: 5 }]);
    const wrong = await put({ size: 'big' });
    expect([wrong.status, wrong.body.code]).toEqual([422, 'NEIRA_INVALID']);
    expect((await host.call('GET', at('set.one', '/settings'))).body.settings).toEqual({ size: 5 });
  });

  test('a default belongs to the version: it changes with it, what was given stays', async () => {
    const withDefault = (size: number) => ({
      id: 'set.default',
      ...schema({ size: { type: 'integer', default: size }, name: { type: 'string' } }),
      ...button('set.default'),
    });
    await host.script(withDefault(3), reading);
    await host.call('PUT', at('set.default', '/settings'), { settings: { name: 'n' } });
    await host.script(withDefault(4), reading);
    expect(await go('set.default')).toEqual([
      { size: 4, name: 'n' },
      { size: 4, name: 'n' },
    ]);
    await back('set.default');
    expect((await go('set.default'))[0]).toEqual({ size: 3, name: 'n' });
  });

  test('settings that the plugin does not boot with change nothing', async () => {
    const source = `import { settings } from 'neira:host/storage';
if (settings().size > 10) throw new Error('too big');
export function handle() { return { actions: [{ type: 'v', v: settings().size }] }; }`;
    await host.script(
      { id: 'set.bad', ...schema({ size: { type: 'integer', default: 1 } }), ...button('set.bad') },
      source,
    );
    const { status, body } = await host.call('PUT', at('set.bad', '/settings'), { settings: { size: 11 } });
    expect([status, body.code]).toEqual([422, 'NEIRA_BOOT_FAILED']);
    expect((await host.call('GET', at('set.bad', '/settings'))).body.settings).toEqual({ size: 1 });
    expect(await go('set.bad')).toBe(1);
  });
});

test('when what prepare() read changes, a new image is built and serves', async () => {
  const source = `import { get, list, set } from 'neira:host/storage';
let key = 'none'; let count = 0;
export function prepare() { key = get('rule')?.value ?? 'none'; count = list('rules/').length; }
export function handle(event) {
  for (const [name, value] of Object.entries(event.payload.params.put ?? {})) set(name, value);
  return { actions: [{ type: 'v', v: [key, count] }] };
}`;
  await host.script(
    { id: 'dep.one', permissions: { storage: ['read', 'write'] }, ...button('dep.one') },
    source,
  );
  expect(await go('dep.one')).toEqual(['none', 0]);
  await eventOf(host, 'dep.one', { put: { rule: 'first' } });
  await expect.poll(() => go('dep.one')).toEqual(['first', 0]);
  await eventOf(host, 'dep.one', { put: { 'rules/a': 1, 'rules/b': 2 } });
  await expect.poll(() => go('dep.one')).toEqual(['first', 2]);
  // What it did not read rebuilds nothing, and a rebuild is no change of the plugin.
  await eventOf(host, 'dep.one', { put: { other: 1 } });
  expect(await actionsOf(host, 'dep.one')).toEqual(['plugin.registered']);
});

describe('the index and the state after a restart', () => {
  const home = () => `${host.home}-index`;
  const file = () => path.join(home(), 'plugins/index.json');
  const plugins = () =>
    JSON.parse(readFileSync(file(), 'utf8')).plugins.map(({ id, state }: { id: string; state: string }) => [
      id,
      state,
    ]);
  const asides = () => readdirSync(path.dirname(file())).filter((name) => name.includes('set-aside'));
  const torn = '{"plugins": [{"id": "ix.o';

  beforeAll(() => void mkdirSync(home()));
  afterAll(() => rmSync(home(), { recursive: true }));

  test('it says what the store says, whatever it was made to say', async () => {
    let own = await bootHost({ home: home(), gates: SCRIPT_GATES });
    await own.script({ id: 'ix.one', ...button('ix.one') }, answering(1));
    expect(plugins()).toEqual([['ix.one', 'enabled']]);
    await own.call('POST', at('ix.one', '/disable'));
    expect(plugins()).toEqual([['ix.one', 'disabled']]);
    expect(asides()).toEqual([]);

    const damages: (() => void)[] = [
      () => writeFileSync(file(), torn),
      () => writeFileSync(file(), '{"plugins": []}'),
      () => rmSync(file()),
      () => {
        rmSync(file());
        mkdirSync(file());
      },
    ];
    for (const [round, damage] of damages.entries()) {
      await own.close();
      damage();
      own = await bootHost({ home: home() });
      expect([round, plugins()]).toEqual([round, [['ix.one', 'disabled']]]);
      const told = await journalOf(own, 'plugins/index.json');
      expect(told.map(({ action }) => action)).toEqual(Array(round + 1).fill('index.rewritten'));
    }
    expect(asides()).toHaveLength(3);
    // Edited while the host runs: noticed at the next change.
    writeFileSync(file(), torn);
    await own.call('POST', at('ix.one', '/enable'));
    expect(plugins()).toEqual([['ix.one', 'enabled']]);
    await expect.poll(async () => (await journalOf(own, 'plugins/index.json')).length).toBe(5);
    expect(asides()).toHaveLength(4);
    await own.close();
  });

  test('a quarantined plugin is shown with its reason, does not run, and runs again when it is enabled or mended', async () => {
    const quarantine = async () => {
      using database = new DatabaseSync(path.join(home(), 'neira.db'));
      database.exec(
        "update plugin set state = 'quarantined', reason = 'three turns had to be ended' where id = 'ix.one'",
      );
    };
    for (const cure of ['enable', 'update'] as const) {
      await quarantine();
      const own = await bootHost({ home: home() });
      const { body } = await own.call('GET', at('ix.one'));
      expect(body).toMatchObject({
        state: 'quarantined',
        active: false,
        reason: 'three turns had to be ended',
      });
      expect((await eventOf(own, 'ix.one')).body).toMatchObject({
        code: 'NEIRA_QUARANTINED',
        detail: expect.stringContaining('three turns'),
      });
      if (cure === 'enable') await own.call('POST', at('ix.one', '/enable'));
      else {
        const { status } = await own.script({ id: 'ix.one', ...button('ix.one') }, answering(2), '');
        expect(status).toBe(200);
      }
      expect([cure, await go('ix.one', own)]).toEqual([cure, cure === 'enable' ? 1 : 2]);
      await own.close();
    }
    expect(existsSync(file())).toBe(true);
  });
});

test('a plugin saved in a folder that was removed meanwhile serves from the store', async () => {
  const plugin: SavedPlugin = savedPlugin(() => host);
  await plugin.register();
  plugin.remove();
  await plugin.fails('NEIRA_SOURCE_REFUSED');
  await host.call('POST', at(plugin.id, '/disable'));
  expect((await host.call('POST', at(plugin.id, '/enable'))).body.active).toBe(true);
  expect(await plugin.serves()).toBe(1);
  await host.call('DELETE', at(plugin.id));
});
