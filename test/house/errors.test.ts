import { expect, test } from 'vitest';
import { ERRORS } from '../../host/errors.ts';
import { CODE, isTest, nodesOf, placeOf, read, stringsOf, textOf, treeOf } from './sources.ts';

/** Settings of the environment (contract, "Process"), which are spelled like codes. */
const ENVIRONMENT = new Set([
  'NEIRA_TEST_SEED',
  'NEIRA_KILLS',
  'NEIRA_LOAD_MS',
  'NEIRA_WAITING_RUNS',
  'NEIRA_EVERY_COMMIT',
  'NEIRA_MODEL_SEED',
  'NEIRA_MODEL_PATH',
  'NEIRA_MODEL_RUNS',
  'NEIRA_HOME',
  'NEIRA_HOST',
  'NEIRA_PORT',
  'NEIRA_ADMIN_TOKEN',
  'NEIRA_SAFE_MODE',
  'NEIRA_DURABILITY',
  'NEIRA_CELLS',
  'NEIRA_ORIGINS',
  'NEIRA_URL',
  'NEIRA_TOKEN',
  'NEIRA_LOG',
  'NEIRA_OTLP_URL',
  'NEIRA_TRANSPORT',
  'NEIRA_SECRETS_KEY',
  'NEIRA_SECRETS_KEY_PREVIOUS',
  // Fault points of the test kit.
  'NEIRA_FAULT',
]);

/** Codes that nothing in the host uses, each with the reason why it is in the catalogue all the same. */
const RESERVED: Readonly<Record<string, string>> = {};

const NAME = /^NEIRA_[A-Z_]+$/;
const codes = Object.keys(ERRORS);
const catalogue = [
  'host/error-catalogue.ts',
  'host/base/error-catalogue-bus.ts',
  'host/base/error-catalogue-components.ts',
  'host/base/error-catalogue-io.ts',
  'host/base/error-catalogue-secrets.ts',
];

test('every code that the code names is in the catalogue', () => {
  const unknown: string[] = [];
  for (const file of CODE) {
    for (const node of nodesOf(treeOf(file))) {
      const text = textOf(node);
      if (text === undefined || !NAME.test(text)) continue;
      if (!ENVIRONMENT.has(text) && !Object.hasOwn(ERRORS, text))
        unknown.push(`${placeOf(file, node)} ${text}`);
    }
  }
  expect(unknown).toEqual([]);
});

test('every code of the catalogue is used', () => {
  const sources = CODE.filter(
    (file) => /^(?:host|gates)\//.test(file) && !isTest(file) && !catalogue.includes(file),
  );
  const used = new Set(sources.flatMap((file) => stringsOf(file)));
  expect(codes.filter((code) => !used.has(code) && !Object.hasOwn(RESERVED, code))).toEqual([]);
  expect(Object.keys(RESERVED).filter((code) => used.has(code) || !codes.includes(code))).toEqual([]);
});

test('every code of the catalogue is in the reference', () => {
  const reference = read('abi/errors.md');
  expect(codes.filter((code) => !reference.includes(`| \`${code}\` |`))).toEqual([]);
});

test('every entry says what happened and what to do', () => {
  const poor = Object.entries<{ status: number; message: string; remedy: string }>(ERRORS).filter(
    ([, { status, message, remedy }]) =>
      !message.endsWith('.') || remedy === '' || status < 400 || status > 599,
  );
  expect(poor).toEqual([]);
});
