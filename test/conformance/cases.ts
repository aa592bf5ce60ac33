/** What a case of the table says; see host-functions.test.ts for how it is run. */
import { expect } from 'vitest';
import type { Step } from './probe.ts';

/** Names a key that no other case uses. */
export type Own = (name: string) => string;

export interface Case {
  /** WIT name: `storage.get`. */
  readonly fn: string;
  readonly claim: string;
  /** Turns that commit one after the other. */
  turns(own: Own): readonly (readonly Step[])[];
  /** What the steps of the last turn answer. */
  answers(own: Own): readonly unknown[];
}

export const nothing = {};
export const value = (of: unknown) => ({ value: of });
export const refused = (code: string, details?: Record<string, unknown>) =>
  expect.objectContaining({ code, ...(details && { details: expect.objectContaining(details) }) });

/** An entry whose version the case does not care about. */
export const entry = (key: string, of: unknown) => ({ key, value: of, version: expect.any(Number) });
export const entries = (...all: readonly [string, unknown][]) =>
  value(all.map(([key, of]) => entry(key, of)));
export const logKey = (log: string, n: number) => `${log}/${String(n).padStart(16, '0')}`;

export const UUID = expect.stringMatching(
  /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
);
