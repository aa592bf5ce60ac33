/** What dates, numbers and texts have of Intl. */
import { INTL_OPTIONS } from '../../../../base/intl-options.ts';
import { ask, Kept, localesText, type Making, moment, numeric, plainOptions } from './intl-ask.ts';
import { Order, watchSorting } from './intl-order.ts';

const DATE = ['weekday', 'year', 'month', 'day'];
const TIME = ['dayPeriod', 'hour', 'minute', 'second', 'fractionalSecondDigits'];
const DEFAULTS = {
  date: { year: 'numeric', month: 'numeric', day: 'numeric' },
  time: { hour: 'numeric', minute: 'numeric', second: 'numeric' },
};

type Part = 'date' | 'time' | 'any';

/** ECMA-402: where nothing says what of the moment is wanted, the method does. */
function dateOptions(options: unknown, part: Part): Record<string, unknown> {
  const plain = plainOptions('DateTimeFormat', options);
  const styled = plain['dateStyle'] !== undefined || plain['timeStyle'] !== undefined;
  if (part === 'date' && plain['timeStyle'] !== undefined)
    throw new TypeError('timeStyle has no place in a date');
  if (part === 'time' && plain['dateStyle'] !== undefined)
    throw new TypeError('dateStyle has no place in a time');
  const wanted = part === 'date' ? DATE : part === 'time' ? TIME : [...DATE, ...TIME];
  if (styled || wanted.some((name) => plain[name] !== undefined)) return plain;
  return {
    ...plain,
    ...(part !== 'time' && DEFAULTS.date),
    ...(part !== 'date' && DEFAULTS.time),
  };
}

/** What most calls say, and how it goes to the host. */
const makings = new Kept<Making>(64);

function makingOf(
  service: string,
  locales: unknown,
  options: () => Record<string, unknown>,
  key: string,
): Making {
  const make = () => ({ service, locales: localesText(locales), options: JSON.stringify(options()) });
  return key === '' ? make() : makings.get(key, make);
}

/** Empty where there are options: these are read anew every time. */
function keyOf(kind: string, locales: unknown, options: unknown): string {
  if (options !== undefined) return '';
  return locales === undefined || typeof locales === 'string' ? `${kind} ${locales ?? ''}` : '';
}

function dateMethod(part: Part) {
  return function (this: Date, locales?: unknown, options?: unknown): string {
    const ms = Date.prototype.getTime.call(this);
    if (Number.isNaN(ms)) return 'Invalid Date';
    const key = keyOf(part, locales, options);
    const making = makingOf('DateTimeFormat', locales, () => dateOptions(options, part), key);
    return ask(making, 'format', [moment(ms)]) as string;
  };
}

function numberMethod(own: (self: unknown) => unknown) {
  return function (this: unknown, locales?: unknown, options?: unknown): string {
    const value = numeric(own(this));
    const key = keyOf('number', locales, options);
    const making = makingOf('NumberFormat', locales, () => plainOptions('NumberFormat', options), key);
    return ask(making, 'format', [value]) as string;
  };
}

const orders = new Kept<Order>(16);

export function orderOf(making: Making): Order {
  return orders.get(`${making.locales}\n${making.options}`, () => new Order(making));
}

/** What the last comparison said of language and options: the next one of a sort says the same. */
let lastLocale: unknown;
let lastOptions: unknown[] = [];
let lastOrder: Order | undefined;

function orderOfCall(locales: unknown, options: unknown): Order {
  const isSimple = locales === undefined || typeof locales === 'string';
  if (lastOrder !== undefined && isSimple && locales === lastLocale && saysTheSame(options)) return lastOrder;
  const key = keyOf('compare', locales, options);
  const order = orderOf(makingOf('Collator', locales, () => plainOptions('Collator', options), key));
  if (isSimple) {
    lastLocale = locales;
    lastOptions = options === undefined ? [] : COLLATOR.map((name) => (options as Named)[name]);
    lastOrder = order;
  }
  return order;
}

type Named = Readonly<Record<string, unknown>>;
const COLLATOR = INTL_OPTIONS.Collator;

/** Options that are no plain values may say something else each time. */
function saysTheSame(options: unknown): boolean {
  if (options === undefined) return lastOptions.length === 0;
  if (options === null || lastOptions.length === 0) return false;
  for (let i = 0; i < COLLATOR.length; i++) {
    const value = (options as Named)[COLLATOR[i]!];
    if (value !== lastOptions[i] || typeof value === 'object') return false;
  }
  return true;
}

function localeCompare(this: unknown, that: unknown, locales?: unknown, options?: unknown): number {
  return orderOfCall(locales, options).compare(`${this as string}`, `${that as string}`);
}

function caseMethod(method: 'toLocaleUpperCase' | 'toLocaleLowerCase', own: (this: string) => string) {
  return function (this: unknown, locales?: unknown): string {
    const text = `${this as string}`;
    const tags = localesText(locales);
    if (tags === '[]') return own.call(text);
    return ask({ service: 'String', locales: tags, options: '{}' }, method, [text]) as string;
  };
}

function define(target: object, methods: Readonly<Record<string, unknown>>): void {
  for (const [name, value] of Object.entries(methods))
    Object.defineProperty(target, name, { value, writable: true, configurable: true, enumerable: false });
}

export function installMethods(): void {
  watchSorting();
  const { toUpperCase, toLowerCase } = String.prototype;
  define(Date.prototype, {
    toLocaleString: dateMethod('any'),
    toLocaleDateString: dateMethod('date'),
    toLocaleTimeString: dateMethod('time'),
  });
  const { valueOf: numberValue } = Number.prototype;
  const { valueOf: bigintValue } = BigInt.prototype;
  define(Number.prototype, { toLocaleString: numberMethod((self) => numberValue.call(self as number)) });
  define(BigInt.prototype, { toLocaleString: numberMethod((self) => bigintValue.call(self as bigint)) });
  define(String.prototype, {
    localeCompare,
    toLocaleUpperCase: caseMethod('toLocaleUpperCase', toUpperCase),
    toLocaleLowerCase: caseMethod('toLocaleLowerCase', toLowerCase),
  });
}
