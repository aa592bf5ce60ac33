import { generateKeyPairSync } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { publicKeyOf, signTree } from '../../host/registry/signature.ts';
import { sourceFromInline } from '../../host/registry/source.ts';
import { bootHost, SCRIPT_GATES, type TestHost } from '../kit/boot-host.ts';
import { zipOf } from './pack-zip.ts';
import { actionsOf, answering, eventOf, manifestOf, savedPlugin, sleep } from './saved-plugin.ts';

// HOST-15..21, HOST-23, HOST-26: what administrators do to plugins.

let host: TestHost;

beforeAll(async () => {
  host = await bootHost({ gates: SCRIPT_GATES });
});
afterAll(() => host.close());

const button = (id: string) => ({ ui: { buttons: [{ id, title: id, event: `${id}.go` }] } });
const at = (id: string, rest = '') => `/api/neira/plugins/${id}${rest}`;

async function go(id: string, on = host) {
  const { status, body } = await eventOf(on, id);
  return status === 200 ? body.actions[0]?.v : body.code;
}

describe('registration', () => {
  test('inline: 201, then 200 with the next version', async () => {
    const first = await host.script({ id: 'reg.inline', ...button('reg.inline') }, answering(1));
    expect([first.status, first.headers.get('location')]).toEqual([201, at('reg.inline')]);
    expect(first.body).toMatchObject({
      id: 'reg.inline',
      state: 'enabled',
      active: true,
      origin: 'upload',
      pending_consent: [],
    });
    const second = await host.script(
      { id: 'reg.inline', version: '2.0.0', ...button('reg.inline') },
      answering(2),
    );
    expect([second.status, second.body.version, await go('reg.inline')]).toEqual([200, '2.0.0', 2]);
    expect(await actionsOf(host, 'reg.inline')).toEqual(['plugin.registered', 'plugin.updated']);
    expect(readFileSync(path.join(second.body.path, 'main.ts'), 'utf8')).toBe(answering(2));
    expect(readdirSync(path.join(host.home, 'plugins', '.staging'))).toEqual([]);
  });

  test('what was uploaded is watched where it lies', async () => {
    const { body } = await host.script({ id: 'reg.watched', ...button('reg.watched') }, answering(1));
    const { writeFileSync } = await import('node:fs');
    for (let v = 2; v <= 3; v++) {
      writeFileSync(path.join(body.path, 'main.ts'), answering(v));
      await expect.poll(() => go('reg.watched')).toBe(v);
    }
    // Its folder is another one after an update.
    await host.script({ id: 'reg.watched', ...button('reg.watched') }, answering(4));
    expect(await go('reg.watched')).toBe(4);
    writeFileSync(path.join(body.path, 'main.ts'), answering(5));
    await expect.poll(() => go('reg.watched')).toBe(5);
  });

  test('a folder stays where it is; an upload after it takes its place, and the folder is left alone', async () => {
    const plugin = savedPlugin(() => host);
    const answer = await plugin.register();
    expect([answer.status, answer.body.origin, answer.body.path]).toEqual([201, 'path', plugin.folder]);
    await host.script({ id: plugin.id, ...button(plugin.id) }, answering(2));
    expect(await plugin.serves()).toBe(2);
    plugin.save('main.ts', answering(3));
    await sleep(300);
    expect(await plugin.serves()).toBe(2);
    const upload = (await plugin.detail()).path;
    expect((await plugin.register()).status).toBe(200);
    expect([await plugin.serves(), existsSync(upload)]).toEqual([3, false]);
    expect((await host.call('DELETE', at(plugin.id))).status).toBe(204);
    expect(existsSync(plugin.main)).toBe(true);
    plugin.remove();
  });

  test('a zip, with its folder or without', async () => {
    for (const [status, prefix] of [
      [201, ''],
      [200, 'reg-zip/'],
    ] as const) {
      const form = new FormData();
      const files = {
        [`${prefix}manifest.yaml`]: manifestOf('reg.zip'),
        [`${prefix}main.ts`]: answering(prefix),
      };
      form.set('plugin', new Blob([zipOf(files)]), 'reg.zip');
      const response = await fetch(`${host.url}/api/neira/plugins?enable=1&grant=all`, {
        method: 'POST',
        headers: { authorization: `Bearer ${host.token}` },
        body: form,
      });
      expect([response.status, await go('reg.zip')]).toEqual([status, prefix]);
    }
  });

  test('from the catalog', async () => {
    const catalog = async () => (await host.call('GET', '/api/neira/catalog')).body.plugins;
    expect(await catalog()).toContainEqual(expect.objectContaining({ id: 'ui.pencil', registered: false }));
    const { status, body } = await host.call('POST', '/api/neira/plugins', { catalog: 'ui.pencil' });
    expect([status, body.state, body.origin, body.active]).toEqual([201, 'registered', 'catalog', false]);
    expect(body.pending_consent).toEqual(['storage.write', 'bus.publish:annotation.saved']);
    expect(await catalog()).toContainEqual(expect.objectContaining({ id: 'ui.pencil', registered: true }));
    expect((await host.call('POST', '/api/neira/plugins', { catalog: 'ui.pencils' })).status).toBe(404);
  });

  test('what is wrong is refused with its reason, and leaves nothing behind', async () => {
    const broken = await host.script({ id: 'reg.broken' }, 'export function handle( {\n');
    expect([broken.status, broken.body]).toEqual([
      422,
      expect.objectContaining({ code: 'NEIRA_BUNDLE_FAILED', file: 'main.ts', line: 2 }),
    ]);
    const throwing = await host.script({ id: 'reg.broken' }, 'throw new Error("no")');
    expect([throwing.status, throwing.body.code]).toEqual([422, 'NEIRA_BOOT_FAILED']);
    expect((await host.call('GET', at('reg.broken'))).status).toBe(404);
    expect((await host.call('POST', '/api/neira/plugins', { path: '/nowhere/at/all' })).status).toBe(404);
    expect(existsSync(path.join(host.home, 'plugins/scripts/reg.broken'))).toBe(false);
  });

  test('a broken update leaves the version that serves, and its folder, as they are', async () => {
    const { body } = await host.script({ id: 'reg.kept', ...button('reg.kept') }, answering(1));
    expect((await host.script({ id: 'reg.kept', ...button('reg.kept') }, 'throw 1')).status).toBe(422);
    expect(await go('reg.kept')).toBe(1);
    expect(readFileSync(path.join(body.path, 'main.ts'), 'utf8')).toBe(answering(1));
  });

  test('a tool id is one plugin’s, also when two come at once', async () => {
    const tool = button('reg.tool');
    const both = await Promise.all(
      ['reg.first', 'reg.second'].map((id) => host.script({ id, ...tool }, answering(id))),
    );
    expect(both.map(({ status }) => status).sort()).toEqual([201, 409]);
    const refused = both.find(({ status }) => status === 409)!;
    expect(refused.body).toMatchObject({
      code: 'NEIRA_CONFLICT',
      detail: expect.stringContaining('`reg.tool`'),
    });
  });

  test('many changes of one plugin at once end in one of them, whole', async () => {
    const all = await Promise.all(
      Array.from({ length: 6 }, (_, v) =>
        host.script({ id: 'reg.many', version: `1.0.${v}`, ...button('reg.many') }, answering(v)),
      ),
    );
    expect(all.map(({ status }) => status).sort()).toEqual([200, 200, 200, 200, 200, 201]);
    const { body } = await host.call('GET', at('reg.many'));
    expect(`1.0.${await go('reg.many')}`).toBe(body.version);
    expect(body.versions).toHaveLength(6);
  });
});

describe('states', () => {
  test('enable, disable, reload, remove', async () => {
    await host.script({ id: 'reg.state', ...button('reg.state') }, answering(1), '?grant=all');
    expect(await go('reg.state')).toBe('NEIRA_PLUGIN_INACTIVE');
    for (const [verb, expected] of [
      ['enable', 1],
      ['disable', 'NEIRA_PLUGIN_INACTIVE'],
      ['disable', 'NEIRA_PLUGIN_INACTIVE'],
      ['enable', 1],
      ['reload', 1],
    ] as const) {
      expect((await host.call('POST', at('reg.state', `/${verb}`))).status).toBe(200);
      expect([verb, await go('reg.state')]).toEqual([verb, expected]);
    }
    expect((await host.call('DELETE', at('reg.state'))).status).toBe(204);
    expect((await host.call('GET', at('reg.state'))).status).toBe(404);
    expect((await host.call('DELETE', at('reg.state'))).status).toBe(404);
    expect(existsSync(path.join(host.home, 'plugins/scripts/reg.state'))).toBe(false);
    expect(await actionsOf(host, 'reg.state')).toEqual([
      'plugin.registered',
      'plugin.enabled',
      'plugin.disabled',
      'plugin.enabled',
      'plugin.reloaded',
      'plugin.removed',
    ]);
  });

  test('data outlives a removal unless it is dropped', async () => {
    const counting = `import { get, set } from 'neira:host/storage';
export function handle() { const v = (get('n')?.value ?? 0) + 1; set('n', v); return { actions: [{ type: 'v', v }] }; }`;
    const manifest = { id: 'reg.data', permissions: { storage: ['read', 'write'] }, ...button('reg.data') };
    await host.script(manifest, counting);
    expect([await go('reg.data'), await go('reg.data')]).toEqual([1, 2]);
    await host.call('DELETE', at('reg.data'));
    await host.script(manifest, counting);
    expect(await go('reg.data')).toBe(3);
    await host.call('DELETE', at('reg.data', '?data=drop'));
    await host.script(manifest, counting);
    expect(await go('reg.data')).toBe(1);
  });

  test('a plugin’s own gate is born locked; behind it the plugin is enabled, inactive, and says why', async () => {
    const manifest = {
      id: 'reg.gated',
      gate: 'reg_own',
      gates: [
        { id: 'reg_own', title: { en: 'Own' }, phrases: { ru: ['открой особое'], en: ['open the special'] } },
      ],
      ...button('reg.gated'),
    };
    const { status, body } = await host.script(manifest, answering(1));
    expect([status, body.state, body.active, body.reason]).toEqual([
      201,
      'enabled',
      false,
      'the gate `reg_own` is locked',
    ]);
    expect((await host.call('GET', '/api/neira/gates/match?phrase=open%20the%20special')).body).toMatchObject(
      { id: 'reg_own', stage: 'locked', declared_by: 'reg.gated' },
    );
    expect((await eventOf(host, 'reg.gated')).body).toMatchObject({ mode: 'dry-run', ran: false });
    const clash = await host.script({ ...manifest, id: 'reg.gated2', ui: undefined }, answering(1));
    expect([clash.status, clash.body.code]).toEqual([409, 'NEIRA_CONFLICT']);
    await host.open('reg_own');
    expect((await host.call('GET', at('reg.gated'))).body.active).toBe(true);
    expect(await go('reg.gated')).toBe(1);
    // An update keeps the stage; a removal takes the gate away, and it is born locked again.
    await host.script(manifest, answering(2));
    expect(await go('reg.gated')).toBe(2);
    await host.call('DELETE', at('reg.gated'));
    expect((await host.call('PUT', '/api/neira/gates/reg_own', { stage: 'stable' })).status).toBe(404);
    expect((await host.script(manifest, answering(3))).body.active).toBe(false);
  });

  test('a gate that nobody declares is refused', async () => {
    const { status, body } = await host.script({ id: 'reg.nogate', gate: 'no_such_gate' }, answering(1));
    expect([status, body.errors]).toEqual([422, [expect.objectContaining({ path: 'gate' })]]);
  });
});

describe('signatures (HOST-26)', () => {
  const keyOf = () =>
    generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  const [mine, other] = [keyOf(), keyOf()];
  let strict: TestHost;

  beforeAll(async () => {
    strict = await bootHost({
      gates: SCRIPT_GATES,
      settings: `signatures:\n  require: true\n  trusted:\n    mine: ${publicKeyOf(mine)}\n`,
    });
  });
  afterAll(() => strict.close());

  const manifest = {
    id: 'reg.signed',
    version: '1.0.0',
    kind: 'script',
    entry: 'main.ts',
    ...button('reg.signed'),
  };
  const files = { 'main.ts': answering(1) };
  const register = (signature?: unknown, changed = files) =>
    strict.call(
      'POST',
      '/api/neira/plugins',
      { manifest, files: changed, ...(signature !== undefined && { signature }) },
      { query: '?enable=1' },
    );
  const sign = (key: string, keyId = 'mine') => signTree(sourceFromInline({ manifest, files }), key, keyId);

  test.each([
    ['unsigned', () => register()],
    ['by a key that is not trusted', () => register(sign(other, 'other'))],
    ['by another key under a trusted name', () => register(sign(other))],
    ['for other files', () => register(sign(mine), { 'main.ts': answering(2) })],
  ])('%s is refused', async (_what, send) => {
    const { status, body } = await send();
    expect([status, body.code]).toEqual([422, 'NEIRA_SIGNATURE_INVALID']);
    expect((await strict.call('GET', '/api/neira/plugins')).body.plugins).toEqual([]);
  });

  test('signed by a trusted key is taken, and can be reloaded; a change of its files cannot', async () => {
    const { status, body } = await register(sign(mine));
    expect([status, body.signed_by]).toEqual([201, 'mine']);
    expect((await strict.call('POST', at('reg.signed', '/reload'))).body).toMatchObject({
      signed_by: 'mine',
    });
    const { writeFileSync } = await import('node:fs');
    writeFileSync(path.join(body.path, 'main.ts'), answering(2));
    await expect
      .poll(async () => (await strict.call('GET', at('reg.signed'))).body.last_error?.code, { timeout: 5000 })
      .toBe('NEIRA_SIGNATURE_INVALID');
    expect(await go('reg.signed', strict)).toBe(1);
  });
});
