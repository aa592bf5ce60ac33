import { describe, expect, test } from 'vitest';
import { Confidential } from './confidential.ts';

const PERSON = { name: 'Ada Lovelace', phones: [79161234567] };

function marked(value: unknown): Confidential {
  const confidential = new Confidential();
  confidential.mark(value);
  return confidential;
}

// MEM-04
describe('marks of what is personal', () => {
  test.each<[string, unknown, string[]]>([
    ['the text itself', 'Ada Lovelace', ['']],
    ['a text that holds it', { note: ['of Ada Lovelace!'] }, ['/note/0']],
    ['a number', { tel: 79161234567 }, ['/tel']],
    ['a name of a field, which has no place of its own', { by: { 'Ada Lovelace': 1 } }, ['/by']],
    ['names that need escaping', { 'a/b~c': 'Ada Lovelace' }, ['/a~1b~0c']],
  ])('point to %s', (_what, value, pointers) => {
    expect(JSON.parse(marked(PERSON).marksOf(JSON.stringify(value))!)).toEqual(pointers);
  });

  test('are none where nothing is personal, or where nothing was marked', () => {
    expect(marked(PERSON).marksOf('{"a":"somebody"}')).toBeUndefined();
    expect(new Confidential().marksOf(JSON.stringify(PERSON))).toBeUndefined();
  });

  test('name the key that something is stored under', () => {
    const marks = marked(PERSON).marksOf('1', 'by/Ada Lovelace')!;
    const reader = new Confidential();
    reader.markAt('1', marks, 'by/Ada Lovelace');
    expect(reader.mask('read by/Ada Lovelace')).toBe('read [personal]');
  });

  test('bind whoever reads them to what they point to, and to nothing beside it', () => {
    const json = JSON.stringify({ a: { of: 'Ada Lovelace' }, b: 'public words' });
    const reader = new Confidential();
    reader.markAt(json, marked(PERSON).marksOf(json)!);
    expect(reader.mask('Ada Lovelace said public words')).toBe('[personal] said public words');
  });

  test('of many places become one of the whole', () => {
    const many = JSON.stringify(Array.from({ length: 100 }, () => 'Ada Lovelace'));
    expect(marked(PERSON).marksOf(many)).toBe('[""]');
    expect(marked(PERSON).marked({}, many)).toEqual({ pii: '["/payload"]' });
  });

  test.each(['no JSON', '{}', '[1]', '["/nowhere/at/all", ""]'])('that say %s bind to all of it', (marks) => {
    const reader = new Confidential();
    reader.markAt('{"deep":["Ada Lovelace"]}', marks);
    expect(reader.mask('Ada Lovelace')).toBe('[personal]');
  });

  test('a turn that knows too much of it tells nothing any more', () => {
    const confidential = marked(Array.from({ length: 1001 }, (_, n) => `person ${n}`));
    expect(confidential.personal).toBe('all');
    expect(confidential.mask('a line of nobody')).toBe('[personal]');
    const error = {
      code: 'NEIRA_PLUGIN_FAILED',
      message: 'words',
      details: { reason: 'words' },
      stack: 'at words',
    };
    expect(JSON.stringify(confidential.maskError(error, 'demo'))).not.toContain('words');
    expect(confidential.marksOf('"of nobody"')).toBe('[""]');
  });

  test('texts of one or two letters are nobody’s', () => {
    expect(marked(['a', 'Bo', 'Eva']).mask('a Bo Eva Evangeline')).toBe('a Bo [personal] Evangeline');
  });
});

describe('a secret that the turn was shown', () => {
  const confidential = new Confidential();
  confidential.answered({ op: 'secret.reveal', args: { what: 'pin', name: 'pin' } as never }, 'V"swordfish"');

  test('is found in whatever would leave, in a name of a field too', () => {
    for (const value of ['swordfish', { a: [{ b: 'c3dvcmRmaXNo' }] }, { swordfish: 1 }])
      expect(() => confidential.requireNone('demo', 'the reply', value)).toThrow(
        expect.objectContaining({ code: 'NEIRA_SECRET_LEAK' }),
      );
    expect(() => confidential.requireNone('demo', 'the reply', { a: 'sword', b: 'fish' })).not.toThrow();
  });

  test('is data of nobody: it leaves no mark', () => {
    expect([confidential.hasPersonal, confidential.marksOf('"swordfish"')]).toEqual([false, undefined]);
  });
});
