/** The items of the sections of a component, as far as the host has to know them; all names in them are checked. */
import { isSafeName } from '../meter/names.ts';
import type { Reader } from '../meter/reader.ts';
import { unsafeName, unsupported } from './refusals.ts';

export interface Extern {
  readonly name: string;
  /** `func`, `instance`, `type`, `component`, `module` or `value`. */
  readonly kind: string;
}

const MAX_NAME_LENGTH = 512;
/** How names of WIT are spelled, with `[method]` and the like before them and a version behind. */
const EXTERN_NAME = /^[A-Za-z0-9_:@./[\]+-]+$/;

const KINDS: Readonly<Record<number, string>> = {
  0: 'module',
  1: 'func',
  2: 'value',
  3: 'type',
  4: 'component',
  5: 'instance',
};
const COMPONENTS_AS_VALUES = 'components that are handed on (linking at run time)';
const REFUSED_OPTIONS: Readonly<Record<number, string>> = {
  6: 'asynchronous functions (the canonical option `async`)',
  7: 'asynchronous functions (the canonical option `callback`)',
  8: 'the canonical option `core-type`',
  9: 'the canonical option `gc`',
};

export function readImport(section: Reader): Extern {
  const name = readExternName(section);
  return { name, kind: readDescription(section) };
}

export function readExport(section: Reader): Extern {
  const name = readExternName(section);
  const kind = readSorted(section);
  if (kind === 'component') throw unsupported(COMPONENTS_AS_VALUES);
  if (section.byte() === 1) readDescription(section);
  return { name, kind };
}

/** The type that an import or export is said to have; its kind. */
function readDescription(section: Reader): string {
  const kind = readKind(section);
  if (kind === 'value') throw unsupported('values');
  const isResource = kind === 'type' && section.byte() === 1;
  if (!isResource) section.u32();
  return kind;
}

/** Whether it is an instance of a module; else it is one put together of exports, in a list that looks alike. */
export function readCoreInstance(section: Reader): boolean {
  const isOfModule = section.byte() === 0;
  if (isOfModule) section.u32();
  eachOf(section, () => {
    readCoreName(section);
    section.byte();
    section.u32();
  });
  return isOfModule;
}

/** The index of the component that it is an instance of; undefined when it is put together of exports. */
export function readInstance(section: Reader): number | undefined {
  const isOfComponent = section.byte() === 0;
  const component = isOfComponent ? section.u32() : undefined;
  eachOf(section, () => {
    if (isOfComponent) requireExternName(section.name());
    else readExternName(section);
    readSorted(section);
  });
  return component;
}

/** The component that is seen from an outer one, if it is an alias of that kind. */
export interface OuterComponent {
  readonly levelsUp: number;
  readonly index: number;
}

export function readAlias(section: Reader): OuterComponent | undefined {
  const kind = readKind(section);
  const target = section.byte();
  const first = section.u32();
  if (target === 2) {
    const index = section.u32();
    return kind === 'component' ? { levelsUp: first, index } : undefined;
  }
  if (kind === 'component') throw unsupported(COMPONENTS_AS_VALUES);
  if (target === 1) readCoreName(section);
  else requireExternName(section.name());
  return undefined;
}

/** Lifting, lowering and resources; everything asynchronous stays outside: what waits is a plain function here. */
export function readCanonical(section: Reader): void {
  const kind = section.byte();
  if (kind > 4) throw unsupported(`asynchronous built-ins (canonical function 0x${kind.toString(16)})`);
  const isFunction = kind < 2;
  if (isFunction) section.byte();
  section.u32();
  if (!isFunction) return;
  eachOf(section, () => {
    const option = section.byte();
    if (option > 5)
      throw unsupported(REFUSED_OPTIONS[option] ?? `the canonical option 0x${option.toString(16)}`);
    if (option > 2) section.u32();
  });
  if (kind === 0) section.u32();
}

function readSorted(section: Reader): string {
  const kind = readKind(section);
  section.u32();
  return kind;
}

/** Calls back for every item of a list. */
export function eachOf(section: Reader, readItem: () => void): void {
  for (let left = section.count(Number.MAX_SAFE_INTEGER, 'items'); left > 0; left--) readItem();
}

/** The sort of an item; a core one is told apart no further. */
function readKind(section: Reader): string {
  const byte = section.byte();
  const kind = KINDS[byte];
  if (kind === undefined) throw section.fault(`there is no kind of item 0x${byte.toString(16)}`);
  if (byte === 0) section.byte();
  return kind;
}

function readExternName(section: Reader): string {
  const form = section.byte();
  if (form > 1) throw unsupported(`names of the form 0x${form.toString(16)}`);
  return requireExternName(section.name());
}

function requireExternName(name: string): string {
  if (name.length > MAX_NAME_LENGTH || !EXTERN_NAME.test(name)) throw unsafeName(name);
  return name;
}

function readCoreName(section: Reader): void {
  const name = section.name();
  if (name.length > MAX_NAME_LENGTH || !isSafeName(name)) throw unsafeName(name);
}
