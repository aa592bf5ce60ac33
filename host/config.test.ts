import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { loadConfig } from './config.ts';

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'neira-config-'));
});
afterEach(() => rmSync(home, { recursive: true }));

const file = (text: string) => writeFileSync(join(home, 'neira.yaml'), text);
const load = (env: Record<string, string> = {}, argv: string[] = []) =>
  loadConfig({ NEIRA_HOME: home, ...env }, argv);

test('a home without settings gets the defaults of the contract', () => {
  const { cells, ...config } = load({ NEIRA_PORT: '' });
  expect(cells).toBeGreaterThanOrEqual(1);
  expect(config).toEqual({
    home,
    host: '127.0.0.1',
    port: 8787,
    safeMode: false,
    durability: 'power',
    origins: [],
    logLevel: 'info',
    versionsKept: 10,
    http: { bodyLimitBytes: 1048576, uploadLimitBytes: 20971520, ratePerMinute: 60000, maxConnections: 512 },
    signatures: { require: false, trusted: {} },
    events: { transport: 'local' },
    transcripts: true,
    secretKeys: {},
    tracing: {},
  });
  expect(loadConfig({}).home).toBe(join(process.cwd(), '.neira'));
});

test('the environment is over the file, the file over the defaults', () => {
  file(
    `port: 9000\ndurability: process\nversions_kept: 3\nhttp: {body_limit_kb: 1}\nsignatures: {require: true, trusted: {me: ${'A'.repeat(43)}=}}`,
  );
  const config = load({
    NEIRA_PORT: '0',
    NEIRA_ORIGINS: 'https://A.example, http://localhost:3000',
    NEIRA_ADMIN_TOKEN: 'test-token',
  });
  expect(config).toMatchObject({
    port: 0,
    durability: 'process',
    versionsKept: 3,
    adminToken: 'test-token',
    origins: ['https://a.example', 'http://localhost:3000'],
    http: { bodyLimitBytes: 1024, ratePerMinute: 60000 },
    signatures: { require: true },
  });
});

test('spans are exported where the variable or the file says', () => {
  file('tracing: {otlp: "http://127.0.0.1:4318"}');
  expect(load().tracing.otlpUrl).toBe('http://127.0.0.1:4318');
  expect(load({ NEIRA_OTLP_URL: 'https://otel.example/v1/traces' }).tracing.otlpUrl).toBe(
    'https://otel.example/v1/traces',
  );
});

test('safe mode comes from the variable, the file or --safe', () => {
  expect(load({ NEIRA_SAFE_MODE: '1' }).safeMode).toBe(true);
  expect(load({}, ['--safe']).safeMode).toBe(true);
  expect(load({ NEIRA_SAFE_MODE: '0' }, ['--safe']).safeMode).toBe(true);
  file('safe_mode: true');
  expect(load().safeMode).toBe(true);
  expect(load({ NEIRA_SAFE_MODE: '0' }).safeMode).toBe(false);
});

test.each([
  [{ NEIRA_PORT: '70000' }, 'NEIRA_PORT'],
  [{ NEIRA_PORT: '80a' }, 'NEIRA_PORT'],
  [{ NEIRA_SAFE_MODE: 'yes please' }, 'NEIRA_SAFE_MODE'],
  [{ NEIRA_DURABILITY: 'none' }, 'NEIRA_DURABILITY'],
  [{ NEIRA_CELLS: '0' }, 'NEIRA_CELLS'],
  [{ NEIRA_ORIGINS: 'https://a.example/path' }, 'NEIRA_ORIGINS'],
  [{ NEIRA_ADMIN_TOKEN: 'short' }, 'NEIRA_ADMIN_TOKEN'],
  [{ NEIRA_LOG: 'loud' }, 'NEIRA_LOG'],
  [{ NEIRA_OTLP_URL: 'grpc://127.0.0.1:4317' }, 'NEIRA_OTLP_URL'],
  [{ NEIRA_OTLP_URL: 'http://me:secret@127.0.0.1:4318' }, 'NEIRA_OTLP_URL'],
  [{ NEIRA_OTLP_URL: 'http://127.0.0.1:99999' }, 'NEIRA_OTLP_URL'],
])('%o is refused by its name', (env, setting) => {
  expect(() => load(env as Record<string, string>)).toThrow(
    expect.objectContaining({ code: 'NEIRA_CONFIG_INVALID', details: expect.objectContaining({ setting }) }),
  );
});

test.each([
  ['prot: 1', 'prot'],
  ['http: {body_limit_kb: -1}', 'http.body_limit_kb'],
  ['signatures: {trusted: {me: abc}}', 'signatures.trusted.me'],
  ['host: 0.0.0.0', 'host'],
  ['tracing: {otlp: collector}', 'tracing.otlp'],
  ['tracing: {otlp: "http://["}', 'tracing.otlp'],
  ['[1]', 'neira.yaml'],
  ['a: [', 'neira.yaml'],
])('in the file, %s is refused by its name', (text, setting) => {
  file(text);
  expect(() => load()).toThrow(
    expect.objectContaining({ code: 'NEIRA_CONFIG_INVALID', details: expect.objectContaining({ setting }) }),
  );
});

test('other machines are let in only by saying so', () => {
  expect(load({ NEIRA_HOST: '0.0.0.0' }).host).toBe('0.0.0.0');
  file('host: 0.0.0.0\nallow_remote: true');
  expect(load().host).toBe('0.0.0.0');
});

test('an option that is misspelt is refused, not ignored', () => {
  expect(() => load({}, ['--saef'])).toThrow('--saef');
});

// BUS-28
test('a transport that does not exist is refused by name, with those that do', () => {
  expect(load({ NEIRA_TRANSPORT: 'local' }).events).toEqual({ transport: 'local' });
  const reason = expect.stringContaining('local');
  expect(() => load({ NEIRA_TRANSPORT: 'redis' })).toThrow(
    expect.objectContaining({
      code: 'NEIRA_CONFIG_INVALID',
      details: { setting: 'NEIRA_TRANSPORT', reason },
    }),
  );
  file('events: {transport: nats}');
  expect(() => load()).toThrow(
    expect.objectContaining({
      code: 'NEIRA_CONFIG_INVALID',
      details: { setting: 'events.transport', reason },
    }),
  );
});
