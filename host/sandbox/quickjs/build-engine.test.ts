import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { buildEngine, engineRecord } from './build-engine.ts';

const beside = (name: string) => readFileSync(path.join(import.meta.dirname, name));

// HOST-06
describe('engine.wasm', () => {
  test('is what was built last, of this program and the pinned packages', () => {
    const recorded = JSON.parse(beside('engine.built.json').toString()) as unknown;
    const again = 'build it again: node host/sandbox/quickjs/build-engine.ts';
    expect(recorded, again).toEqual(engineRecord(beside('engine.wasm')));
  });

  // A minute of work, the same as long as the record above holds: `npm run test:long`.
  test.runIf(process.env['REBUILD_ENGINE'])(
    'is exactly what build-engine.ts makes of them',
    () => {
      expect(engineRecord(buildEngine())).toEqual(engineRecord(beside('engine.wasm')));
    },
    300_000,
  );
});
