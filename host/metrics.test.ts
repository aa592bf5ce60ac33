import { expect, test } from 'vitest';
import { quantile } from './base/quantile.ts';
import { MAX_LABEL_VALUES, Metrics } from './metrics.ts';

// OBS-06, BUS-18
test('deliveries, refusals, conflicts and kills are counted by their words', async () => {
  const metrics = new Metrics();
  for (const outcome of ['done', 'done', 'retried', 'dead', 'shed'] as const)
    metrics.delivered('a.b', outcome);
  metrics.publishRefused('too-large');
  metrics.conflict('a.b');
  metrics.cellKilled('memory');
  const text = await metrics.text();
  for (const line of [
    'neira_deliveries_total{plugin="a.b",outcome="done"} 2',
    'neira_deliveries_total{plugin="a.b",outcome="dead"} 1',
    'neira_publish_refused_total{reason="too-large"} 1',
    'neira_turn_conflicts_total{plugin="a.b"} 1',
    'neira_cell_kills_total{reason="memory"} 1',
  ])
    expect(text).toContain(`${line}\n`);
  expect((await metrics.summary()).deliveries).toEqual({
    done: 2,
    retried: 1,
    dead: 1,
    failed: 0,
    refused: 0,
    expired: 0,
    shed: 1,
  });
});

test('mailboxes are asked at each scrape, and one that is gone leaves no number behind', async () => {
  const metrics = new Metrics();
  let mailboxes = [
    { plugin: 'a', subscription: 'note.>', depth: 3, oldestAtMs: Date.now() - 60_000 },
    { plugin: 'a', subscription: 'tick', depth: 0, oldestAtMs: undefined },
  ];
  metrics.watchMailboxes(() => mailboxes);
  const text = await metrics.text();
  expect(text).toContain('neira_mailbox_depth{plugin="a",subscription="note.>"} 3\n');
  expect(text).toMatch(/neira_mailbox_oldest_seconds\{plugin="a",subscription="note.>"\} (?:6\d|[7-9]\d)/);
  expect(text).toContain('neira_mailbox_oldest_seconds{plugin="a",subscription="tick"} 0\n');
  mailboxes = mailboxes.slice(1);
  expect(await metrics.text()).not.toContain('note.>');
});

test('a label that grows without end is cut off, and nothing is lost from the sum', async () => {
  const metrics = new Metrics();
  const extra = 25;
  for (let i = 0; i < MAX_LABEL_VALUES + extra; i++) {
    metrics.delivered(`plugin.${i}`, 'done');
    metrics.eventPublished(`event.${i}`);
  }
  const text = await metrics.text();
  expect(text).toContain(`neira_deliveries_total{plugin="other",outcome="done"} ${extra}\n`);
  expect(text.match(/^neira_events_published_total\{/gm)).toHaveLength(MAX_LABEL_VALUES + 1);
  expect((await metrics.summary()).published).toBe(MAX_LABEL_VALUES + extra);
});

test('the summary gives quantiles over all plugins, and none before the first turn', async () => {
  const metrics = new Metrics();
  expect((await metrics.summary()).turns).toEqual({ count: 0, p50Ms: null, p95Ms: null });
  for (let i = 0; i < 90; i++) metrics.turnEnded(`p${i % 3}`, 'ok', 0.4, 0);
  for (let i = 0; i < 10; i++) metrics.turnEnded('slow', 'failed', 400, 0);
  metrics.committed(64, 250);
  const { turns, commits } = await metrics.summary();
  expect(turns.count).toBe(100);
  expect(turns.p50Ms).toBeGreaterThan(0.25);
  expect(turns.p50Ms).toBeLessThanOrEqual(0.5);
  expect(turns.p95Ms).toBeGreaterThan(250);
  expect(turns.p95Ms).toBeLessThanOrEqual(500);
  expect(commits.count).toBe(1);
  expect(commits.medianRecords).toBeGreaterThan(32);
  expect(commits.medianRecords).toBeLessThanOrEqual(64);
});

test('a quantile above the last bound is that bound', () => {
  const buckets = [
    { upTo: 1, count: 1 },
    { upTo: 2, count: 1 },
    { upTo: Number.POSITIVE_INFINITY, count: 10 },
  ];
  expect(quantile(buckets, 0.5)).toBe(2);
  expect(quantile(buckets, 0.05)).toBe(0.5);
  expect(quantile([], 0.5)).toBeNull();
});
