import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createLogger } from '../log.ts';
import { consolePort } from './console.ts';
import { type PortDriver, type PortSend, Ports } from './ports.ts';

const message = (n: number, target = 't', port = 'test'): PortSend => ({
  id: `e${n}:p/1`,
  port,
  target,
  payload: `${n}`,
});
const quiet = createLogger({ level: 'silent' });

let left: string[];
let confirmed: string[];
let failures: number;
const driver: PortDriver = {
  async send({ id }, doubtful) {
    if (failures > 0) {
      failures--;
      throw new Error('not now');
    }
    left.push(doubtful ? `${id}?` : id);
  },
};

beforeEach(() => {
  vi.useFakeTimers();
  left = [];
  confirmed = [];
  failures = 0;
});
afterEach(() => {
  vi.useRealTimers();
});

const portsOf = (confirm = async (ids: readonly string[]) => void confirmed.push(...ids)) =>
  new Ports(new Map([['test', driver]]), confirm, quiet);
const settle = (ms = 1) => vi.advanceTimersByTimeAsync(ms);

test('what was sent is confirmed, in order', async () => {
  portsOf().perform([message(1), message(2), message(3)]);
  await settle();
  expect([left, confirmed]).toEqual([
    ['e1:p/1', 'e2:p/1', 'e3:p/1'],
    ['e1:p/1', 'e2:p/1', 'e3:p/1'],
  ]);
});

test('a message that cannot be sent is tried again, later each time, and holds up its target only', async () => {
  const ports = portsOf();
  failures = 2;
  ports.perform([message(1)]);
  await settle();
  expect(failures).toBe(1);
  failures = 2;
  await settle(150);
  expect([left, failures]).toEqual([[], 2]);
  await settle(100);
  expect([left, failures]).toEqual([[], 1]);
  await settle(400);
  expect([left, failures]).toEqual([[], 0]);
  ports.perform([message(2), message(3, 'other')]);
  await settle();
  expect(left).toEqual(['e3:p/1']);
  await settle(60_000);
  // What failed may have left all the same.
  expect(left).toEqual(['e3:p/1', 'e1:p/1?', 'e2:p/1']);
  expect(confirmed).toEqual(['e3:p/1', 'e1:p/1', 'e2:p/1']);
});

test('a confirmation that fails is tried again; the message is not sent a second time', async () => {
  let full = true;
  portsOf(async (ids) => {
    if (full) throw new Error('disk full');
    confirmed.push(...ids);
  }).perform([message(1)]);
  await settle();
  full = false;
  await settle(10_000);
  expect(confirmed).toEqual(['e1:p/1']);
  expect(left).toEqual(['e1:p/1']);
});

test('what was left over from an earlier run says that it may be the second time', async () => {
  portsOf().perform([message(1)], true);
  await settle();
  expect(left).toEqual(['e1:p/1?']);
});

test('after close nothing more leaves; what waits stays unconfirmed for the next start', async () => {
  const ports = portsOf();
  failures = 1;
  ports.perform([message(1), message(2)]);
  await settle();
  ports.close();
  await settle(60_000);
  expect([left, confirmed]).toEqual([[], []]);
});

test('a message for a port that is not there is confirmed and logged, and does not hold up others', async () => {
  portsOf().perform([message(1, 't', 'gone'), message(2)]);
  await settle();
  expect([left, confirmed]).toEqual([['e2:p/1'], ['e1:p/1', 'e2:p/1']]);
});

test('the console port writes one line of the log, with what was sent', async () => {
  const lines: string[] = [];
  const log = createLogger({ level: 'info', to: { write: (line) => void lines.push(line) } });
  const port = consolePort(log);
  await port.send(
    { id: 'e:p/1', port: 'console', target: 'кому', payload: '{"text":"a\\nb","token":"x"}' },
    false,
  );
  await port.send({ id: 'e:p/2', port: 'console', target: '', payload: '1' }, true);
  expect(lines.map((line) => JSON.parse(line))).toMatchObject([
    { level: 'info', port: 'console', send: 'e:p/1', target: 'кому', payload: { text: 'a\nb' } },
    { send: 'e:p/2', payload: 1, doubtful: true },
  ]);
  expect(lines[0]!.trimEnd()).not.toContain('\n');
});
