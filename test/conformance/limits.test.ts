import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { bootHost, SCRIPT_GATES, type TestHost } from '../kit/boot-host.ts';
import { ENGINES, type Ending, Probe, PUBLISHED, type Step } from './probe.ts';

// HOST-25, HOST-06: every limit of the manifest is enforced, and the turn that meets one keeps nothing.

const MARK: Step = ['storage.set', 'mark', 'staged before the limit'];

describe.each(ENGINES)('$name', (engine) => {
  let host: TestHost;
  let number = 0;

  beforeAll(async () => {
    host = await bootHost({ gates: [...new Set([...SCRIPT_GATES, engine.gate])] });
  });
  afterAll(() => host.close());

  const limited = (limits: Record<string, number>) =>
    Probe.register(host, engine, `limited${++number}`, { limits });

  async function expectNothingKept(probe: Probe): Promise<void> {
    expect(await probe.stored('mark')).toBeUndefined();
    // And it is usable again at once.
    expect(await probe.run([['storage.get', 'mark']])).toEqual([{}]);
  }

  test('host_calls: one call too many ends the turn; it cannot be caught', async () => {
    const probe = await limited({ host_calls: 5 });
    const five = Array.from({ length: 5 }, (): Step => ['storage.get', 'k']);
    expect(await probe.run(five)).toHaveLength(5);
    expect(await probe.fail([MARK, ...five])).toMatchObject({ code: 'NEIRA_HOST_CALLS_EXCEEDED', max: 5 });
    await expectNothingKept(probe);
  });

  test('host_calls: calls that are refused count too, lines of the log do not', async () => {
    const probe = await limited({ host_calls: 5 });
    expect(await probe.run([['probe.call-often', 50, 'io.log', 'info', 'x']])).toEqual([{}]);
    expect(await probe.fail([['probe.call-often', 6, 'storage.get', '']])).toMatchObject({
      code: 'NEIRA_HOST_CALLS_EXCEEDED',
    });
  });

  test('publishes: events and sends together; the plugin may catch it and go on', async () => {
    const probe = await limited({ publishes: 3 });
    const send: Step = ['io.send', 'console', 'x', 1];
    const publish: Step = ['bus.publish', PUBLISHED, 1];
    const answers = await probe.run([send, publish, send, publish, send]);
    expect(answers.map(({ code }) => code)).toEqual([
      undefined,
      undefined,
      undefined,
      'NEIRA_PUBLISHES_EXCEEDED',
      'NEIRA_PUBLISHES_EXCEEDED',
    ]);
    expect(answers[3]).toMatchObject({ details: { max: 3 } });
  });

  test('log_kb: what is over is dropped and counted', async () => {
    const probe = await limited({ log_kb: 1 });
    const line = 'ж'.repeat(250);
    await probe.run([
      ['io.log', 'info', line],
      ['probe.call-often', 10, 'io.log', 'info', line],
    ]);
    const messages = (await probe.logs()).map(({ message }) => message);
    expect(messages.filter((message) => message === line)).toHaveLength(2);
    expect(messages).toContainEqual(expect.stringMatching(/^9 log lines .*dropped/));
  });

  test('output_kb: an answer of that size is taken, a larger one fails the turn', async () => {
    const probe = await limited({ output_kb: 4 });
    expect((await probe.run([['probe.reply', 3]]))[0]!.value).toHaveLength(3 * 1024);
    expect(await probe.fail([MARK, ['probe.reply', 4]])).toMatchObject({
      code: 'NEIRA_OUTPUT_TOO_LARGE',
      maxBytes: 4096,
    });
    await expectNothingKept(probe);
  });

  test('output_kb counts bytes, not letters', async () => {
    const probe = await limited({ output_kb: 4 });
    await probe.run([['storage.set', 'k', 'ж'.repeat(1900)]]);
    await probe.run([['storage.get', 'k']]);
    await probe.run([['storage.set', 'k', 'ж'.repeat(2100)]]);
    expect(await probe.fail([['storage.get', 'k']])).toMatchObject({ code: 'NEIRA_OUTPUT_TOO_LARGE' });
  });

  test('storage_mb: the turn that would hold more fails whole; deleting makes room', async () => {
    const probe = await limited({ storage_mb: 1 });
    const value = 'x'.repeat(200 * 1024);
    const fill = (names: string): Step[] => [...names].map((name) => ['storage.set', name, value]);
    await probe.run(fill('abcd'));
    expect(await probe.fail([MARK, ...fill('ef')])).toMatchObject({
      code: 'NEIRA_STORAGE_FULL',
      storageMb: 1,
    });
    await expectNothingKept(probe);
    expect(await probe.stored('e')).toBeUndefined();
    await probe.run([['storage.delete', 'a'], ...fill('e')]);
    expect(await probe.stored('a')).toBeUndefined();
    expect(await probe.stored('e')).toBe(value);
  });

  test('storage_mb counts annotations and messages', async () => {
    const probe = await limited({ storage_mb: 1 });
    const data = 'x'.repeat(250 * 1024);
    const save: Step = ['storage.save-annotation', { chatId: 'full', sessionId: 's', kind: 'k', data }];
    await probe.run([save, save, save]);
    expect(await probe.fail([save, save])).toMatchObject({ code: 'NEIRA_STORAGE_FULL' });
  });

  const ended: readonly [
    string,
    Record<string, number>,
    readonly (Step | Ending)[],
    Record<string, unknown>,
  ][] = [
    [
      'cpu_ms: computing',
      { cpu_ms: 5 },
      [['probe.spin']],
      { code: 'NEIRA_CPU_EXCEEDED', cpuMs: 5, status: 500 },
    ],
    [
      'turn_ms: running',
      { turn_ms: 200, cpu_ms: 5000 },
      [['probe.spin']],
      { code: 'NEIRA_TURN_TIMEOUT', turnMs: 200, status: 504 },
    ],
    [
      'memory_mb: filling memory',
      { memory_mb: 16, turn_ms: 5000, cpu_ms: 5000 },
      [['probe.fill-memory', 64 * 1024]],
      { code: 'NEIRA_MEMORY_EXCEEDED', memoryMb: 16, status: 500 },
    ],
    [
      'cpu_ms: a flood of host calls',
      { cpu_ms: 5, host_calls: 100_000 },
      [['probe.call-often', 90_000, 'storage.get', 'k']],
      { code: 'NEIRA_CPU_EXCEEDED' },
    ],
  ];
  test.each(ended)('%s ends the turn and keeps nothing of it', async (_claim, limits, steps, problem) => {
    const probe = await limited(limits);
    expect(await probe.fail([MARK, ...steps])).toMatchObject(problem);
    await expectNothingKept(probe);
  });

  test('memory that one turn used is there for the next', async () => {
    const probe = await limited({ memory_mb: 16, turn_ms: 5000, cpu_ms: 5000 });
    for (let turn = 0; turn < 5; turn++) await probe.run([['probe.fill-memory', 8 * 1024]]);
  });

  test('cpu_ms is a count of work, not of time: the same work passes or fails alike every time', async () => {
    const probe = await limited({ cpu_ms: 40, turn_ms: 10_000 });
    const outcomes = async (rounds: number) => {
      const answers = await Promise.all(
        Array.from({ length: 8 }, () => probe.send([['probe.spin-for', rounds]])),
      );
      return new Set(answers.map(({ status }) => status));
    };
    let rounds = 500;
    while ((await outcomes(rounds)).has(200)) rounds *= 2;
    expect(await outcomes(rounds)).toEqual(new Set([500]));
    expect(await outcomes(rounds / 4)).toEqual(new Set([200]));
  });

  test('work staged in one turn is bounded, whatever the other limits say', async () => {
    const probe = await limited({ host_calls: 1000, cpu_ms: 5000, turn_ms: 10_000, output_kb: 4096 });
    const value = 'x'.repeat(250 * 1024);
    const steps = Array.from({ length: 40 }, (_, n): Step => ['storage.set', `k${n}`, value]);
    const { status, body } = await probe.send([['probe.reply', 1], ...steps.slice(0, 3)]);
    expect([status, body.actions[0].answers.length]).toEqual([200, 4]);
    const [answer] = await probe.run([['probe.call-often', 40, ...steps[0]!]]);
    expect(answer).toMatchObject({
      code: 'NEIRA_VALUE_TOO_LARGE',
      details: { what: 'work staged in one turn' },
    });
  });
});
