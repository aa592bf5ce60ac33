/**
 * Tries files one by one, each in a child with bounded memory and time, and nothing of the environment: what takes its process
 * along, or never ends, takes nothing else along.
 */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { ComponentReport, FileReport } from './report.ts';

const CHILD = fileURLToPath(new URL('./child.ts', import.meta.url));
const TIMEOUT_MS = 60_000;
const MAX_ADDRESS_SPACE_KB = 16 * 1024 * 1024;
/** Without guard regions a memory takes the addresses that it uses, so that a limit of addresses means something. */
const FLAGS = ['--disable-wasm-trap-handler', '--max-old-space-size=1024', '--no-warnings'];
const MAX_TOLD_CHARS = 400;

/** @param onReport is told of each as it is decided */
export async function checkComponents(
  files: readonly string[],
  { parallel, timeoutMs = TIMEOUT_MS }: { readonly parallel: number; readonly timeoutMs?: number },
  onReport: (report: FileReport) => void = () => {},
): Promise<readonly FileReport[]> {
  const reports: FileReport[] = [];
  let next = 0;
  const work = async () => {
    while (next < files.length) {
      const at = next++;
      const report = { file: files[at]!, ...(await checkFile(files[at]!, timeoutMs)) };
      reports[at] = report;
      onReport(report);
    }
  };
  await Promise.all(Array.from({ length: Math.min(parallel, files.length) }, work));
  return reports;
}

/** Nothing of the environment but where compiled sources are kept, which saves most of a child's beginning. */
function cacheOf({ NODE_COMPILE_CACHE }: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return NODE_COMPILE_CACHE === undefined ? {} : { NODE_COMPILE_CACHE };
}

async function checkFile(file: string, timeoutMs: number): Promise<ComponentReport> {
  // The shell sets the limit and becomes the child: `ulimit` is of POSIX, and needs no package.
  const limited = `ulimit -v ${MAX_ADDRESS_SPACE_KB} 2>/dev/null; exec "$@"`;
  const child = spawn('/bin/sh', ['-c', limited, 'sh', process.execPath, ...FLAGS, CHILD, file], {
    env: cacheOf(process.env),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let out = '';
  let told = '';
  child.stdout.on('data', (chunk: Buffer) => {
    out += chunk.toString();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    told = (told + chunk.toString()).slice(-MAX_TOLD_CHARS);
  });
  let hung = false;
  const timer = setTimeout(() => {
    hung = true;
    child.kill('SIGKILL');
  }, timeoutMs);
  const ended = await new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('close', (code, signal) => resolve(signal ?? (code === 0 ? '' : `exit ${code}`)));
  });
  clearTimeout(timer);
  if (hung) return { verdict: 'hung', reason: `it was not decided within ${timeoutMs} ms` };
  if (ended === '') return reportOf(out);
  return { verdict: 'crashed', reason: `${ended}: ${told.trim().split('\n').at(-1) ?? ''}` };
}

/** A process in which strange code ran may say anything. */
function reportOf(out: string): ComponentReport {
  try {
    return JSON.parse(out) as ComponentReport;
  } catch {
    return { verdict: 'crashed', reason: 'what it answered is no report' };
  }
}
