import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isNeiraError } from '../errors.ts';
import { fromCloudEvent, toCloudEvent } from './cloud-events.ts';
import type { Envelope } from './envelope.ts';

const seed = Number(process.env['NEIRA_TEST_SEED'] ?? Date.now() % 1_000_000);
const NOW_MS = Date.UTC(2025, 8, 21, 7);

const envelope: Envelope = {
  id: 'e1',
  event_name: 'nlp.intent.detected',
  version: 2,
  ts: '2025-09-21T06:59:59.123Z',
  source: 'plugin:nlp',
  correlation_id: 'c1',
  causation_id: 'e0',
  tenant: 'family',
  headers: { traceparent: '00-a-b-01', idempotency_key: 'k', tenant: 'a header', ce_subject: 'kitchen' },
  payload: { intent: 'weather.now' },
};

test('an envelope is a CloudEvent 1.0', () => {
  expect(toCloudEvent(envelope, 'urn:neira:event:nlp.intent.detected:2.0.0')).toEqual({
    specversion: '1.0',
    id: 'e1',
    source: 'plugin:nlp',
    type: 'nlp.intent.detected@2',
    time: '2025-09-21T06:59:59.123Z',
    datacontenttype: 'application/json',
    dataschema: 'urn:neira:event:nlp.intent.detected:2.0.0',
    subject: 'kitchen',
    correlationid: 'c1',
    causationid: 'e0',
    tenant: 'family',
    traceparent: '00-a-b-01',
    headers: '{"idempotency_key":"k","tenant":"a header"}',
    data: { intent: 'weather.now' },
  });
});

const word = fc.stringMatching(/^[a-z][a-z0-9_]{0,8}$/);
const headers = fc.dictionary(
  fc.oneof(
    fc.stringMatching(/^[a-z0-9][a-z0-9_-]{0,30}$/),
    fc.constantFrom('data', 'id', 'headers', 'subject', 'ce_subject'),
  ),
  fc.string({ maxLength: 20 }),
  { maxKeys: 5 },
);
const envelopes: fc.Arbitrary<Envelope> = fc.record({
  id: fc.uuid(),
  event_name: fc.array(word, { minLength: 2, maxLength: 3 }).map((parts) => parts.join('.')),
  version: fc.integer({ min: 1, max: 9999 }),
  ts: fc.integer({ min: 0, max: 4e12 }).map((ms) => new Date(ms).toISOString()),
  source: fc.string({ minLength: 1, maxLength: 20 }),
  correlation_id: fc.uuid(),
  causation_id: fc.option(fc.uuid()),
  tenant: word,
  headers,
  payload: fc.jsonValue(),
});

test(`out and back it is the same envelope (seed ${seed})`, () => {
  fc.assert(
    fc.property(envelopes, (sealed) => {
      const wire = JSON.parse(JSON.stringify(toCloudEvent(sealed))) as unknown;
      expect(fromCloudEvent(wire, NOW_MS)).toEqual(JSON.parse(JSON.stringify(sealed)));
    }),
    { seed, numRuns: 500 },
  );
});

test('an event of somebody else gets what it lacks', () => {
  const least = {
    specversion: '1.0',
    id: 'x',
    source: '/sensors/3',
    type: 'room.door.opened',
    sampledrate: 3,
    hot: true,
  };
  expect(fromCloudEvent(least, NOW_MS)).toEqual({
    id: 'x',
    event_name: 'room.door.opened',
    version: 1,
    ts: '2025-09-21T07:00:00.000Z',
    source: '/sensors/3',
    correlation_id: 'x',
    causation_id: null,
    tenant: 'default',
    headers: { sampledrate: '3', hot: 'true' },
    payload: null,
  });
});

describe('what is no event is refused with its attribute', () => {
  const good = { specversion: '1.0', id: 'x', source: 's', type: 'room.door.opened@1' };
  test.each<[attribute: string, value: unknown]>([
    ['specversion', { ...good, specversion: '0.3' }],
    ['id', { ...good, id: undefined }],
    ['type', { ...good, type: 'com.Example.Made' }],
    ['type', { ...good, type: 'door@1' }],
    ['time', { ...good, time: 'yesterday' }],
    ['data_base64', { ...good, data_base64: 'AAAA' }],
    ['datacontenttype', { ...good, datacontenttype: 'text/xml' }],
    ['headers', { ...good, headers: '[1]' }],
    ['trace', { ...good, trace: { a: 1 } }],
    ['specversion', 'text'],
  ])('%s', (attribute, value) => {
    let paths: string[] = [];
    try {
      fromCloudEvent(value, NOW_MS);
    } catch (error) {
      if (!isNeiraError(error)) throw error;
      expect(error.code).toBe('NEIRA_EVENT_INVALID');
      paths = (error.details['errors'] as { path: string }[]).map(({ path }) => path);
    }
    expect(paths).toContain(attribute);
  });
});
