/** Histories: what clients, administrators, plugins and misfortune do to a host, one after the other. */
import fc from 'fast-check';
import type { Behaviour, Publication, Subject } from './events.ts';
import { PLUGINS } from './plugins.ts';
import { CELLS } from './process.ts';

export type Op =
  /** One record of a client; with a key it is sent again after a crash that left it without an answer. */
  | {
      readonly op: 'publish';
      readonly events: readonly Publication[];
      readonly admin: boolean;
      readonly keyed: boolean;
    }
  | { readonly op: 'burst'; readonly event: Publication; readonly count: number }
  | { readonly op: 'ui'; readonly plugin: string; readonly event: Publication }
  | { readonly op: 'steps'; readonly count: number }
  /** So many timers. */
  | { readonly op: 'time'; readonly timers: number }
  | { readonly op: 'sleep'; readonly ms: number }
  | { readonly op: 'kill-cell'; readonly cell: number }
  /** The process dies; the writer may have gone on a little when main was past hearing. */
  | { readonly op: 'crash'; readonly unheard: boolean }
  | { readonly op: 'plugin'; readonly plugin: string; readonly to: 'enabled' | 'disabled' | 'reloaded' }
  | { readonly op: 'mode'; readonly mode: 'normal' | 'safe' }
  | { readonly op: 'letters'; readonly what: 'retry' | 'drop'; readonly count: number }
  | { readonly op: 'disk'; readonly full: boolean };

export interface History {
  /** Of the order in which messages move, and of all other chance. */
  readonly seed: number;
  readonly ops: readonly Op[];
}

const HOUR_MS = 60 * 60 * 1000;
const IDS = PLUGINS.map(({ id }) => id);
const plugin = fc.constantFrom(...IDS);
const subject: fc.Arbitrary<Subject> = fc.constantFrom('shop.order', 'shop.note', 'job.run', 'news.flash');
const key = fc.constantFrom('a', 'b', null);
const few = fc.constantFrom(1, 1, 1, 2, 3, 9);

function behaviour(publishes: fc.Arbitrary<Publication> | undefined): fc.Arbitrary<Behaviour> {
  const plain: fc.WeightedArbitrary<Behaviour>[] = [
    { weight: 6, arbitrary: fc.constant<Behaviour>({ counts: true }) },
    { weight: 3, arbitrary: fc.record({ throws: few }) },
    { weight: 1, arbitrary: fc.record({ kills: fc.constantFrom(1, 1, 2) }) },
    { weight: 1, arbitrary: fc.record({ spoils: few }) },
    { weight: 1, arbitrary: fc.record({ listens: fc.boolean() }) },
    { weight: 1, arbitrary: fc.constant<Behaviour>({ cancels: true }) },
  ];
  if (!publishes) return fc.oneof(...plain);
  const mixed = fc.record({
    publishes: fc.array(publishes, { minLength: 1, maxLength: 3 }),
    throws: fc.constantFrom(0, 0, 0, 1, 9),
    spoils: fc.constantFrom(0, 0, 0, 1),
    kills: fc.constantFrom(0, 0, 0, 0, 0, 1),
  });
  return fc.oneof(...plain, { weight: 4, arbitrary: mixed });
}

function publication(publishes: fc.Arbitrary<Publication> | undefined): fc.Arbitrary<Publication> {
  const does = fc.dictionary(plugin, behaviour(publishes), { maxKeys: 3, noNullPrototype: true });
  const now = fc.record({ subject, key, does });
  const later = fc.record({ subject, key, does, afterMs: fc.constantFrom(0, 5, 200, 3000) });
  return fc.oneof({ weight: 6, arbitrary: now }, { weight: 1, arbitrary: later });
}

const plainEvent = publication(undefined);
const event = publication(publication(plainEvent));

const op: fc.Arbitrary<Op> = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({
      op: fc.constant('publish' as const),
      events: fc.array(event, { minLength: 1, maxLength: 3 }),
      admin: fc.boolean(),
      keyed: fc.boolean(),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ op: fc.constant('burst' as const), event: plainEvent, count: fc.nat(12) }),
  },
  { weight: 3, arbitrary: fc.record({ op: fc.constant('ui' as const), plugin, event }) },
  { weight: 12, arbitrary: fc.record({ op: fc.constant('steps' as const), count: fc.nat(40) }) },
  { weight: 3, arbitrary: fc.record({ op: fc.constant('time' as const), timers: fc.nat(8) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      op: fc.constant('sleep' as const),
      ms: fc.constantFrom(100, 40_000, 2 * HOUR_MS),
    }),
  },
  { weight: 3, arbitrary: fc.record({ op: fc.constant('kill-cell' as const), cell: fc.nat(CELLS - 1) }) },
  { weight: 4, arbitrary: fc.record({ op: fc.constant('crash' as const), unheard: fc.boolean() }) },
  {
    weight: 4,
    arbitrary: fc.record({
      op: fc.constant('plugin' as const),
      plugin,
      to: fc.constantFrom('enabled' as const, 'disabled' as const, 'reloaded' as const),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      op: fc.constant('mode' as const),
      mode: fc.constantFrom('normal' as const, 'safe' as const),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      op: fc.constant('letters' as const),
      what: fc.constantFrom('retry' as const, 'drop' as const),
      count: fc.integer({ min: 1, max: 3 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('disk' as const), full: fc.boolean() }) },
);

/** What fills more than mailboxes hold in memory, now and then. */
const flood: fc.Arbitrary<Op> = fc.record({
  op: fc.constant('burst' as const),
  event: plainEvent,
  count: fc.integer({ min: 60, max: 320 }),
});

const seed = fc.nat(0x7fff_ffff);
export const history: fc.Arbitrary<History> = fc.oneof(
  { weight: 60, arbitrary: fc.record({ seed, ops: fc.array(op, { maxLength: 36, size: 'max' }) }) },
  {
    weight: 1,
    arbitrary: fc
      .record({ seed, ops: fc.array(op, { maxLength: 16, size: 'max' }), flood })
      .map(({ ops, flood: many, ...rest }) => ({
        ...rest,
        ops: [...ops.slice(0, 3), many, ...ops.slice(3)],
      })),
  },
);
