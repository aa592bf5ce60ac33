/** A change of the master key that breaks off: whatever was on disk, every secret opens afterwards. MEM-02. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { SCRIPT_GATES, spawnHost } from '../kit/boot-host.ts';
import { templateHome } from '../kit/template-home.ts';

const TEST_MS = 60_000;
const SECRETS = { one: 'value of the first', two: 'another value' };
const SHOW = `
  import { secret } from 'neira:host/io';
  export const handle = async (event) => ({ actions: [{ length: (await secret(event.payload.params.name)).length }] });`;
const MANIFEST = {
  id: 'show',
  permissions: { secrets: Object.keys(SECRETS).map((name) => ({ name, reveal: true })) },
  ui: { buttons: [{ id: 'show', title: 'Show', event: 'ui.show' }] },
};
const POINTS = [
  'secrets.next-written',
  'writer.before-commit',
  'writer.after-commit',
  'secrets.resealed',
  'secrets.mid-swap',
];
/** Commits of a boot over a home like this one; see crash.test.ts. */
const BOOT_COMMITS = 1;

const env = { NEIRA_DURABILITY: 'power' };

const preparedHome = templateHome(async (home) => {
  // What turns run on is recorded at boot, in a commit of its own.
  const settings = 'transcripts: false\n';
  const host = await spawnHost({ home, env, settings, gates: SCRIPT_GATES });
  await host.script(MANIFEST, SHOW);
  for (const [name, value] of Object.entries(SECRETS))
    expect((await host.call('PUT', `/api/neira/secrets/${name}`, { value })).status).toBe(201);
  await host.close();
});

test.each(POINTS)(
  'killed at %s while the master key changes: every secret opens, and the key can be changed',
  async (point) => {
    const home = await preparedHome();
    const nth = point.startsWith('writer') ? BOOT_COMMITS + 1 : 1;
    const doomed = await spawnHost({ home, env: { ...env, NEIRA_FAULT: `${point}:${nth}` } });
    await doomed.call('POST', '/api/neira/secrets/rotate-key').catch(() => {});
    expect(await doomed.exited).toBe('SIGKILL');

    await using host = await spawnHost({ home, env });
    const tools = async () => (await host.call('GET', '/api/neira/ui/tools')).body.tools;
    await expect.poll(tools, { timeout: 10_000 }).toHaveLength(1);
    const shown = async (name: string) => {
      const { body } = await host.event('show', { name });
      return body.actions?.[0].length ?? body.code;
    };
    const opened = async () =>
      Object.fromEntries(
        await Promise.all(Object.keys(SECRETS).map(async (name) => [name, await shown(name)])),
      );
    const expected = Object.fromEntries(Object.entries(SECRETS).map(([name, value]) => [name, value.length]));
    expect(await opened()).toEqual(expected);
    for (const left of ['secrets.key.next', 'secrets.key.previous'])
      expect([left, existsSync(path.join(home, left))]).toEqual([left, false]);
    expect((await host.call('POST', '/api/neira/secrets/rotate-key')).status).toBe(200);
    expect(await opened()).toEqual(expected);
  },
  TEST_MS,
);
