/**
 * The rewriter of core modules: what a component brings is decoded to the last byte, refused where it is not on
 * the list of what this host runs, and given fuel and cards before V8 ever compiles it (HOST-12, HOST-25).
 *
 * The rewritten module
 * - imports `"neira" "fuel"`, a mutable global of type i64. Every function, loop, bulk operation takes its cost
 *   off; below zero the module traps (`unreachable`), and the global stays below zero.
 * - marks what it writes: `$neira:cards0` is a memory of one byte for every 4 KB of guest memory, not 0 where a
 *   store began. **A store that crosses the end of a page marks its first page only**: whoever copies marked
 *   pages back also copies the first 16 bytes of the page behind each. A store that trapped may have marked a page
 *   behind the end of the memory.
 * - exports what an image consists of: `$neira:memory0`, defined or imported, and `$neira:global<n>` for every
 *   mutable global that it defines.
 * - has its memory and its tables capped, and no custom sections.
 *
 * V8 validates the result once more; what it refuses is no module that would have run without this.
 */
import {
  rewriteFunctions,
  rewriteGlobals,
  rewriteImports,
  rewriteMemories,
  rewriteTables,
  rewriteTypes,
} from './declarations.ts';
import { FunctionRewriter } from './function-rewriter.ts';
import { Helpers } from './helpers.ts';
import type { Reader } from './reader.ts';
import { tooMany } from './refusal.ts';
import { assemble, emptySection, type SectionName, splitSections } from './sections.ts';
import { readDataCount, rewriteData, rewriteElements, rewriteExports, rewriteStart } from './segments.ts';
import { MAX_REWRITTEN_BYTES, type ModuleLimits, ModuleShape } from './shape.ts';
import { Writer } from './writer.ts';

export { ModuleRefused, type RefusalKind } from './refusal.ts';
export type { ModuleLimits } from './shape.ts';

export interface MeteredModule {
  readonly bytes: Buffer;
  /**
   * Whether an instance can be put back to its image in place. Not so when the module changes tables, drops
   * segments, or holds vectors in mutable globals: then a turn takes a fresh instance.
   */
  readonly resettable: boolean;
}

/**
 * Rewrites one core module, in time linear in its size.
 * @throws ModuleRefused, and nothing else, whatever the bytes are.
 */
export function meterModule(bytes: Uint8Array, limits: ModuleLimits): MeteredModule {
  const sections = splitSections(bytes);
  const shape = new ModuleShape(limits);
  const helpers = new Helpers(shape);
  const rewritten = new Map<SectionName, Writer>();
  const rewrite = (name: SectionName, how: (section: Reader) => Writer) => {
    const section = sections.get(name) ?? emptySection(name);
    rewritten.set(name, how(section));
    section.finish();
  };
  const rewriteIfThere = (name: SectionName, how: (section: Reader) => Writer) => {
    if (sections.has(name)) rewrite(name, how);
  };

  rewrite('type', (section) => rewriteTypes(section, shape));
  rewrite('import', (section) => rewriteImports(section, shape));
  rewrite('function', (section) => rewriteFunctions(section, shape));
  rewrite('table', (section) => rewriteTables(section, shape));
  rewrite('memory', (section) => rewriteMemories(section, shape));
  rewrite('global', (section) => rewriteGlobals(section, shape));
  rewrite('export', (section) => rewriteExports(section, shape));
  rewriteIfThere('start', (section) => rewriteStart(section, shape));
  rewrite('element', (section) => rewriteElements(section, shape));
  rewriteIfThere('dataCount', (section) => readDataCount(section, shape));
  rewrite('code', (section) => rewriteCode(section, shape, helpers));
  rewrite('data', (section) => rewriteData(section, shape));

  const { types, functions } = shape;
  helpers.writeTypes(rewritten.get('type')!);
  helpers.writeFunctions(rewritten.get('function')!);
  helpers.writeBodies(rewritten.get('code')!);
  const definedFunctions = functions.length - shape.importedFunctions;
  const counts = new Map<SectionName, number>([
    ['type', types.length + helpers.used],
    ['function', definedFunctions + helpers.used],
    ['code', definedFunctions + helpers.used],
  ]);
  return { bytes: assemble(rewritten, counts), resettable: shape.resettable };
}

/** The bodies of the functions, without their count. */
function rewriteCode(section: Reader, shape: ModuleShape, helpers: Helpers): Writer {
  const defined = shape.functions.length - shape.importedFunctions;
  if (section.u32() !== defined)
    throw section.fault(`there are not as many bodies as the ${defined} functions`);
  const rewriter = new FunctionRewriter(shape, helpers);
  const out = new Writer(2 * (section.end - section.position));
  for (let index = shape.importedFunctions; index < shape.functions.length; index++) {
    rewriter.rewrite(section.stretch(`function ${index}`), shape.functions[index]!, out);
    if (out.length > MAX_REWRITTEN_BYTES)
      throw tooMany(out.length, 'bytes of rewritten code', MAX_REWRITTEN_BYTES);
  }
  return out;
}
