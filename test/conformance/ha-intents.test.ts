// INT-01…03: Home Assistant's own test sentences, English and Russian, against their expected intents and slots.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { understand } from '../../plugins/scripts/intent_rules/understand/understand.ts';
import { bootHost, SCRIPT_GATES, type TestHost } from '../kit/boot-host.ts';
import {
  CONTEXT_AREA,
  hasHaIntents,
  ruleFilesOf,
  sharedListsFile,
  type Vector,
  vectorsOf,
  worldOf,
} from '../kit/ha-intents.ts';
import { OUT_OF_SCOPE } from '../kit/intent-data/out-of-scope.ts';
import { compiledRules, languagesWith } from '../kit/intent-languages.ts';

const PLUGIN = new URL('../../plugins/scripts/intent_rules', import.meta.url).pathname;
/** Worlds of the tests that are taught to a real host; all are followed in the loader. */
const LIVE_WORLDS = 4;

interface Told {
  readonly intent: string | null;
  readonly slots: Readonly<Record<string, unknown>>;
  readonly combo?: unknown;
}

/** Why it is not what was expected; undefined: it is. By the rules of comparison in the data's README. */
function missOf(vector: Vector, told: Told): string | undefined {
  if (told.intent !== vector.intent) return `intent ${told.intent}`;
  if (told.combo !== vector.combo) return `combination ${told.combo}`;
  const slots: Record<string, unknown> = { ...told.slots };
  const expected: Record<string, unknown> = { ...vector.slots };
  if (vector.context_area && slots['area'] === contextAreaOf(vector)) delete slots['area'];
  if (vector.inferred_domains) {
    if (!Object.values(vector.inferred_domains).flat().includes(String(slots['domain'])))
      return `domain ${slots['domain']}`;
    delete slots['domain'];
    delete expected['domain'];
  }
  const wrong = [...new Set([...Object.keys(slots), ...Object.keys(expected)])].filter(
    (slot) => ![expected[slot]].flat().some((value) => same(value, slots[slot])),
  );
  return wrong.length === 0
    ? undefined
    : wrong.map((slot) => `${slot} ${JSON.stringify(slots[slot])}`).join(', ');
}

const same = (a: unknown, b: unknown) =>
  typeof a === 'number' || typeof b === 'number' ? Number(a) === Number(b) : a === b;
const contextAreaOf = ({ areas }: Vector) => areas.find((area) => area.context_area)?.name ?? CONTEXT_AREA;

const filesOf = () => ({ ...sharedListsFile(), ...ruleFilesOf('en'), ...ruleFilesOf('ru') });
const listsOf = (vector: Vector) => {
  const { name, area, floor } = worldOf(vector);
  const values = (each: readonly unknown[]) => ({ values: each, plain: true, inflect: false });
  return { name: { ...values(name), names: true }, area: values(area), floor: values(floor) };
};

/** By the world in which they hold. */
function worlds(vectors: readonly Vector[]): readonly (readonly Vector[])[] {
  return [...Map.groupBy(vectors, (vector) => JSON.stringify(listsOf(vector))).values()];
}

describe.skipIf(!hasHaIntents())(
  'sentences of Home Assistant (skipped where ../shared/data is absent)',
  () => {
    test('every vector gives its intent and its slots', () => {
      const rules = compiledRules(filesOf());
      const misses: string[] = [];
      const vectors = vectorsOf();
      for (const world of worlds(vectors)) {
        const languages = languagesWith(rules, listsOf(world[0]!));
        for (const vector of world) {
          const { text, lang: locale } = vector;
          const result = understand(languages, { text, locale, context: { area: contextAreaOf(vector) } });
          const told = result && 'understood' in result ? result.understood : undefined;
          const miss = missOf(vector, {
            intent: told?.intent ?? null,
            slots: told?.slots ?? {},
            combo: told?.rule.metadata?.['combo'],
          });
          if (miss !== undefined)
            misses.push(`${vector.lang} ${vector.intent}/${vector.combo} "${text}": ${miss}`);
        }
      }
      console.log(`ha-intents: ${vectors.length - misses.length} of ${vectors.length} vectors`);
      expect(misses).toEqual([]);
    });

    test('what no rule of a house means is understood as nothing', () => {
      const rooms = {
        en: ['Kitchen', 'Bedroom', 'Living Room', 'Bathroom', 'Garage'],
        ru: ['Кухня', 'Спальня', 'Гостиная', 'Ванная'],
      };
      const lists = {
        name: {
          values: [
            { in: 'Ceiling Fan', context: { domain: 'fan' } },
            { in: 'Люстра', context: { domain: 'light' } },
          ],
          names: true,
        },
        area: { values: [...rooms.en, ...rooms.ru] },
        floor: { values: ['First Floor', 'Первый этаж'] },
      };
      const languages = languagesWith(compiledRules(filesOf()), lists);
      const wrong = Object.entries(OUT_OF_SCOPE).flatMap(([locale, sentences]) =>
        sentences.flatMap((text) => {
          const result = understand(languages, { text, locale, context: { area: 'Kitchen' } });
          return result && 'understood' in result
            ? [`${text} → ${result.understood.intent} by ${result.understood.explain.template}`]
            : [];
        }),
      );
      const all = Object.values(OUT_OF_SCOPE).flat().length;
      console.log(`out of scope: ${all - wrong.length} of ${all} refused`);
      expect(wrong).toEqual([]);
    });

    describe('in a host', () => {
      let host: TestHost;
      beforeAll(async () => {
        host = await bootHost();
        await host.open(...SCRIPT_GATES);
        const added = await host.call(
          'POST',
          '/api/neira/plugins',
          { path: PLUGIN },
          { query: '?enable=1&grant=all' },
        );
        expect(added.status, JSON.stringify(added.body)).toBe(201);
        await host.open('intent_rules');
        for (const files of [sharedListsFile(), ruleFilesOf('en'), ruleFilesOf('ru')]) {
          const saved = await host.call('POST', '/api/intent/rules', { files });
          expect(saved.body, JSON.stringify(saved.body)).toMatchObject({ ok: true });
        }
      }, 60_000);
      afterAll(() => host.close());

      test('the largest worlds are understood as by the loader', async () => {
        const largest = [...worlds(vectorsOf())].sort((a, b) => b.length - a.length).slice(0, LIVE_WORLDS);
        const misses: string[] = [];
        for (const [n, world] of largest.entries()) {
          const lists = { ...listsOf(world[0]!), world: { values: [`world ${n}`] } };
          const files = {
            'world.yaml': JSON.stringify({ language: '*', lists }),
            'probe.yaml': JSON.stringify({
              language: 'en',
              intents: { Probe: { data: [{ sentences: ['are we in {world}'] }] } },
            }),
          };
          expect((await host.call('POST', '/api/intent/rules', { files })).body).toMatchObject({ ok: true });
          const ask = (body: object) => host.call('POST', '/api/intent/recognize', body);
          await expect
            .poll(async () => (await ask({ text: `are we in world ${n}` })).body.intent, { timeout: 15_000 })
            .toBe('Probe');
          for (const vector of world) {
            const { text, lang: locale } = vector;
            const { body } = await ask({ text, locale, ctx: { area: contextAreaOf(vector) } });
            const miss = missOf(vector, { ...body, combo: body.metadata?.combo });
            if (miss !== undefined) misses.push(`${text}: ${miss}`);
          }
        }
        expect(misses).toEqual([]);
      }, 60_000);
    });
  },
);
