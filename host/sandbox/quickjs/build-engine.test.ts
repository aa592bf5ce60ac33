import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { buildEngine } from './build-engine.ts';

const digest = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

// HOST-06
test('engine.wasm is exactly what build-engine.ts makes of the pinned package', () => {
  const checkedIn = readFileSync(path.join(import.meta.dirname, 'engine.wasm'));
  expect(digest(buildEngine())).toBe(digest(checkedIn));
}, 300_000);
