/** `plugins/index.json` is for reading: whatever is in it at boot, the store is the truth (HOST-15). */
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { SCRIPT_GATES, spawnHost } from '../kit/boot-host.ts';

const SOURCE = 'export function handle() { return { actions: [{ fine: 1 }] }; }';
const EVENT = { tool_id: 'good', event: 'good.event', params: {}, context: {} };

let home: string;
let right: string;
const file = () => path.join(home, 'plugins', 'index.json');

beforeAll(async () => {
  home = mkdtempSync(path.join(tmpdir(), 'neira-hostile-'));
  const host = await spawnHost({ home });
  try {
    await host.open(...SCRIPT_GATES);
    const ui = { buttons: [{ id: 'good', title: 'Good', event: 'good.event' }] };
    expect(await host.script({ id: 'good', ui }, SOURCE)).toMatchObject({ status: 201 });
  } finally {
    await host.close();
  }
  right = readFileSync(file(), 'utf8');
});
afterAll(() => rmSync(home, { recursive: true, force: true }));

const ODD: Readonly<Record<string, () => string | Buffer>> = {
  'torn in the middle': () => right.slice(0, right.length / 2),
  empty: () => '',
  zeros: () => Buffer.alloc(4096),
  'no JSON': () => '{"plugins": [}',
  'another shape': () => '[1, 2, 3]',
  null: () => 'null',
  'nesting without end': () => '['.repeat(1_000_000),
  'a plugin that nobody registered': () =>
    JSON.stringify({
      plugins: [
        ...JSON.parse(right).plugins,
        { ...JSON.parse(right).plugins[0], id: 'evil', path: '/tmp/evil' },
      ],
    }),
  'a plugin with another folder': () => right.replace(/"path": "[^"]*"/, '"path": "/etc"'),
  'a plugin switched off': () => right.replace('"enabled"', '"disabled"'),
  'keys named __proto__': () => '{"__proto__": {"polluted": true}, "plugins": []}',
};

for (const [what, content] of Object.entries(ODD)) {
  test(`an index with ${what} is set aside, journaled and written anew, and the plugin serves`, async () => {
    const before = readdirSync(path.dirname(file()));
    writeFileSync(file(), content());
    const host = await spawnHost({ home });
    try {
      expect(await host.call('POST', '/api/neira/ui/events', EVENT)).toMatchObject({
        status: 200,
        body: { actions: [{ fine: 1 }] },
      });
      const { body } = await host.call('GET', '/api/neira/plugins');
      expect(body.plugins.map(({ id, state }: { id: string; state: string }) => [id, state])).toEqual([
        ['good', 'enabled'],
      ]);
      expect(readFileSync(file(), 'utf8')).toBe(right);
      const aside = readdirSync(path.dirname(file())).filter((name) => !before.includes(name));
      expect(aside).toEqual([expect.stringMatching(/^index\.json\.set-aside-\d+/)]);
      expect(readFileSync(path.join(path.dirname(file()), aside[0]!))).toEqual(Buffer.from(content()));
      const journal = await host.call('GET', '/api/neira/journal?limit=1000');
      expect(JSON.stringify(journal.body)).toContain(aside[0]);
    } finally {
      await host.close();
    }
  });
}

test('an index that is a link to a file outside leaves that file alone', async () => {
  const outside = path.join(home, '..', `${path.basename(home)}-outside.json`);
  writeFileSync(outside, 'not yours');
  rmSync(file());
  symlinkSync(outside, file());
  const host = await spawnHost({ home });
  try {
    expect(await host.call('POST', '/api/neira/ui/events', EVENT)).toMatchObject({ status: 200 });
    expect(readFileSync(outside, 'utf8')).toBe('not yours');
    expect(readFileSync(file(), 'utf8')).toBe(right);
  } finally {
    await host.close();
    rmSync(outside);
  }
});

test('an index that is gone is written anew', async () => {
  rmSync(file());
  const host = await spawnHost({ home });
  expect(existsSync(file())).toBe(true);
  expect(readFileSync(file(), 'utf8')).toBe(right);
  await host.close();
});
