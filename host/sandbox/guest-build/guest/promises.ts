/** Promises of plain code, over the jobs of environment.ts. */
import 'core-js/stable/promise';

for (const name of ['queueMicrotask', 'setImmediate', 'clearImmediate'])
  delete (globalThis as Record<string, unknown>)[name];
