import { Worker } from 'node:worker_threads';
import { expect, test } from 'vitest';
import { Instance } from './instance.ts';
import { boot, pluginOf, TestCalls } from './test-instance.ts';

const STATEFUL = `
  const words = new Map(); for (let i = 0; i < 2000; i++) words.set('w' + i, { i, text: 'слово'.repeat(3) });
  let turns = 0;
  export function prepare() { words.set('prepared', { i: -1 }); }
  export function handle(n) { turns++; words.delete('w0'); return { turns, size: words.size, word: words.get('w' + n)?.text, url: new URL('/x', 'https://a').href }; }`;

const bytesOf = (buffer: SharedArrayBuffer) => Buffer.from(buffer.slice(0));

test('an instance restored from an image answers as the one that was booted', async () => {
  const { instance, bundle, guest, value } = await boot(STATEFUL);
  const restored = pluginOf(Instance.restore(instance.image, guest.polyfills), bundle, guest);
  for (let n = 1; n < 4; n++) expect(restored.value(n)).toEqual(value(n));
  expect(restored.instance.memoryBytes).toBe(instance.memoryBytes);
});

test('an image restored in another thread is the same, and its turns are', async () => {
  const { instance, guest, value } = await boot(STATEFUL);
  const source = `
    import { parentPort, workerData } from 'node:worker_threads';
    import { Instance } from ${JSON.stringify(new URL('./instance.ts', import.meta.url).href)};
    const host = { call: () => 'U', randomBytes: (n) => new Uint8Array(n), nowMs: () => 0 };
    const budget = { softFuel: 1e8, hardFuel: 1e8, wallDeadlineMs: performance.now() + 5000, maxOutputBytes: 1e6 };
    const instance = Instance.restore(workerData.image, workerData.polyfills);
    const results = [1, 2, 3].map((n) => { const result = instance.run(JSON.stringify(n), host, budget); instance.reset(); return result; });
    parentPort.postMessage({ results, pages: Buffer.from(instance.image.pages).toString('base64') });`;
  const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(source)}`), {
    workerData: { image: instance.image, polyfills: guest.polyfills },
    resourceLimits: { stackSizeMb: 10 },
  });
  const answer = await new Promise<{ results: { json: string }[]; pages: string }>((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
  });
  await worker.terminate();
  expect(answer.results.map(({ json }) => JSON.parse(json))).toEqual([1, 2, 3].map((n) => value(n)));
  expect(answer.pages).toBe(bytesOf(instance.image.pages).toString('base64'));
});

test('a turn changes nothing of the image, and a reset copies back only what it dirtied', async () => {
  const { instance } = await boot(STATEFUL);
  const before = bytesOf(instance.image.pages);
  const budget = {
    softFuel: 1e8,
    hardFuel: 1e8,
    wallDeadlineMs: performance.now() + 5000,
    maxOutputBytes: 1e6,
  };
  instance.run('5', new TestCalls(), budget);
  const dirty = instance.reset();
  expect(dirty).toBeGreaterThan(0);
  expect(dirty).toBeLessThan(before.length / 4096 / 2);
  expect(instance.reset()).toBe(0);
  expect(bytesOf(instance.image.pages).equals(before)).toBe(true);
});

test('turns that grow the memory leave an instance that is still the image', async () => {
  const { instance, value, run } = await boot(`
    let kept = [];
    export function handle(megabytes) { for (let i = 0; i < megabytes; i++) kept.push(new Uint8Array(1 << 20).fill(i + 1)); return kept.length; }`);
  const before = instance.memoryBytes;
  expect(run(20)).toEqual({ kind: 'value', json: '20' });
  expect(instance.memoryBytes).toBeGreaterThan(before);
  for (let turn = 0; turn < 3; turn++) expect(value(1)).toBe(1);
});
