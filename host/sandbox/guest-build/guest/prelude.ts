/** Sets up the prelude of scripts over this host, and takes its handles before any code of the plugin runs. */

import { runs } from 'neira:prelude';
import { host } from './host.ts';

interface Prelude {
  run(fn: (event: unknown) => unknown, event: string): string;
  deliver(wait: string): void;
  idle(): number;
  seal(): string;
  /** Runs a polyfill with what it is given. */
  install(polyfill: unknown): void;
}

const globals = globalThis as unknown as { host: unknown; __neira: Prelude };
globals.host = host;
runs();

export const prelude: Prelude = globals.__neira;
