import { Environment } from '@marcbachmann/cel-js';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { compileFilter, MAX_FILTER_CHARS } from './filter.ts';

const EVENT = {
  event_name: 'weather.report.received',
  version: 1,
  headers: { locale: 'de' },
  payload: JSON.parse(`{
    "city": "Berlin", "n": 5, "half": 2.5, "zero": 0, "on": true, "off": false, "nothing": null, "text": "",
    "list": ["a", "b"], "numbers": [1, 2], "deep": {"x": {"y": 1}}, "same": {"x": {"y": 1}},
    "constructor": "Cooper", "emoji": "😀ä", "big": 9007199254740993
  }`),
};

const matchesEvent = (text: string) => compileFilter(text).matches(EVENT);

/** The position and the reason with which a text is refused. */
function refusal(text: string): { readonly position: unknown; readonly reason: unknown } {
  try {
    compileFilter(text);
  } catch (error) {
    expect(error).toMatchObject({ code: 'NEIRA_VALUE_INVALID', details: { what: 'filter' } });
    const { position, reason } = (error as { details: Record<string, unknown> }).details;
    return { position, reason };
  }
  throw new Error(`${text} was not refused`);
}

// BUS-51
test.each([
  '$.payload.city == "Berlin"',
  "$['payload']['city'] == 'Berlin'",
  'event.payload.city == "Berlin" && event.headers.locale == "de"',
  'event.event_name.startsWith("weather.")',
  'event.event_name.endsWith(".received") && event.event_name.contains("report")',
  '"$.payload" != $.payload.city && "it is $.x" == "it is " + "$.x"',
  `'$.a' == "$.a" && r"$.a\\d" == "$.a\\\\d" && """a"$.b""" == 'a"$.b'`,
  '$.payload.on // && $.payload.off',
  'has($.payload.city) && !has($.payload.town)',
  'has(event.payload.nothing) && event.payload.nothing == null',
  '$.payload.n > 4 && $.payload.n >= 5 && $.payload.n < 5.5 && $.payload.n <= 5 && $.payload.n == 5',
  '$.payload.n == 5.0 && $.payload.half == 2.5 && $.payload.n != 6',
  '$.payload.n in [1, 5] && !($.payload.n in [1, 2])',
  '$.payload.n + 1 == 6 && $.payload.n % 2 == 1 && $.payload.n / 2 == 2.5 && -$.payload.n == 0 - 5',
  '5 / 2 == 2 && size($.payload.list) / 2 == 1 && 5.0 / 2.0 == 2.5',
  '"a" in $.payload.list && 2 in $.payload.numbers && "city" in $.payload',
  '$.payload.list == ["a", "b"] && $.payload.deep == $.payload.same',
  '$.payload.list[0] == "a" && $.payload.list + ["c"] == ["a", "b", "c"]',
  'size($.payload.emoji) == 2 && $.payload.list.size() == 2 && size($.payload.deep) == 1',
  'int("7") == 7 && int(2.9) == 2 && double("1e3") == 1000 && string($.payload.n) == "5"',
  '$.payload.city.lowerAscii() == "berlin" && " a ".trim() == "a" && "aä".upperAscii() == "Aä"',
  '$.payload.city.matches("^B[a-z]+$")',
  '$.payload.on ? $.payload.n == 5 : false',
  '$.payload.missing == 1 || $.payload.on',
  '!($.payload.off && $.payload.missing == 1)',
  '$.payload.city == 5 || $.payload.city != 5',
  '$.payload.big == 9007199254740993',
])('%s matches', (text) => {
  expect(matchesEvent(text)).toBe(true);
});

test.each([
  '$.payload.missing == "Berlin"',
  '$.payload.missing != "Berlin"',
  '!has($.payload.missing.x)',
  '$.payload.city > 5',
  '$.payload.city',
  '$.payload.n',
  '!$.payload.n',
  '$.payload.n && $.payload.on',
  '$.payload.off || $.payload.missing',
  '$.payload.missing ? true : true',
  '$.payload.list[2] == "c" || $.payload.list[-1] == "b" || $.payload.list["0"] == "a"',
  '$.payload.list.x == 1',
  '"Berlin" in $.payload.city',
  '$.payload.n / $.payload.city == 1',
  '$.payload.n % $.payload.zero == 0',
  '1 / 0 == 1',
  '-$.payload.city == "x"',
  '$.payload.city + 1 == "Berlin1"',
  'int("7.5") == 7 || int("") == 0 || double("") == 0.0 || double("0x10") == 16.0',
  'string($.payload.list) == "a,b"',
  '$.payload.n.startsWith("5")',
  '$.payload.n.matches("5")',
])('%s does not match and does not throw', (text) => {
  expect(matchesEvent(text)).toBe(false);
});

test('whatever is no envelope matches nothing that reads a field', () => {
  const filter = compileFilter('event.payload.city == "Berlin"');
  for (const value of [undefined, null, 5, 'text', [], {}, { payload: undefined }, () => 0])
    expect(filter.matches(value)).toBe(false);
});

describe('what is refused', () => {
  test.each([
    ['', 1, 'EOF'],
    ['event.payload.n >', 18, 'EOF'],
    ['event.payload.city == "Berlin', 23, 'Unterminated'],
    ['$.payload.n > 1 && $.payload.n ! 2', 32, ''],
    ['$.payload.n == 1 && city == "x"', 21, 'event.payload.city'],
    ['true && $', 9, '$'],
    ['a$.b', 2, '$'],
    ['event.payload.n + 1 == 2 ? 1 : 2', 1, 'true or false'],
    ['"text"', 1, 'true or false'],
    ['[true]', 1, 'true or false'],
    ['size(event.payload)', 1, 'true or false'],
    ['true && "x"', 9, 'true or false'],
    ['b"x" == b"x"', 1, 'bytes'],
    ['event.payload.n == 1u', 20, 'unsigned'],
    ['{"a": 1} == event.payload', 1, 'not for filters'],
    ['event.payload.list.exists(x, x == "a")', 1, '"x" in event.payload.list'],
    ['event.payload.list.all(x, x == "a")', 1, 'handle()'],
    ['event.payload.list.map(x, x) == []', 1, 'handle()'],
    ['event.payload.list.filter(x, true) == []', 1, 'handle()'],
    ['event.payload.list.exists_one(x, true)', 1, 'handle()'],
    ['cel.bind(x, "a", x + x == "aa")', 1, 'not a function of filters'],
    ['timestamp(event.ts) == timestamp("2026-01-01T00:00:00Z")', 1, 'not a function of filters'],
    ['event.payload.list.join(",") == "a"', 1, 'not a function of filters'],
    ['event.payload.toString() == "a"', 1, 'not a function of filters'],
    ['constructor(event.payload)', 1, 'not a function of filters'],
    ['has(event.payload["n"])', 1, 'has(event.payload.city)'],
    ['size(1, 2) == 1', 1, 'one value'],
    ['event.payload.city.contains("a", "b")', 1, 'one text'],
    ['event.payload.city.matches(event.payload.pattern)', 1, 'in quotes'],
    ['event.payload.city.matches("(?=a)")', 28, 'linear'],
    ['event.payload.city.matches("(a)\\\\1")', 28, 'linear'],
    ['event.payload.city.matches("a{600}") && event.payload.city.matches("b{600}")', 68, 'too large'],
    [`true${' '.repeat(MAX_FILTER_CHARS)}`, MAX_FILTER_CHARS + 1, 'longer'],
    [Array(120).fill('true').join('||'), expect.any(Number), '200 parts'],
    [`${'('.repeat(30)}true${')'.repeat(30)}`, expect.any(Number), 'nested deeper'],
    [`${'!'.repeat(900)}true`, expect.any(Number), '200 parts'],
    [`event${'.a'.repeat(30)} == 1`, expect.any(Number), 'nested deeper'],
  ])('%s', (text, position, reason) => {
    expect(refusal(text)).toEqual({ position, reason: expect.stringContaining(reason) });
  });
});

describe('hostile events and filters', () => {
  test('names of what JavaScript adds to objects reach nothing, and own fields of that name are read', () => {
    for (const name of ['constructor', '__proto__', 'toString', 'hasOwnProperty', 'prototype', 'length']) {
      for (const holder of ['event', 'event.headers', 'event.payload.list', 'event.payload.city']) {
        for (const text of [
          `${holder}["${name}"] != 1`,
          `"${name}" in ${holder}`,
          `has(${holder}.${name})`,
        ]) {
          const { headers, payload, event_name } = EVENT;
          const reached = (() => {
            try {
              return compileFilter(text).matches({ headers, payload, event_name });
            } catch (error) {
              // The language reserves some of the names.
              expect(error).toMatchObject({ code: 'NEIRA_VALUE_INVALID' });
              return false;
            }
          })();
          expect([text, reached]).toEqual([text, false]);
        }
      }
    }
    expect(matchesEvent('event.payload.constructor == "Cooper" && event.payload.n == 5')).toBe(true);
    const polluting = JSON.parse('{"payload": {"__proto__": {"admin": true}}}');
    expect(compileFilter('event.payload.admin == true').matches(polluting)).toBe(false);
    expect(compileFilter('event.payload["__proto__"].admin').matches(polluting)).toBe(true);
    expect(({} as { admin?: unknown }).admin).toBeUndefined();
  });

  /** As many of `part` as a filter may have. */
  const many = (part: string, between: string) => {
    for (let count = 90; count > 0; count--) {
      const text = Array(count).fill(part).join(between);
      try {
        return compileFilter(text);
      } catch {}
    }
    throw new Error(`${part} is no filter`);
  };
  const long = 'a'.repeat(120_000);
  const wide = Object.fromEntries(Array.from({ length: 10_000 }, (_, index) => [`k${index}`, index]));
  const nested = () => JSON.parse(`${'['.repeat(5000)}${']'.repeat(5000)}`);
  const payload = {
    long,
    needle: `b${'a'.repeat(60_000)}`,
    wide,
    wide2: { ...wide },
    nested: nested(),
    nested2: nested(),
    list: Array(30_000).fill('aaaa'),
  };

  test.each([
    ['!event.payload.long.contains(event.payload.needle)', ' && '],
    ['event.payload.wide == event.payload.wide2', ' && '],
    ['!(event.payload.wide in [event.payload.wide2, event.payload.wide2, 1])', ' && '],
    ['!(event.payload.wide in event.payload.list)', ' && '],
    ['event.payload.nested == event.payload.nested2', ' && '],
    ['event.payload.long + event.payload.long + event.payload.long + event.payload.long != ""', ' && '],
    ['event.payload.list + event.payload.list != []', ' && '],
    ['event.payload.long.upperAscii() != ""', ' && '],
    ['size(event.payload.wide) > 1', ' && '],
    ['size(event.payload.long) > 1', ' && '],
    ['!event.payload.long.matches("(a+)+$")', ' && '],
    ['!event.payload.long.matches("(a?){100}b")', ' && '],
  ])('%s, which is true, runs out of steps when it is there as often as it fits', (part, between) => {
    // Worked out in full, the first would compare some 10^11 characters.
    expect(many(part, between).matches({ payload })).toBe(false);
  });

  test('one evaluation that runs out of steps does not weaken the next', () => {
    const filter = compileFilter('event.payload.text.contains("needle")');
    expect(filter.matches({ payload: { text: 'a'.repeat(2_000_000) } })).toBe(false);
    expect(filter.matches({ payload: { text: 'a needle' } })).toBe(true);
  });

  test('running out is no match, whatever stands beside it', () => {
    const filter = compileFilter('event.payload.text.contains("needle") || true');
    expect(filter.matches({ payload: { text: 'a'.repeat(2_000_000) } })).toBe(false);
  });

  test('any text is a filter or is refused with a position', () => {
    const piece = fc.constantFrom(
      ...'event.payload.n $. $[ " \' """ // ( ) [ ] ! - == && || ? : in has( .size() 1 1.5 "a" \\ \n'.split(
        ' ',
      ),
    );
    fc.assert(
      fc.property(fc.array(fc.oneof(piece, fc.string({ maxLength: 3 })), { maxLength: 30 }), (pieces) => {
        const text = pieces.join('');
        try {
          expect(typeof compileFilter(text).matches(EVENT)).toBe('boolean');
        } catch (error) {
          expect(error).toMatchObject({ code: 'NEIRA_VALUE_INVALID' });
          const { position } = (error as { details: { position: number } }).details;
          expect(position).toBeGreaterThan(0);
          expect(position).toBeLessThanOrEqual(text.length + 1);
        }
      }),
      { numRuns: 3000 },
    );
  });
});

test('filters mean what the CEL library says that they mean', () => {
  const field = fc.constantFrom(
    ...'city n half zero on off nothing text missing deep.x.y deep.q list numbers'
      .split(' ')
      .map((name) => `event.payload.${name}`),
  );
  const constant = fc.constantFrom('0', '1', '5', '2.5', '"Berlin"', '"a"', '""', 'true', 'false', 'null');
  const operand = fc.oneof(field, constant, fc.constantFrom('event.payload.list[0]', 'size("ab")'));
  const relation = fc.constantFrom('==', '!=', '<', '<=', '>', '>=');
  const list = fc.constantFrom(
    '[1, 5]',
    '["a", "Berlin"]',
    '[]',
    'event.payload.list',
    'event.payload.numbers',
  );
  const { expression } = fc.letrec<{ expression: string }>((tie) => ({
    expression: fc.oneof(
      { maxDepth: 4 },
      fc.tuple(operand, relation, operand).map((each) => each.join(' ')),
      fc.tuple(operand, list).map(([value, among]) => `${value} in ${among}`),
      field.map((each) => `has(${each})`),
      fc
        .tuple(field, fc.constantFrom('startsWith', 'endsWith', 'contains'), constant)
        .map(([text, test, part]) => `${text}.${test}(${part})`),
      field,
      tie('expression').map((each) => `!(${each})`),
      fc
        .tuple(tie('expression'), fc.constantFrom('&&', '||'), tie('expression'))
        .map(([left, junction, right]) => `(${left}) ${junction} (${right})`),
      fc
        .tuple(tie('expression'), tie('expression'), tie('expression'))
        .map(([condition, yes, no]) => `(${condition}) ? (${yes}) : (${no})`),
    ),
  }));
  const { constructor: _, ...payload } = EVENT.payload;
  const event = { ...EVENT, payload };
  const library = new Environment({}).registerVariable('event', 'dyn');
  let compared = 0;
  fc.assert(
    fc.property(expression, (text) => {
      if (text.length > MAX_FILTER_CHARS || !library.check(text).valid) return;
      const says = (() => {
        try {
          return library.evaluate(text, { event }) === true;
        } catch {
          return false;
        }
      })();
      const filter = (() => {
        try {
          return compileFilter(text);
        } catch (error) {
          expect((error as { details: { reason: string } }).details.reason).toContain('200 parts');
          return undefined;
        }
      })();
      if (filter === undefined) return;
      compared++;
      expect([text, filter.matches(event)]).toEqual([text, says]);
    }),
    { numRuns: 5000 },
  );
  expect(compared).toBeGreaterThan(1000);
});
