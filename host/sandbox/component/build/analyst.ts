/** Has components analysed in a thread of its own, one at a time, and ends the thread that one was too much for. */
import { Worker } from 'node:worker_threads';
import { NeiraError } from '../../../errors.ts';
import type { AnalysisAnswer, AnalysisJob } from './analysis.ts';

const THREAD = new URL('./analysis-thread.ts', import.meta.url);
const MAX_HEAP_MB = 512;
/** Loading jco takes longer than most components; who registers one often saves it again soon. */
const KEEP_WARM_MS = 60_000;
/** A memory that has grown does not shrink: after a component of this size the thread is ended. */
const MAX_WARM_BYTES = 4 * 1024 * 1024;

let thread: Worker | undefined;
let idle: NodeJS.Timeout | undefined;
let last: Promise<unknown> = Promise.resolve();

/** @throws NEIRA_COMPONENT_TOO_COMPLEX when it takes too long or too much memory. */
export function analyse(job: AnalysisJob, timeoutMs: number): Promise<AnalysisAnswer> {
  const answer = last.then(() => analyseNow(job, timeoutMs));
  last = answer.catch(() => {});
  return answer;
}

async function analyseNow(job: AnalysisJob, timeoutMs: number): Promise<AnalysisAnswer> {
  clearTimeout(idle);
  thread ??= openThread();
  const worker = thread;
  let keep = false;
  try {
    const answer = await ask(worker, job, timeoutMs);
    keep = answer.kind !== 'broken' && job.bytes.length <= MAX_WARM_BYTES;
    return answer;
  } finally {
    if (keep) idle = setTimeout(() => endThread(worker), KEEP_WARM_MS).unref();
    else await endThread(worker);
  }
}

function openThread(): Worker {
  const worker = new Worker(THREAD, {
    name: 'neira-component-analysis',
    env: {},
    execArgv: [],
    // Never read: what jco's tools print when they give up is in the refusal, and ends with the thread.
    stdout: true,
    stderr: true,
    resourceLimits: { maxOldGenerationSizeMb: MAX_HEAP_MB },
  });
  worker.unref();
  // Whoever waits for an answer hears of it too; without this line an idle thread that dies would end the host.
  worker.on('error', () => forget(worker));
  return worker;
}

async function endThread(worker: Worker): Promise<void> {
  forget(worker);
  await worker.terminate();
}

function forget(worker: Worker): void {
  if (thread === worker) thread = undefined;
}

function ask(worker: Worker, job: AnalysisJob, timeoutMs: number): Promise<AnalysisAnswer> {
  const { promise, resolve, reject } = Promise.withResolvers<AnalysisAnswer>();
  const fail = (reason: string) => reject(new NeiraError('NEIRA_COMPONENT_TOO_COMPLEX', { reason }));
  const timer = setTimeout(() => fail(`it took longer than ${timeoutMs} ms`), timeoutMs);
  const onError = (error: unknown) => fail(`the analysis ended: ${(error as Error).message}`);
  const onExit = () => fail('the thread of the analysis ended');
  worker.once('message', resolve).once('error', onError).once('exit', onExit);
  worker.ref();
  worker.postMessage(job);
  return promise.finally(() => {
    clearTimeout(timer);
    worker.off('message', resolve).off('error', onError).off('exit', onExit);
    worker.unref();
  });
}
