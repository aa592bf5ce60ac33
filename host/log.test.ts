import { expect, test } from 'vitest';
import { createLogger } from './log.ts';

function recorder() {
  const lines: string[] = [];
  return { lines, to: { write: (line: string) => void lines.push(line) } };
}

test('a line is one JSON object with the level by name', () => {
  const { lines, to } = recorder();
  createLogger({ to }).child({ plugin: 'demo' }).info({ turn: 7 }, 'done');
  expect(JSON.parse(lines[0]!)).toMatchObject({ level: 'info', plugin: 'demo', turn: 7, msg: 'done' });
  createLogger({ to, level: 'warn' }).info('quiet');
  expect(lines).toHaveLength(1);
});

test('no secret reaches the log, however deep or named', () => {
  const { lines, to } = recorder();
  const logger = createLogger({ to });
  const secret = 'hunter2hunter2';
  logger.info({
    token: secret,
    deep: [{ headers: { Authorization: secret, 'set-cookie': secret } }],
    adminToken: secret,
    apiKey: secret,
    private_key: secret,
  });
  logger.child({ password: secret }).warn(`sent Authorization: Bearer ${secret}`);
  logger.error({
    err: Object.assign(new Error(`Bearer ${secret} is wrong`), { details: { token: secret } }),
  });
  logger.error(Object.assign(new Error('x'), { secret }));
  expect(lines.join('')).not.toContain(secret);
  expect(lines.join('')).toContain('[hidden]');
  for (const line of lines) JSON.parse(line);
  expect(JSON.parse(lines[2]!).err.stack).toContain('Error: Bearer [hidden] is wrong');
});

test('fields that only sound like secrets stay', () => {
  const { lines, to } = recorder();
  createLogger({ to }).info({ tokens_used: 3, key: 'chat-1', tokenizer: 'x' });
  expect(JSON.parse(lines[0]!)).toMatchObject({ tokens_used: 3, key: 'chat-1', tokenizer: 'x' });
});
