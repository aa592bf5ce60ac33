/**
 * The thread in which jco reads hostile components, and the meter their modules. It has no environment, its heap is limited, and the memories of
 * jco's own modules are capped before they are compiled: a component that blows up in analysis ends this thread.
 */
import { parentPort } from 'node:worker_threads';
import { ModuleRefused, meterModule } from '../meter/meter.ts';
import type { AnalysisAnswer, AnalysisJob, Misfit } from './analysis.ts';
import { capMemory } from './cap-memory.ts';

/** An analysed component takes some ten times its size. */
const MAX_TOOL_MEMORY_BYTES = 512 * 1024 * 1024;
const MAX_REASON_LENGTH = 400;
/** The prefix of all module names; nothing depends on it. */
const NAME = 'plugin';
/** How jco marks an import that waits, for each that a component uses. */
const WAITS = /^ *_trampoline\d+\.manuallyAsync = true;$/m;

const compile = WebAssembly.compile;
WebAssembly.compile = (source) => compile(capMemory(source, MAX_TOOL_MEMORY_BYTES));
// Only from here on: they compile their modules while they are loaded.
const { componentWit } = await import('@bytecodealliance/jco-transpile/wasm-tools');
const { $init: ready, generate } = await import('@bytecodealliance/jco-transpile/component');
const { wrapComponent } = await import('./outer-component.ts');
await ready;

type Generated = ReturnType<typeof generate>;
type GenerateOptions = Parameters<typeof generate>[1];

parentPort!.on('message', async (job: AnalysisJob) => {
  parentPort!.postMessage(await analyse(job));
});

async function analyse(job: AnalysisJob): Promise<AnalysisAnswer> {
  try {
    return meterAll(transpile(await wrapComponent(job), job.waiting), job);
  } catch (error) {
    if (error instanceof ModuleRefused) return { kind: 'module', refusal: error.kind, reason: error.reason };
    if (!isVerdict(error)) return { kind: 'broken', reason: reasonOf(error), exports: [] };
    return explain(job.bytes, reasonOf(error));
  }
}

interface Transpilation {
  readonly generated: Generated;
  readonly glue: string;
  readonly waits: boolean;
}

/** What waits needs a stack of its own for every turn (JSPI), and what does not should not pay for one. */
function transpile(bytes: Uint8Array, waiting: readonly string[]): Transpilation {
  const standing = generateGlue(bytes, {
    asyncMode: { tag: 'jspi', val: { imports: [...waiting], exports: ['handle'] } },
  });
  return WAITS.test(standing.glue)
    ? { ...standing, waits: true }
    : { ...generateGlue(bytes, { asyncMode: { tag: 'sync' } }), waits: false };
}

function generateGlue(
  bytes: Uint8Array,
  mode: Pick<GenerateOptions, 'asyncMode'>,
): Omit<Transpilation, 'waits'> {
  const generated = generate(bytes, {
    ...mode,
    name: NAME,
    instantiation: { tag: 'sync' },
    base64Cutoff: 0,
    noTypescript: true,
    noNodejsCompat: true,
  });
  const [, glue] = generated.files.find(([name]) => name === `${NAME}.js`)!;
  return { generated, glue: new TextDecoder().decode(glue) };
}

function meterAll(
  { generated: { files, imports }, glue, waits }: Transpilation,
  { moduleLimits, maxCoreModules }: AnalysisJob,
): AnalysisAnswer {
  const modules = files.filter(([name]) => name.endsWith('.wasm')).sort(byName);
  if (modules.length > maxCoreModules) return { kind: 'modules', count: modules.length };
  const metered = modules.map(([name, bytes]) => [name, meterModule(bytes, moduleLimits)] as const);
  const strange = metered.find(([, { bytes }]) => !WebAssembly.validate(bytes));
  if (strange) throw new ModuleRefused('unsupported', `this version of Node cannot compile ${strange[0]}`);
  return {
    kind: 'transpiled',
    glue,
    waits,
    modules: new Map(metered.map(([name, { bytes }]) => [name, bytes])),
    resettable: metered.every(([, { resettable }]) => resettable),
    imports,
  };
}

function byName([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number {
  return a < b ? -1 : 1;
}

/** Whether the component is not valid by itself, or only not what we ask for. */
async function explain(bytes: Uint8Array, reason: string): Promise<Misfit> {
  try {
    const wit = await componentWit(bytes);
    const world = wit.slice(0, wit.indexOf('\n}'));
    const exports = [...world.matchAll(/^ {2}export ([^;{]+)/gm)].map((found) => found[1]!);
    return { kind: 'misfit', reason, exports };
  } catch (error) {
    return { kind: isVerdict(error) ? 'invalid' : 'broken', reason: reasonOf(error), exports: [] };
  }
}

/** jco's tools throw what they found wrong as a payload; anything else is a trap inside of them. */
function isVerdict(error: unknown): boolean {
  return typeof (error as { payload?: unknown }).payload === 'string';
}

function reasonOf(error: unknown): string {
  const { payload, message } = error as { payload?: unknown; message?: unknown };
  const text = String(payload ?? message ?? error);
  const cause = text.slice(text.lastIndexOf('Caused by:') + 1).replace(/^aused by:/, '');
  return cause
    .replace(/[^ -~]+/g, ' ')
    .replace(/ {2,}/g, ' ')
    .trim()
    .slice(0, MAX_REASON_LENGTH);
}
