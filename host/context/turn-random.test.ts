import { expect, test } from 'vitest';
import { TurnRandom } from './turn-random.ts';

const SECRET = Buffer.alloc(32, 7);
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

test('a delivery draws the same stream whenever it runs', () => {
  const [a, b] = [new TurnRandom(SECRET, 'e1:p'), new TurnRandom(SECRET, 'e1:p')];
  expect(a.bytes(100)).toEqual(b.bytes(100));
  expect(a.bytes(5)).toEqual(b.bytes(5));
  expect(a.id()).toBe(b.id());
});

test('another delivery, or another home, draws otherwise', () => {
  const drawn = [
    [SECRET, 'e1:p'],
    [SECRET, 'e2:p'],
    [SECRET, 'e1:q'],
    [Buffer.alloc(32, 8), 'e1:p'],
  ].map(([secret, delivery]) =>
    Buffer.from(new TurnRandom(secret as Buffer, delivery as string).bytes(16)).toString('hex'),
  );
  expect(new Set(drawn).size).toBe(drawn.length);
});

test('ids are beside the stream: drawing one does not move the other', () => {
  const [a, b] = [new TurnRandom(SECRET, 'e1:p'), new TurnRandom(SECRET, 'e1:p')];
  a.id();
  a.id();
  expect(a.bytes(40)).toEqual(b.bytes(40));
  const ids = Array.from({ length: 100 }, () => b.id());
  expect(new Set(ids).size).toBe(100);
  for (const id of ids) expect(id).toMatch(UUID);
});

test('no part of the stream repeats, and any length is served', () => {
  const random = new TurnRandom(SECRET, 'e1:p');
  expect(random.bytes(0)).toHaveLength(0);
  const parts = Array.from({ length: 200 }, () => Buffer.from(random.bytes(16)).toString('hex'));
  expect(new Set(parts).size).toBe(200);
  expect(random.bytes(65_536)).toHaveLength(65_536);
});
