/**
 * The load of the HTTP bench, in a process of its own: keep-alive connections that each send the next request
 * when the answer to the last is there. Bare sockets, so that it takes as little of the machine as it can.
 *
 *     node load.ts <url> <token> <connections> <seconds>      prints {requests, seconds, p50Ms, p99Ms}
 */
import { connect } from 'node:net';
import { quantile } from './kit.ts';

const EVENT = {
  tool_id: 'pencil',
  event: 'ui.pencil.draw',
  params: {
    points: [
      [12.5, 20],
      [14, 22.25],
      [17, 25],
      [21.75, 29],
      [26, 32.5],
      [32, 36],
      [38.25, 38],
      [45, 39],
    ],
    color: '#cc3300',
    size: 4,
  },
};

interface Result {
  readonly requests: number;
  readonly seconds: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

function requestOf(url: URL, token: string, connection: number): Buffer {
  const context = { chat_id: `chat-${connection}`, session_id: `s-${process.pid}` };
  const body = JSON.stringify({ ...EVENT, context });
  return Buffer.from(
    `POST /api/neira/ui/events HTTP/1.1\r\nHost: ${url.host}\r\nAuthorization: Bearer ${token}\r\n` +
      `Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
}

function drive(url: URL, request: Buffer, untilMs: number, latencies: number[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(Number(url.port), url.hostname);
    socket.setNoDelay(true);
    let sentAt = 0;
    let text = '';
    const send = () => {
      sentAt = performance.now();
      socket.write(request);
    };
    socket.on('connect', send);
    socket.on('error', reject);
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
      const end = text.indexOf('\r\n\r\n');
      if (end < 0) return;
      const length = Number(/content-length: (\d+)/i.exec(text)?.[1]);
      if (text.length < end + 4 + length) return;
      if (!text.startsWith('HTTP/1.1 200')) return reject(new Error(`the answer was ${text}`));
      text = '';
      const now = performance.now();
      latencies.push(now - sentAt);
      if (now < untilMs) return send();
      socket.destroy();
      resolve();
    });
  });
}

const [address, token, connections, seconds] = process.argv.slice(2) as [string, string, string, string];
const url = new URL(address);
const latencies: number[] = [];
const started = performance.now();
const requests = Array.from({ length: Number(connections) }, (_, index) => requestOf(url, token, index));
await Promise.all(
  requests.map((request) => drive(url, request, started + Number(seconds) * 1000, latencies)),
);
const result: Result = {
  requests: latencies.length,
  seconds: (performance.now() - started) / 1000,
  p50Ms: quantile(latencies, 0.5),
  p99Ms: quantile(latencies, 0.99),
};
console.log(JSON.stringify(result));
