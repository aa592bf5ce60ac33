import { setTimeout as sleep } from 'node:timers/promises';
import type { Envelope } from '../bus/envelope.ts';
import type { Problem } from '../errors.ts';
import { type Client, Refused } from './client.ts';

export interface Following {
  readonly subject?: string | undefined;
  /** RFC 3339. */
  readonly since?: string | undefined;
  /** The place of the last event that was seen. */
  readonly after?: string | undefined;
  /** Ends it, without an error. */
  readonly signal: AbortSignal;
  /** The connection was lost, and is tried again. */
  lost(): void;
}

const FIRST_WAIT_MS = 100;
const MAX_WAIT_MS = 5_000;
/** The host says something every 15 seconds; a connection that is silent for longer is dead. */
const SILENCE_MS = 45_000;

/**
 * Live events, each once: after a lost connection it goes on behind the last that came, for as long as it takes.
 * @throws what the host says to the first attempt, and refusals that waiting does not mend
 */
export async function* follow(host: Client, how: Following): AsyncGenerator<Envelope, undefined> {
  const { subject, since, signal } = how;
  const query = new URLSearchParams();
  if (subject !== undefined) query.set('subject', subject);
  if (since !== undefined) query.set('since', since);
  const path = query.size > 0 ? `/api/neira/events?${query}` : '/api/neira/events';
  let lastId = how.after;
  let connected = false;
  let waitMs = FIRST_WAIT_MS;
  while (!signal.aborted) {
    const silence = new AbortController();
    try {
      const headers = {
        accept: 'text/event-stream',
        ...(lastId !== undefined && { 'last-event-id': lastId }),
      };
      const until = AbortSignal.any([signal, silence.signal]);
      for await (const { id, data } of blocksOf(host.stream(path, { headers, signal: until }), silence)) {
        connected = true;
        waitMs = FIRST_WAIT_MS;
        lastId = id ?? lastId;
        if (data !== undefined) yield JSON.parse(data) as Envelope;
      }
    } catch (error) {
      if (!signal.aborted && (!connected || isFinal(error))) throw error;
    }
    if (signal.aborted) return;
    if (waitMs === FIRST_WAIT_MS) how.lost();
    await sleep(waitMs, undefined, { signal }).catch(() => undefined);
    waitMs = Math.min(waitMs * 2, MAX_WAIT_MS);
  }
}

function isFinal(error: unknown): boolean {
  if (!(error instanceof Refused)) return false;
  const { status }: Problem = error.problem;
  return status < 500 && status !== 429;
}

interface Block {
  readonly id?: string;
  readonly data?: string;
}

/** The blocks of a stream of Server-Sent Events. One that is cut short is none. */
async function* blocksOf(stream: AsyncIterable<Uint8Array>, silence: AbortController): AsyncGenerator<Block> {
  const decoder = new TextDecoder();
  const chunks = stream[Symbol.asyncIterator]();
  try {
    for (let text = ''; ; ) {
      const timer = setTimeout(() => silence.abort(), SILENCE_MS);
      const next = await chunks.next().finally(() => clearTimeout(timer));
      if (next.done) return;
      const blocks = (text + decoder.decode(next.value, { stream: true })).split('\n\n');
      text = blocks.pop()!;
      for (const block of blocks) yield blockOf(block);
    }
  } finally {
    await chunks.return?.();
  }
}

function blockOf(text: string): Block {
  const lines = text.split('\n');
  const field = (name: string) => lines.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2);
  const id = field('id');
  const data = field('data');
  return { ...(id !== undefined && { id }), ...(data !== undefined && { data }) };
}
