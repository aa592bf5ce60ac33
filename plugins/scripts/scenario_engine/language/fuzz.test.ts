// SCN-17: whatever an author writes, it is answered.
import { expect, test } from 'vitest';
import { readScenario } from './read.ts';

const SEED = Number(process.env['LANGUAGE_SEED'] ?? Date.now() % 1_000_000);
test(`whatever text it is given, it answers and never throws (LANGUAGE_SEED=${SEED})`, () => {
  let state = SEED;
  const random = (n: number) => {
    state = (state * 1_103_515_245 + 12_345) & 0x7fff_ffff;
    return state % n;
  };
  const good = `id: t\nmode: queued\ntriggers: [{event: a.b, ctx: {x: '\${event.id}'}}]\nsteps:\n  - {name: a, call: a.b, with: {n: '\${ctx.n + 1}'}, retries: {max: 2, backoff: 1s}}\n  - loop: {for: '\${ctx.l}', as: d, steps: [{log: 'x \${d}'}]}\n  - wait: {event: c.d, correlate: {payload.a: '\${bag.a}'}}\n`;
  const odd = [
    '{',
    '}',
    '[',
    ']',
    ':',
    '-',
    '\n',
    '  ',
    '${',
    '"',
    "'",
    '&a',
    '*a',
    '#',
    '|',
    'null',
    '1e9',
    '\u0000',
    'ё',
    ': :',
  ];
  for (let round = 0; round < 600; round += 1) {
    let text = good;
    for (let change = 0; change <= random(4); change += 1) {
      const at = random(text.length);
      const cut = random(6);
      text = text.slice(0, at) + odd[random(odd.length)]! + text.slice(at + cut);
    }
    const result = readScenario({ files: { 'scenario.yaml': text }, entry: 'scenario.yaml' });
    if (result.ok) continue;
    expect(result.problems.length, text).toBeGreaterThan(0);
    for (const { line, column, message } of result.problems) {
      expect(line).toBeGreaterThan(0);
      expect(column).toBeGreaterThan(0);
      expect(message).not.toBe('');
    }
  }
});
