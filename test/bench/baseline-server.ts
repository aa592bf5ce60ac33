/**
 * What the HTTP path is measured against: fastify, one ajv schema, one durable append by a writer thread with
 * group commit. No token, no plugin, no sandbox, no effects, no journal.
 *
 *     node baseline-server.ts <home>
 */
import { randomUUID } from 'node:crypto';
import { Worker } from 'node:worker_threads';
import fastify from 'fastify';

const BODY = {
  type: 'object',
  additionalProperties: false,
  required: ['tool_id', 'event', 'params'],
  properties: {
    tool_id: { type: 'string', minLength: 1, maxLength: 200 },
    event: { type: 'string', pattern: '^[a-z][a-z0-9_]*(\\.[a-z][a-z0-9_]*)+$' },
    params: {
      type: 'object',
      properties: {
        points: { type: 'array', items: { type: 'array', items: { type: 'number' } } },
        color: { type: 'string' },
        size: { type: 'integer' },
      },
    },
    context: { type: 'object' },
  },
};

interface Body {
  readonly event: string;
}

const writer = new Worker(new URL('./baseline-writer.ts', import.meta.url), {
  workerData: { home: process.argv[2] },
});
const waiting = new Map<number, () => void>();
let gathered: unknown[] = [];
let numbers = 0;

/** Posts what one tick gathers as one message, as the host does. */
function append(id: string, body: Body): Promise<void> {
  return new Promise((resolve) => {
    const now = Date.now();
    const envelope = JSON.stringify({ id, ts: new Date(now).toISOString(), payload: body });
    if (gathered.length === 0) {
      setImmediate(() => {
        writer.postMessage(JSON.stringify(gathered));
        gathered = [];
      });
    }
    gathered.push([++numbers, id, body.event, now, envelope]);
    waiting.set(numbers, resolve);
  });
}

writer.on('message', (text: string) => {
  for (const number of JSON.parse(text) as number[]) {
    waiting.get(number)!();
    waiting.delete(number);
  }
});

const app = fastify({ logger: false });
app.post('/api/neira/ui/events', { schema: { body: BODY } }, async (request) => {
  const id = randomUUID();
  await append(id, request.body as Body);
  return { event_id: id, mode: 'executed', ran: true, actions: [] };
});
const url = await app.listen({ host: '127.0.0.1', port: 0 });
process.stdout.write(`baseline listening on ${url}\n`);
