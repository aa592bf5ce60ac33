import type { Command } from 'commander';
import { type Client, connectHost } from './client.ts';
import { createOutput, type Output } from './output.ts';

/** What a command works with. */
export interface Session {
  readonly out: Output;
  /** The host, found when it is first needed: some commands need none. */
  host(): Promise<Client>;
  /** Ends with exit code 2: the command was not used as it is meant. */
  usage(message: string): never;
}

/**
 * Makes a commander action of a function over a {@link Session}. Arguments and options come as commander gives them,
 * in one list: the arguments, then the options.
 */
export function run<A extends unknown[]>(work: (session: Session, ...given: A) => Promise<void>) {
  return async function (this: Command, ...given: unknown[]): Promise<void> {
    const json = this.optsWithGlobals()['json'] === true;
    const session: Session = {
      out: createOutput(json),
      host: () => connectHost(process.env),
      usage: (message) => this.error(`error: ${message}`, { exitCode: 2 }),
    };
    // The last thing that commander passes is the command itself.
    await work(session, ...(given.slice(0, -1) as A));
  };
}
