/** Homes that many tests of a file begin with: prepared once, then copied. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, onTestFinished } from 'vitest';

/**
 * @param prepare fills a home and stops its host; must not write paths of the home into it
 * @returns makes a copy of what was prepared, which goes with the test that asked for it
 */
export function templateHome<Args extends readonly (string | number)[]>(
  prepare: (home: string, ...args: Args) => Promise<void>,
): (...args: Args) => Promise<string> {
  const prepared = new Map<string, Promise<string>>();
  afterAll(async () => {
    for (const home of prepared.values()) rmSync(await home, { recursive: true, force: true });
  });
  const template = async (args: Args) => {
    const home = mkdtempSync(path.join(tmpdir(), 'neira-template-'));
    await prepare(home, ...args);
    return home;
  };
  return async (...args) => {
    const key = JSON.stringify(args);
    if (!prepared.has(key)) prepared.set(key, template(args));
    const home = mkdtempSync(path.join(tmpdir(), 'neira-home-'));
    onTestFinished(() => rmSync(home, { recursive: true, force: true }));
    // With times to the nanosecond, which `cpSync` rounds: by them a host knows that its files are as it left them.
    execFileSync('cp', ['-a', `${await prepared.get(key)!}/.`, home]);
    return home;
  };
}
