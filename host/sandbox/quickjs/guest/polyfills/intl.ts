/**
 * `Intl` of a guest: thin classes over one host call (design §7). A formatter is its locales and options as JSON;
 * what formats is made in the host, once, and kept there.
 */
import type { IntlService } from '../../../../base/intl-options.ts';
import { ask, Kept, localesText, type Making, moment, numeric, plainOptions } from './intl-ask.ts';
import { installMethods, orderOf } from './intl-methods.ts';

interface State extends Making {
  readonly resolved: Readonly<Record<string, unknown>>;
  /** A function that formats, bound once. */
  bound: unknown;
}

type Method = (state: State, ...args: unknown[]) => unknown;

interface Shape {
  readonly name: IntlService;
  /** May be called without `new`, as old code does. */
  readonly callable?: boolean;
  /** A function that is bound to its formatter when it is read: `list.sort(collator.compare)`. */
  readonly bound?: readonly [name: string, bind: (state: State) => unknown];
  readonly methods: Readonly<Record<string, Method>>;
}

const states = new WeakMap<object, State>();
/** Options that the host has found good: making the same again asks nothing. */
const resolved = new Kept<Readonly<Record<string, unknown>>>(64);

function stateOf(self: unknown, name: string): State {
  const state = typeof self === 'object' && self !== null ? states.get(self) : undefined;
  if (state?.service === name) return state;
  throw new TypeError(`this is no Intl.${name}`);
}

function stateFor(name: IntlService, locales: unknown, options: unknown): State {
  const making = {
    service: name,
    locales: localesText(locales),
    options: JSON.stringify(plainOptions(name, options)),
  };
  const key = `${name}\n${making.locales}\n${making.options}`;
  const found = resolved.get(key, () => ask(making, 'resolvedOptions') as Record<string, unknown>);
  return { ...making, resolved: found, bound: undefined };
}

function hidden(target: object, name: PropertyKey, value: unknown): void {
  Object.defineProperty(target, name, { value, writable: true, configurable: true, enumerable: false });
}

function classOf({ name, callable = false, bound, methods }: Shape): unknown {
  function Formatter(this: object, locales?: unknown, options?: unknown): object {
    if (new.target === undefined && !callable) throw new TypeError(`Intl.${name} must be called with new`);
    const self = new.target === undefined ? (Object.create(Formatter.prototype) as object) : this;
    states.set(self, stateFor(name, locales, options));
    return self;
  }
  Object.defineProperty(Formatter, 'name', { value: name, configurable: true });
  hidden(Formatter, 'supportedLocalesOf', (locales?: unknown, options?: unknown) => {
    const plain = plainOptions(name, options);
    const matcher = plain['localeMatcher'] === undefined ? {} : { localeMatcher: plain['localeMatcher'] };
    const making = { service: name, locales: localesText(locales), options: JSON.stringify(matcher) };
    return ask(making, 'supportedLocalesOf');
  });
  const { prototype } = Formatter;
  Object.defineProperty(prototype, Symbol.toStringTag, { value: `Intl.${name}`, configurable: true });
  hidden(prototype, 'resolvedOptions', function (this: unknown) {
    return { ...stateOf(this, name).resolved };
  });
  for (const [method, run] of Object.entries(methods)) {
    hidden(prototype, method, function (this: unknown, ...args: unknown[]) {
      return run(stateOf(this, name), ...args);
    });
  }
  if (bound !== undefined) {
    const [method, bind] = bound;
    Object.defineProperty(prototype, method, {
      configurable: true,
      enumerable: false,
      get(this: unknown) {
        const state = stateOf(this, name);
        state.bound ??= bind(state);
        return state.bound;
      },
    });
  }
  return Formatter;
}

// --- the classes

type Encode = (given: unknown) => unknown;

const asking =
  (method: string, ...encode: readonly Encode[]): Method =>
  (state, ...args) =>
    ask(
      state,
      method,
      encode.map((each, index) => each(args[index])),
    );

const bothMoments =
  (method: string): Method =>
  (state, from, to) => {
    if (from === undefined || to === undefined) throw new TypeError(`${method} needs two dates`);
    return ask(state, method, [moment(from), moment(to)]);
  };

const bothNumbers =
  (method: string): Method =>
  (state, from, to) => {
    if (from === undefined || to === undefined) throw new TypeError(`${method} needs two numbers`);
    return ask(state, method, [numeric(from), numeric(to)]);
  };

const count: Encode = (given) => numeric(Number(given));
const text: Encode = (given) => `${given as string}`;

const texts: Encode = (given) => {
  if (given === undefined) return [];
  const list = Array.from(given as Iterable<unknown>);
  for (const each of list)
    if (typeof each !== 'string') throw new TypeError('a list to format holds strings only');
  return list;
};

function comparing(state: State) {
  const order = orderOf(state);
  return (a?: unknown, b?: unknown) =>
    order.compare(typeof a === 'string' ? a : `${a as string}`, typeof b === 'string' ? b : `${b as string}`);
}

const SHAPES: readonly Shape[] = [
  {
    name: 'DateTimeFormat',
    callable: true,
    bound: ['format', (state) => (at?: unknown) => ask(state, 'format', [moment(at)])],
    methods: {
      formatToParts: asking('formatToParts', moment),
      formatRange: bothMoments('formatRange'),
      formatRangeToParts: bothMoments('formatRangeToParts'),
    },
  },
  {
    name: 'NumberFormat',
    callable: true,
    bound: ['format', (state) => (of?: unknown) => ask(state, 'format', [numeric(of)])],
    methods: {
      formatToParts: asking('formatToParts', numeric),
      formatRange: bothNumbers('formatRange'),
      formatRangeToParts: bothNumbers('formatRangeToParts'),
    },
  },
  {
    name: 'Collator',
    callable: true,
    bound: ['compare', comparing],
    methods: {},
  },
  {
    name: 'PluralRules',
    methods: {
      select: asking('select', count),
      selectRange(state, from, to) {
        if (from === undefined || to === undefined) throw new TypeError('selectRange needs two numbers');
        return ask(state, 'selectRange', [count(from), count(to)]);
      },
    },
  },
  {
    name: 'ListFormat',
    methods: { format: asking('format', texts), formatToParts: asking('formatToParts', texts) },
  },
  {
    name: 'RelativeTimeFormat',
    methods: { format: asking('format', count, text), formatToParts: asking('formatToParts', count, text) },
  },
  {
    name: 'DisplayNames',
    methods: { of: (state, code) => ask(state, 'of', [text(code)]) ?? undefined },
  },
  { name: 'Segmenter', methods: { segment: (state, given) => new Segments(state, text(given) as string) } },
];

interface Segment {
  readonly segment: string;
  readonly index: number;
  readonly isWordLike?: boolean;
}

/** Found when they are first looked at. */
class Segments {
  readonly #state: State;
  readonly #text: string;
  #found: readonly Segment[] | undefined;

  constructor(state: State, input: string) {
    this.#state = state;
    this.#text = input;
  }

  get #segments(): readonly Segment[] {
    this.#found ??= ask(this.#state, 'segment', [this.#text]) as Segment[];
    return this.#found;
  }

  *[Symbol.iterator]() {
    for (const each of this.#segments) yield { ...each, input: this.#text };
  }

  containing(index: unknown = 0) {
    const at = Math.trunc(Number(index)) || 0;
    const found = this.#segments.find((each) => at >= each.index && at < each.index + each.segment.length);
    return found && { ...found, input: this.#text };
  }
}

const intl = {};
for (const shape of SHAPES) hidden(intl, shape.name, classOf(shape));
hidden(intl, 'getCanonicalLocales', (locales?: unknown) =>
  ask({ service: 'Intl', locales: localesText(locales), options: '{}' }, 'getCanonicalLocales'),
);
hidden(intl, 'supportedValuesOf', (key: unknown) =>
  ask({ service: 'Intl', locales: '[]', options: '{}' }, 'supportedValuesOf', [text(key)]),
);
Object.defineProperty(intl, Symbol.toStringTag, { value: 'Intl', configurable: true });
hidden(globalThis, 'Intl', intl);
installMethods();
