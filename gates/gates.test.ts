import { describe, expect, test } from 'vitest';
import {
  findClash,
  findGate,
  type GateDeclaration,
  matchPhrase,
  missingRequirements,
  promotionSignals,
  type Stage,
} from './gates.ts';

const text = (word: string) => ({ en: word, ru: word });
const gate = (id: string, given: Partial<GateDeclaration> = {}): GateDeclaration => ({
  id,
  aliases: [],
  title: text(id),
  initial: 'locked',
  requires: [],
  opens: text(id),
  promotion: {
    experimental: [{ manual: text('wanted') }],
    stable: [
      { signal: 'turns', min: 10 },
      { signal: 'failures_percent', max: 1 },
    ],
  },
  phrases: { ru: [], en: [] },
  ...given,
});

const scripting = gate('runtime_scripting', {
  aliases: ['runtime_scripting_rhai'],
  phrases: { ru: ['разреши скрипты'], en: ['allow scripts'] },
});
const pencil = gate('annotations_pencil', {
  phrases: { ru: ['открой карандаш', 'дай ещё карандаш'], en: ['open the pencil'] },
});
const all = [scripting, pencil];

test('a gate is found by id and by its former name', () => {
  //
  expect(findGate('runtime_scripting_rhai', all)?.id).toBe('runtime_scripting');
  expect(findGate('annotations_pencil', all)).toBe(pencil);
  expect(findGate('constructor', all)).toBeUndefined();
});

describe('phrases open gates (HOST-43)', () => {
  test.each([
    ['открой карандаш', 'annotations_pencil'],
    ['  Открой,  КАРАНДАШ!! ', 'annotations_pencil'],
    ['дай еще карандаш', 'annotations_pencil'],
    ['дай ещё карандаш.', 'annotations_pencil'],
    ['«Разреши скрипты»', 'runtime_scripting'],
    ['Allow scripts', 'runtime_scripting'],
  ])('%s', (said, id) => {
    expect(matchPhrase(said, all)).toMatchObject({ match: 'exact', gate: { id } });
  });

  test.each([
    ['never open the pencil'],
    ['открой карандаш и скрипты'],
    ['карандаш'],
    [''],
    ['!!!'],
    ['x'.repeat(100_000)],
  ])('%.40s opens nothing', (said) => {
    expect(matchPhrase(said, all).match).toBe('none');
  });

  test('the nearest phrase is suggested', () => {
    expect(matchPhrase('открой карандш', all)).toEqual({
      match: 'none',
      suggestions: [{ gate: 'annotations_pencil', phrase: 'открой карандаш' }],
    });
    expect(matchPhrase('погода в Берлине завтра', all)).toEqual({ match: 'none', suggestions: [] });
  });

  test('a phrase that two gates claim opens neither, and the clash is found beforehand', () => {
    const thief = gate('thief', { phrases: { ru: ['Разреши скрипты!'], en: [] } });
    expect(matchPhrase('разреши скрипты', [...all, thief]).match).toBe('none');
    expect(findClash(thief, all)).toEqual({
      what: 'phrase',
      value: 'разреши скрипты',
      gate: 'runtime_scripting',
    });
    expect(findClash(gate('runtime_scripting_rhai'), all)).toMatchObject({
      what: 'id',
      gate: 'runtime_scripting',
    });
    expect(findClash(gate('new'), all)).toBeUndefined();
  });
});

test.each<[Stage | undefined, 'experimental' | 'stable', boolean]>([
  [undefined, 'experimental', false],
  ['locked', 'experimental', false],
  ['experimental', 'experimental', true],
  ['stable', 'experimental', true],
  [undefined, 'stable', false],
  ['experimental', 'stable', false],
  ['stable', 'stable', true],
])('a gate at %s meets `requires: %s`: %s', (stage, needed, met) => {
  // HOST-46, X-25
  const needy = gate('needy', { requires: [{ gate: 'runtime_scripting', stage: needed }] });
  const stages = new Map(stage === undefined ? [] : [['runtime_scripting', stage]]);
  expect(missingRequirements(needy, stages)).toEqual(met ? [] : needy.requires);
});

test('signals stand beside their targets; what was not measured is not met', () => {
  // HOST-47
  expect(promotionSignals(pencil, { turns: 10, failures_percent: 2 })).toEqual([
    { stage: 'experimental', signal: 'manual', statement: text('wanted'), value: null, met: null },
    { stage: 'stable', signal: 'turns', value: 10, target: '≥ 10', met: true },
    { stage: 'stable', signal: 'failures_percent', value: 2, target: '≤ 1', met: false },
  ]);
  expect(promotionSignals(pencil, {})[2]).toMatchObject({ value: null, met: false });
});
