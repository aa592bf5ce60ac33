/**
 * From the bytes of a `.wasm` file to what a cell can run, or a refusal that says what to do (HOST-10, HOST-11).
 *
 * The path: what the file is, and every name in it → its imports → a type check against our world and the
 * transpilation by jco, in a thread with limits → each core module metered → the glue made small. Nothing of the
 * component runs on it. Two builds of the same bytes are the same text.
 */
import { NeiraError } from '../../../errors.ts';
import type { BuiltComponent } from '../built-component.ts';
import { allowImports } from './allowed-imports.ts';
import type { AnalysisAnswer, BadModule, LinkedPart, Misfit, Part, Transpiled } from './analysis.ts';
import { analyse } from './analyst.ts';
import { type CacheOptions, ComponentCache } from './component-cache.ts';
import { prepareGlue } from './glue.ts';
import { type HostWorld, hostWorld, witFor } from './host-world.ts';
import { type ComponentOutline, readComponent } from './read-component.ts';
import { buildKey } from './recipe.ts';
import { tooMany, unsafeNameSaid, unsupported } from './refusals.ts';

export interface BuildOptions {
  /** Of one instance of the component: each memory grows to so much and no further. */
  readonly maxMemoryBytes: number;
  /** Of the file. */
  readonly maxBytes?: number;
  /** For the analysis, without the time that it waits for another one. */
  readonly timeoutMs?: number;
  /** Interfaces that the component has to export for others, as its manifest says. */
  readonly provides?: readonly string[];
  /**
   * Components that it is linked to. They become parts of what is built: their code runs in its turns, with its
   * permissions and fuel, each on a memory of its own.
   */
  readonly links?: readonly LinkedComponent[];
  /** Where builds are kept; without it every build is made anew. */
  readonly cache?: CacheOptions;
}

export interface LinkedComponent {
  readonly bytes: Uint8Array;
  /** What it exports and the other imports: `acme:text/stem@1.0.0`. */
  readonly interfaces: readonly string[];
}

/** The world that handlers have, and what a component may export of it. */
const EXPORTS = ['handle', 'prepare'] as const;
/** Of a file, unless it is said otherwise. */
export const MAX_COMPONENT_BYTES = 32 * 1024 * 1024;
const TIMEOUT_MS = 20_000;
const MAX_CORE_MODULES = 32;
const MAX_CORE_INSTANCES = 64;
const MAX_TABLE_ELEMENTS = 100_000;

/**
 * @throws NEIRA_COMPONENT_CORE_MODULE, NEIRA_COMPONENT_NOT_WASM, NEIRA_COMPONENT_TRUNCATED, NEIRA_COMPONENT_CORRUPT,
 * NEIRA_COMPONENT_WORLD, NEIRA_COMPONENT_IMPORTS, NEIRA_COMPONENT_UNSUPPORTED, NEIRA_COMPONENT_NAME,
 * NEIRA_COMPONENT_TOO_LARGE, NEIRA_COMPONENT_TOO_MANY_PARTS, NEIRA_COMPONENT_LIMITS, NEIRA_COMPONENT_TOO_COMPLEX
 */
export async function buildComponent(bytes: Uint8Array, options: BuildOptions): Promise<BuiltComponent> {
  const { links = [], provides = [] } = options;
  const parts = partsOf(bytes, links, options.maxBytes);
  requireInterfaces(parts.outline, provides, 'it says that it provides');
  if (options.cache === undefined) return build(parts, options);
  const cache = new ComponentCache(options.cache);
  const components = [bytes, ...links.map((link) => link.bytes)];
  const linked = links.map(({ interfaces }) => interfaces);
  const key = buildKey(components, [options.maxMemoryBytes, MAX_TABLE_ELEMENTS, linked]);
  const kept = await cache.load(key);
  if (kept) return kept;
  const built = await build(parts, options);
  await cache.save(key, built);
  return built;
}

interface Parts extends Part {
  readonly outline: ComponentOutline;
  readonly linked: readonly LinkedPart[];
}

function partsOf(
  bytes: Uint8Array,
  links: readonly LinkedComponent[],
  maxBytes = MAX_COMPONENT_BYTES,
): Parts {
  const limits = { maxBytes, maxCoreModules: MAX_CORE_MODULES, maxCoreInstances: MAX_CORE_INSTANCES };
  const outline = readComponent(bytes, limits);
  const linked = links.map((link) => {
    const provider = readComponent(link.bytes, limits);
    requireInterfaces(provider, link.interfaces, 'a component that it is linked to is said to export');
    return { ...link, given: allowImports(provider.imports, hostWorld()) };
  });
  const offered = links.flatMap(({ interfaces }) => interfaces);
  return { bytes, outline, given: allowImports(outline.imports, hostWorld(), offered), linked };
}

async function build(
  { bytes, outline, given, linked }: Parts,
  { maxMemoryBytes, timeoutMs = TIMEOUT_MS }: BuildOptions,
): Promise<BuiltComponent> {
  const world = hostWorld();
  const exported = exportsOf(outline, world);
  const job = {
    bytes,
    given,
    linked,
    wit: witFor(world, [given, ...linked.map((each) => each.given)].flat()),
    exported,
    waiting: world.waiting,
    moduleLimits: { maxMemoryBytes, maxTableElements: MAX_TABLE_ELEMENTS },
    maxCoreModules: MAX_CORE_MODULES,
  };
  const answer = await analyse(job, timeoutMs);
  if (answer.kind !== 'transpiled') throw refusalOf(answer, world);
  const { code, coreInstances } = await prepareGlue(answer.glue, MAX_CORE_INSTANCES);
  const modules = [...answer.modules].map(([name, metered]) => [name, inBase64(metered)] as const);
  return {
    glue: code,
    modules: Object.fromEntries(modules),
    facts: {
      imports: answer.imports,
      exports: exported,
      prepares: exported.includes('prepare'),
      waits: answer.waits,
      resettable: answer.resettable,
      coreModules: modules.length,
      coreInstances,
      bytes: bytes.length,
    },
  };
}

function requireInterfaces({ exports }: ComponentOutline, names: readonly string[], says: string): void {
  const missing = names.find(
    (name) => !exports.some((each) => each.name === name && each.kind === 'instance'),
  );
  if (missing !== undefined) throw wrongWorld(`${says} \`${missing}\`, and it does not`);
}

function inBase64({ buffer, byteOffset, byteLength }: Uint8Array): string {
  return Buffer.from(buffer, byteOffset, byteLength).toString('base64');
}

/** What else a component exports is hidden: tools leave things behind, and other hosts ask for more. */
function exportsOf(outline: ComponentOutline, world: HostWorld): string[] {
  const names = outline.exports.map(({ name }) => name);
  if (!names.includes('handle')) {
    throw wrongExport('handle', names.length === 0 ? 'nothing' : names.slice(0, 20).join(', '), world);
  }
  return EXPORTS.filter((name) => names.includes(name));
}

function refusalOf(answer: Exclude<AnalysisAnswer, Transpiled>, world: HostWorld): NeiraError {
  switch (answer.kind) {
    case 'module':
      return moduleRefusal(answer);
    case 'modules':
      return tooMany('core modules', answer.count, MAX_CORE_MODULES);
    case 'broken': {
      const reason = `the tool that reads it gave up (${answer.reason}), which may be for want of memory`;
      return new NeiraError('NEIRA_COMPONENT_TOO_COMPLEX', { reason });
    }
    default:
      return misfitRefusal(answer, world);
  }
}

function moduleRefusal({ refusal, reason }: BadModule): NeiraError {
  switch (refusal) {
    case 'name':
      return unsafeNameSaid(reason);
    case 'unsupported':
      return unsupported(reason);
    case 'limits':
      return new NeiraError('NEIRA_COMPONENT_LIMITS', { reason });
    case 'malformed':
      return new NeiraError('NEIRA_COMPONENT_CORRUPT', { reason });
  }
}

function misfitRefusal({ kind, reason, exports }: Misfit, world: HostWorld): NeiraError {
  if (isAboutFeature(reason)) return unsupported(reason);
  if (kind === 'invalid') return new NeiraError('NEIRA_COMPONENT_CORRUPT', { reason });
  const wrong = exports.find((text) => isExport(nameOf(text)) && !world.exports.includes(text));
  return wrong === undefined ? wrongWorld(reason) : wrongExport(nameOf(wrong), wrong, world);
}

/** As the validator says that something is known to it and switched off. */
function isAboutFeature(reason: string): boolean {
  return /\b(?:not enabled|must be enabled|requires the .* feature|unsupported|not (?:yet )?supported)\b/.test(
    reason,
  );
}

function wrongExport(name: string, found: string, world: HostWorld): NeiraError {
  const expected = world.exports.find((text) => nameOf(text) === name)!;
  return wrongWorld(`its export is \`${found}\` instead of \`${expected}\``, { expected, found });
}

function wrongWorld(reason: string, types: { readonly expected?: string; readonly found?: string } = {}) {
  return new NeiraError('NEIRA_COMPONENT_WORLD', { reason, ...types });
}

function isExport(name: string): boolean {
  return (EXPORTS as readonly string[]).includes(name);
}

/** Of a function in WIT. */
function nameOf(text: string): string {
  return text.slice(0, text.indexOf(':'));
}
