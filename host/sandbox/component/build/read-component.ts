/**
 * Reads what the host has to know of a component before any other tool looks at it: what it imports and exports, how
 * many parts it has, every name in it, and which built-ins it asks for.
 *
 * It reads nested components too. Whether types match and indices exist is for the validator of jco to say; what
 * this reader does not know it refuses, so that nothing new gets in by itself.
 *
 * Names matter most. jco prints the names of core imports and exports into the JavaScript that it generates and
 * does not escape them, so a name with a quote in it would be code that runs in a thread of the host.
 */
import { NeiraError } from '../../../errors.ts';
import { Reader } from '../meter/reader.ts';
import { ModuleRefused } from '../meter/refusal.ts';
import {
  type Extern,
  eachOf,
  type OuterComponent,
  readAlias,
  readCanonical,
  readCoreInstance,
  readExport,
  readImport,
  readInstance,
} from './component-items.ts';
import { isMagic, isStartOfMagic, whatItIs } from './file-kind.ts';
import { tooMany, unsupported } from './refusals.ts';

export interface ComponentLimits {
  readonly maxBytes: number;
  readonly maxCoreModules: number;
  readonly maxCoreInstances: number;
}

export interface ComponentOutline {
  /** Of the outermost component, in their order. */
  readonly imports: readonly Extern[];
  readonly exports: readonly Extern[];
}

/** A component that is being read. */
interface Scope {
  readonly outer: Scope | undefined;
  /** What one instance is made of, for each component that it sees by an index. */
  readonly components: Parts[];
  /** What its own instance is made of. */
  readonly parts: Parts;
}

interface Parts {
  coreInstances: number;
  instances: number;
}

const NONE: Readonly<Parts> = { coreInstances: 0, instances: 0 };
const ONE_CORE: Readonly<Parts> = { coreInstances: 1, instances: 0 };
const MAX_DEPTH = 16;
const MAX_NESTED = 64;
/** Imports, exports, instances, aliases and functions, of all components together. */
const MAX_ITEMS = 100_000;
const LAYER_CORE = 0x0000_0001;
const LAYER_COMPONENT = 0x0001_000d;
const HEADER_BYTES = 8;
/** Of a number of 32 bits. */
const MAX_LENGTH_BYTES = 5;

const SECTION_CUSTOM = 0;
const SECTION_CORE_MODULE = 1;
const SECTION_CORE_INSTANCE = 2;
const SECTION_COMPONENT = 4;
const SECTION_INSTANCE = 5;
const SECTION_ALIAS = 6;
const SECTION_TYPE = 7;
const SECTION_CANONICAL = 8;
const SECTION_IMPORT = 10;
const SECTION_EXPORT = 11;
const REFUSED_SECTIONS: Readonly<Record<number, string>> = {
  3: 'types of core modules',
  9: 'a start function of the component (values)',
  12: 'values',
};

/** @throws NEIRA_COMPONENT_* for everything that the host would not run, whatever the bytes are. */
export function readComponent(bytes: Uint8Array, limits: ComponentLimits): ComponentOutline {
  if (bytes.length > limits.maxBytes) {
    throw new NeiraError('NEIRA_COMPONENT_TOO_LARGE', { bytes: bytes.length, maxBytes: limits.maxBytes });
  }
  requireLayer(bytes);
  const outline = new OutlineReader(limits);
  try {
    outline.readBody(new Reader(bytes, HEADER_BYTES, bytes.length, 'component'), undefined);
  } catch (error) {
    if (!(error instanceof ModuleRefused)) throw error;
    throw new NeiraError('NEIRA_COMPONENT_CORRUPT', { reason: error.reason });
  }
  return outline;
}

class OutlineReader implements ComponentOutline {
  readonly imports: Extern[] = [];
  readonly exports: Extern[] = [];
  readonly #limits: ComponentLimits;
  #coreModules = 0;
  #nested = 0;
  #items = 0;

  constructor(limits: ComponentLimits) {
    this.#limits = limits;
  }

  readBody(reader: Reader, outer: Scope | undefined): Scope {
    const scope: Scope = { outer, components: [], parts: { ...NONE } };
    while (reader.position < reader.end) {
      const id = reader.byte();
      const where = `${outer ? 'nested component' : 'component'}, section ${id}`;
      this.#readSection(id, outer ? reader.stretch(where) : wholeSection(reader, where), scope);
    }
    return scope;
  }

  #readSection(id: number, section: Reader, scope: Scope): void {
    // Labels inside types are kebab-case, which the validator sees to.
    if (id === SECTION_CUSTOM || id === SECTION_TYPE) return;
    if (id === SECTION_CORE_MODULE) this.#countModule();
    else if (id === SECTION_COMPONENT) this.#readNested(section, scope);
    else this.#readItems(id, section, scope);
  }

  #readItems(id: number, section: Reader, scope: Scope): void {
    eachOf(section, () => this.#readItem(id, section, scope));
    section.finish();
  }

  #readItem(id: number, section: Reader, scope: Scope): void {
    this.#items += 1;
    if (this.#items > MAX_ITEMS) throw tooMany('items', this.#items, MAX_ITEMS);
    if (id === SECTION_IMPORT) this.#noteImport(readImport(section), scope);
    else if (id === SECTION_EXPORT) this.#noteExport(readExport(section), scope);
    else if (id === SECTION_ALIAS) noteAlias(readAlias(section), scope);
    else if (id === SECTION_INSTANCE) this.#count(partsOf(readInstance(section), scope), scope);
    else if (id === SECTION_CORE_INSTANCE) this.#count(readCoreInstance(section) ? ONE_CORE : NONE, scope);
    else if (id === SECTION_CANONICAL) readCanonical(section);
    else throw unsupported(REFUSED_SECTIONS[id] ?? `a section of the unknown kind ${id}`);
  }

  #noteImport(found: Extern, scope: Scope): void {
    if (!scope.outer) this.imports.push(found);
    // The outermost one is refused for it by name, with its other imports.
    else if (found.kind === 'component') throw unsupported('components as imports of others');
    if (found.kind === 'component') scope.components.push(NONE);
  }

  #noteExport(found: Extern, scope: Scope): void {
    if (!scope.outer) this.exports.push(found);
  }

  #countModule(): void {
    const { maxCoreModules: max } = this.#limits;
    this.#coreModules += 1;
    if (this.#coreModules > max) throw tooMany('core modules', this.#coreModules, max);
  }

  /** A few bytes may ask for billions of instances, each of a component that has several of the next. */
  #count(more: Parts, { parts }: Scope): void {
    parts.coreInstances += more.coreInstances;
    parts.instances += more.instances;
    const { maxCoreInstances } = this.#limits;
    if (parts.coreInstances > maxCoreInstances) {
      throw tooMany('core instances', parts.coreInstances, maxCoreInstances);
    }
    if (parts.instances > MAX_NESTED) {
      throw tooMany('instances of nested components', parts.instances, MAX_NESTED);
    }
  }

  #readNested(section: Reader, outer: Scope): void {
    this.#nested += 1;
    if (depthOf(outer) >= MAX_DEPTH) throw unsupported(`components nested more than ${MAX_DEPTH} deep`);
    if (this.#nested > MAX_NESTED) throw tooMany('nested components', this.#nested, MAX_NESTED);
    const start = section.position;
    section.skip(HEADER_BYTES);
    if (!isMagic(section.bytes, start) || layerAt(section.bytes, start) !== LAYER_COMPONENT) {
      throw section.fault('a nested component has no header of one');
    }
    const { parts } = this.readBody(section, outer);
    outer.components.push({ ...parts, instances: parts.instances + 1 });
  }
}

/** Of a component that an outer one has; an index that is not there is for the validator to refuse. */
function noteAlias(alias: OuterComponent | undefined, scope: Scope): void {
  if (!alias) return;
  let seen: Scope | undefined = scope;
  for (let level = alias.levelsUp; level > 0 && seen; level--) seen = seen.outer;
  scope.components.push(partsOf(alias.index, seen));
}

function partsOf(component: number | undefined, scope: Scope | undefined): Parts {
  if (component === undefined) return NONE;
  return scope?.components[component] ?? NONE;
}

function depthOf(scope: Scope): number {
  return scope.outer ? depthOf(scope.outer) + 1 : 1;
}

function requireLayer(bytes: Uint8Array): void {
  if (!isMagic(bytes, 0)) {
    if (isStartOfMagic(bytes)) throw cutOff(bytes.length, 'within its header');
    throw new NeiraError('NEIRA_COMPONENT_NOT_WASM', { found: whatItIs(bytes) });
  }
  if (bytes.length < HEADER_BYTES) throw cutOff(bytes.length, 'within its header');
  const layer = layerAt(bytes, 0);
  if (layer === LAYER_CORE) throw new NeiraError('NEIRA_COMPONENT_CORE_MODULE');
  if (layer !== LAYER_COMPONENT) {
    throw unsupported(`version ${layer & 0xffff} of layer ${layer >>> 16} of the binary format`);
  }
}

/** A section of the outermost component: where it does not fit, the file was cut off. */
function wholeSection(reader: Reader, where: string): Reader {
  const start = reader.position;
  try {
    return reader.stretch(where);
  } catch (error) {
    reader.position = start;
    if (isCutOff(reader)) throw cutOff(reader.bytes.length, `within section ${where.split(' ').at(-1)}`);
    throw error;
  }
}

/** Whether the length of a section, or what it counts, goes on behind the end. */
function isCutOff(reader: Reader): boolean {
  const length = reader.bytes.subarray(reader.position, reader.position + MAX_LENGTH_BYTES);
  const isWhole = length.some((byte) => byte < 0x80);
  return isWhole ? reader.u32() > reader.end - reader.position : length.length < MAX_LENGTH_BYTES;
}

function cutOff(bytes: number, reason: string): NeiraError {
  return new NeiraError('NEIRA_COMPONENT_TRUNCATED', { bytes, reason });
}

function layerAt(bytes: Uint8Array, at: number): number {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(at + 4, true);
}
