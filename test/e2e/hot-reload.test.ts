import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { bootHost, SCRIPT_GATES, type TestHost } from '../kit/boot-host.ts';
import {
  actionsOf,
  answering,
  manifestOf,
  reloadsOf,
  type SavedPlugin,
  savedPlugin,
  sleep,
} from './saved-plugin.ts';

// HOST-07, HOST-16, HOST-35: saving a file makes the new version live, however it is saved.

let host: TestHost;
let plugin: SavedPlugin;

beforeAll(async () => {
  host = await bootHost({ gates: SCRIPT_GATES });
});
afterAll(() => host.close());
beforeEach(async () => {
  plugin = savedPlugin(() => host);
  expect((await plugin.register()).status).toBe(201);
  expect(await plugin.serves()).toBe(1);
});
afterEach(async () => {
  await host.call('DELETE', `/api/neira/plugins/${plugin.id}?data=drop`);
  plugin.remove();
});

/** What was saved serves in the end, by exactly one reload, and the old version served until then. */
async function oneReload(save: () => unknown, expected: unknown = 2): Promise<void> {
  const seen = new Set<unknown>();
  let saved = false;
  const traffic = (async () => {
    while (!saved) seen.add(await plugin.serves());
  })();
  await save();
  await plugin.becomes(expected);
  saved = true;
  await traffic;
  // Whatever else the watcher saw of this save has been looked at by then.
  await sleep(300);
  expect(await plugin.serves()).toEqual(expected);
  expect([...seen].filter((v) => v !== 1 && v !== expected)).toEqual([]);
  expect(await reloadsOf(host, plugin.id)).toBe(1);
  expect((await plugin.detail()).last_error).toBe(undefined);
  expect(await actionsOf(host, plugin.id)).toEqual(['plugin.registered', 'plugin.reloaded']);
}

describe('every way in which an editor saves is one reload of the whole file', () => {
  test('in place', () => oneReload(() => plugin.save('main.ts', answering(2))));

  test.each([1, 10, 50, 120])('truncated, and written %i ms later', (gapMs) =>
    oneReload(async () => {
      truncateSync(plugin.main);
      await sleep(gapMs);
      writeFileSync(plugin.main, answering(2));
    }),
  );

  test('to a temporary file that is renamed, eight times', async () => {
    for (let v = 2; v <= 9; v++) {
      writeFileSync(plugin.file('.main.ts.tmp'), answering(v));
      renameSync(plugin.file('.main.ts.tmp'), plugin.main);
      await plugin.becomes(v);
      await sleep(60);
    }
    expect(await reloadsOf(host, plugin.id)).toBe(8);
  });

  test('to a temporary file of an unusual name, renamed', () =>
    oneReload(() => {
      writeFileSync(plugin.file('main.ts.12345'), answering(2));
      renameSync(plugin.file('main.ts.12345'), plugin.main);
    }));

  test('to a file elsewhere that is moved in', () =>
    oneReload(() => {
      const elsewhere = `${plugin.folder}.new`;
      writeFileSync(elsewhere, answering(2));
      renameSync(elsewhere, plugin.main);
    }));

  test.each([0, 20, 80])('vim with backup, %i ms between its steps', (gapMs) =>
    oneReload(async () => {
      renameSync(plugin.main, `${plugin.main}~`);
      await sleep(gapMs);
      writeFileSync(plugin.main, answering(2));
      await sleep(gapMs);
      rmSync(`${plugin.main}~`);
    }),
  );

  const vim = ['/usr/bin/vim', '/usr/bin/vim.basic', '/usr/bin/vim.tiny'].find((each) => existsSync(each));
  test.skipIf(!vim).each(['backupcopy=no', 'backupcopy=yes'])('the real vim, backup and %s', (copy) =>
    oneReload(() =>
      execFileSync(
        vim!,
        [
          '-u',
          'NONE',
          '-es',
          '-c',
          'set backup writebackup',
          '-c',
          `set ${copy}`,
          '-c',
          '%s/v: 1/v: 2/',
          '-c',
          'wq',
          plugin.main,
        ],
        { stdio: 'ignore' },
      ),
    ),
  );

  test('the same content written again is no reload', async () => {
    plugin.save('main.ts', answering(1));
    await sleep(300);
    expect(await actionsOf(host, plugin.id)).toEqual(['plugin.registered']);
  });
});

describe('a file that is written in pieces is one reload of all of it', () => {
  const whole = answering(2, 400);
  const cases = {
    'no valid syntax': whole.indexOf('return'),
    'in the middle of a line, but valid': whole.indexOf('of what makes', whole.indexOf('handle')),
    'in the middle of a comment before all code': whole.indexOf('of what makes'),
  };
  for (const [what, at] of Object.entries(cases)) {
    test.each([30, 60, 100])(`the first piece is ${what}, the rest %i ms later`, (gapMs) =>
      oneReload(async () => {
        writeFileSync(plugin.main, whole.slice(0, at));
        await sleep(gapMs);
        appendFileSync(plugin.main, whole.slice(at));
      }),
    );
  }

  test('a first piece that is a whole program may serve for a moment, the whole file serves in the end', async () => {
    const first = `${answering('first')}\n`;
    writeFileSync(plugin.main, first);
    await sleep(60);
    appendFileSync(plugin.main, 'export function prepare() {}\n');
    await plugin.becomes('first');
    await sleep(400);
    expect((await plugin.detail()).last_error).toBe(undefined);
    expect(await reloadsOf(host, plugin.id)).toBeLessThanOrEqual(2);
    const reloaded = await host.call('POST', `/api/neira/plugins/${plugin.id}/reload`);
    // The folder's digest was served already: the version is the same.
    expect(reloaded.body.versions.length).toBe(1 + (await reloadsOf(host, plugin.id)) - 1);
  });
});

describe('several files', () => {
  const importing =
    "import { v } from './v.ts';\nexport function handle() {\n  return { actions: [{ type: 'v', v }] };\n}\n";

  test('the file that imports is saved before the file that is imported', () =>
    oneReload(async () => {
      plugin.save('main.ts', importing);
      await sleep(60);
      plugin.save('v.ts', 'export const v = 2;\n');
    }));

  test('both together, in a folder of their own', () =>
    oneReload(() => {
      plugin.save('lib/deep/v.ts', 'export const v = 2;\n');
      plugin.save('main.ts', importing.replace('./v.ts', './lib/deep/v.ts'));
    }));

  test('manifest and code together', async () => {
    await oneReload(() => {
      plugin.save(
        'manifest.yaml',
        manifestOf(plugin.id, 'entry: other.ts\n', '2.0.0').replace('entry: main.ts\n', ''),
      );
      plugin.save('other.ts', answering(2));
    });
    expect((await plugin.detail()).version).toBe('2.0.0');
  });

  test('the manifest some time before the code that it names', () =>
    oneReload(async () => {
      plugin.save('manifest.yaml', manifestOf(plugin.id).replace('main.ts', 'other.ts'));
      await sleep(80);
      plugin.save('other.ts', answering(2));
    }));

  test('a whole folder replaced by another', () =>
    oneReload(async () => {
      const next = `${plugin.folder}-next`;
      mkdirSync(next);
      writeFileSync(path.join(next, 'manifest.yaml'), manifestOf(plugin.id));
      writeFileSync(path.join(next, 'main.ts'), answering(2));
      rmSync(plugin.folder, { recursive: true });
      renameSync(next, plugin.folder);
    }));
});

test('ten saves in a second end on the last', async () => {
  for (let v = 2; v <= 11; v++) {
    plugin.save('main.ts', answering(v));
    await sleep(90);
  }
  await plugin.becomes(11);
  await sleep(300);
  expect(await plugin.serves()).toBe(11);
  expect(await reloadsOf(host, plugin.id)).toBeLessThanOrEqual(10);
});

test('a burst of saves without a pause ends on the last', async () => {
  for (let v = 2; v <= 300; v++) plugin.save('main.ts', answering(v));
  await plugin.becomes(300);
  await sleep(300);
  expect(await plugin.serves()).toBe(300);
});

test('a reload that is asked for boots anew also when nothing changed', async () => {
  expect((await host.call('POST', `/api/neira/plugins/${plugin.id}/reload`)).status).toBe(200);
  expect(await reloadsOf(host, plugin.id)).toBe(1);
  expect((await plugin.detail()).versions).toHaveLength(1);
  await sleep(300);
  expect(await actionsOf(host, plugin.id)).toEqual(['plugin.registered', 'plugin.reloaded']);
});

test('an import through a link out of the folder is refused, and the old version serves on', async () => {
  const outside = `${plugin.folder}-outside.ts`;
  writeFileSync(outside, 'export const v = 2;\n');
  symlinkSync(outside, plugin.file('v.ts'));
  plugin.save(
    'main.ts',
    "import { v } from './v.ts';\nexport const handle = () => ({ actions: [{ type: 'v', v }] });\n",
  );
  expect(await plugin.fails('NEIRA_SOURCE_REFUSED')).toMatchObject({
    message: expect.stringContaining('`v.ts`: it is a link that leaves the folder'),
  });
  expect(await plugin.serves()).toBe(1);
  rmSync(outside);
});

// The goal of 40 ms is measured by the bench; here the tests of others run beside it.
test('a plain save does not wait for the rest that a doubtful one is given', async ({ annotate }) => {
  const took: number[] = [];
  for (let v = 2; v <= 21; v++) {
    const from = performance.now();
    plugin.save('main.ts', answering(v));
    while ((await plugin.serves()) !== v) await sleep(1);
    took.push(performance.now() - from);
    await sleep(30);
  }
  const p50 = took.sort((a, b) => a - b)[10]!;
  expect(p50).toBeLessThan(200);
  await annotate(`save → live p50 ${p50.toFixed(1)} ms, worst ${took.at(-1)!.toFixed(1)} ms`);
});

test('no event is lost under traffic across 20 reloads, and none runs on a version that was replaced before it came', async () => {
  let going = true;
  let reached = 1;
  const lane = async (context: number) => {
    let last = 1;
    let count = 0;
    while (going) {
      const floor = reached;
      const body = { tool_id: plugin.id, event: `${plugin.id}.go`, params: {}, context: { n: `${context}` } };
      const { status, body: answer } = await host.call('POST', '/api/neira/ui/events', body);
      expect([status, answer]).toEqual([200, expect.objectContaining({ mode: 'executed' })]);
      const { v } = answer.actions[0];
      expect(v).toBeGreaterThanOrEqual(floor);
      expect(v).toBeGreaterThanOrEqual(last);
      last = v;
      count++;
    }
    return count;
  };
  const lanes = Array.from({ length: 6 }, (_, context) => lane(context));
  for (let v = 2; v <= 21; v++) {
    plugin.save('main.ts', answering(v));
    await plugin.becomes(v);
    reached = v;
  }
  going = false;
  const sent = (await Promise.all(lanes)).reduce((sum, count) => sum + count, 0);
  const { events } = (await host.call('GET', `/api/neira/events?subject=${plugin.id}.go&limit=1000`)).body;
  expect(events.length).toBeGreaterThanOrEqual(Math.min(sent, 1000));
  expect(await reloadsOf(host, plugin.id)).toBe(20);
});

test('a turn that has begun finishes on its version while new ones use the new', async () => {
  const slow = (v: number) =>
    `export function handle() { let n = 0; for (let i = 0; i < 4e6; i++) n += i; return { actions: [{ type: 'v', v: ${v}, n }] }; }\n`;
  plugin.save('manifest.yaml', manifestOf(plugin.id, 'limits: {turn_ms: 5000, cpu_ms: 2000}\n'));
  plugin.save('main.ts', slow(2));
  await plugin.becomes(2);
  const running = plugin.serves();
  plugin.save('main.ts', answering(3));
  expect(await running).toBe(2);
  await plugin.becomes(3);
});
