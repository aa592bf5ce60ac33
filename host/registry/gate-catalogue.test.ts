import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { decide } from '../../gates/decide.ts';
import { renderCapabilities } from '../../gates/render-capabilities.ts';
import { type ErrorCode, remedyFor, describe as sentence } from '../errors.ts';
import { declareOwnGate, GATES_FILE, loadGates, parseGates } from './gate-catalogue.ts';

const gates = loadGates();
const source = readFileSync(GATES_FILE, 'utf8');

test('what a boot reads is what gates.yaml says', () => {
  expect(gates).toEqual(parseGates(source));
});

test('the gates of the source are there, and every one is born locked', () => {
  // HOST-29, HOST-30, HOST-31, HOST-32, X-24, X-25
  expect(gates.map(({ id }) => id)).toEqual([
    'runtime_scripting',
    'runtime_wasm_plugins',
    'ui_tools_registry',
    'annotations_pencil',
    'text_search',
  ]);
  expect(gates.every(({ initial }) => initial === 'locked')).toBe(true);
  expect(gates[0]!.aliases).toEqual(['runtime_scripting_rhai']);
  expect(gates[1]!.requires).toEqual([{ gate: 'runtime_scripting', stage: 'stable' }]);
});

test('CAPABILITIES.md is what gates.yaml says', () => {
  // HOST-47, X-32
  expect(readFileSync(join(GATES_FILE, '../CAPABILITIES.md'), 'utf8')).toBe(renderCapabilities(gates));
});

test.each([
  [
    'an unknown field',
    source.replace('initial: locked', 'initial: locked\n    colour: red'),
    'gates[0].colour',
  ],
  ['a gate that is born open', source.replace('initial: locked', 'initial: stable'), 'locked'],
  [
    'an id that is there twice',
    source.replace('id: ui_tools_registry', 'id: runtime_scripting'),
    'belongs to',
  ],
  ['a phrase of another gate', source.replace('открой карандаш', 'разреши скрипты'), 'belongs to'],
  [
    'a requirement that does not exist',
    source.replace('gate: ui_tools_registry', 'gate: nowhere'),
    'nowhere',
  ],
  ['broken YAML', `${source}\n  - [`, 'line'],
])('%s is refused', (_, text, word) => {
  expect(() => parseGates(text)).toThrow(
    expect.objectContaining({ code: 'NEIRA_CONFIG_INVALID', message: expect.stringContaining(word) }),
  );
});

describe('a gate that a plugin brings', () => {
  const own = {
    id: 'lab',
    title: { en: 'Lab', ru: 'Лаборатория' },
    opens: { en: 'x', ru: 'x' },
    requires: [],
    phrases: { ru: [], en: ['open the lab'] },
  };

  test('is born locked, and its requirements name gates by id', () => {
    const declared = declareOwnGate(
      { ...own, requires: [{ gate: 'runtime_scripting_rhai', stage: 'stable' }] },
      gates,
    );
    expect(declared).toMatchObject({
      initial: 'locked',
      requires: [{ gate: 'runtime_scripting', stage: 'stable' }],
    });
  });

  test('must not take the name or a phrase of another, nor require what does not exist', () => {
    const code = (run: () => unknown) => {
      try {
        run();
        return undefined;
      } catch (error) {
        return (error as { code: string }).code;
      }
    };
    expect(code(() => declareOwnGate({ ...own, id: 'runtime_scripting_rhai' }, gates))).toBe(
      'NEIRA_CONFLICT',
    );
    expect(code(() => declareOwnGate({ ...own, phrases: { ru: [], en: ['Allow scripts!'] } }, gates))).toBe(
      'NEIRA_CONFLICT',
    );
    expect(
      code(() => declareOwnGate({ ...own, requires: [{ gate: 'nowhere', stage: 'stable' }] }, gates)),
    ).toBe('NEIRA_MANIFEST_INVALID');
  });
});

test('what decide() answers fills the sentences of the error catalogue', () => {
  const locked = { id: 'runtime_scripting', stage: 'locked' } as const;
  const delivery = {
    about: 'delivery',
    source: 'ui',
    gates: [],
    writes: true,
    mode: 'safe',
    caller: 'write',
    dryRun: false,
  } as const;
  const change = { about: 'change', mode: 'normal', caller: 'admin' } as const;
  const plugin = (state: 'enabled' | 'disabled' | 'quarantined') => ({ plugin: { id: 'demo', state } });
  const call = {
    about: 'call',
    plugin: 'demo',
    permission: 'storage.read',
    asked: false,
    granted: false,
    gate: locked,
    mode: 'normal',
    caller: 'write',
  } as const;
  const decisions = [
    decide({ ...delivery, caller: 'read' }),
    decide({ ...delivery, gates: [locked] }),
    decide({ ...delivery, ...plugin('enabled') }),
    decide({ ...delivery, ...plugin('disabled') }),
    decide({ ...delivery, ...plugin('quarantined') }),
    decide(call),
    decide({ ...change, operation: 'enable', gate: locked }),
    decide({ ...change, operation: 'enable', mode: 'safe' }),
    decide({ ...change, operation: 'gate.open', gate: locked, missing: [{ gate: 'x', stage: 'stable' }] }),
  ];
  for (const { code, details } of decisions) {
    expect(sentence(code as ErrorCode, details!)).not.toMatch(/\{\w+\}/);
    expect(remedyFor(code as ErrorCode, details!)).not.toMatch(/\{\w+\}/);
  }
});
