import { randomBytes } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { createServer, type Socket } from 'node:net';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type HttpPeer, openPeer, reset, silence } from '../../../test/kit/http-peer.ts';
import { specialRange } from './addresses.ts';
import { type Exchange, HttpClient } from './client.ts';
import type { Resolve } from './connector.ts';

/** One exchange with a real server: what it refuses to connect to, and how much it takes from the other side. */

const MAX = 10_000;
let peer: HttpPeer;
let clients: HttpClient[];

beforeEach(async () => {
  peer = await openPeer();
  clients = [];
});
afterEach(async () => {
  for (const client of clients) await client.close();
  await peer.close();
});

function clientOf(resolve?: Resolve): HttpClient {
  const client = resolve ? new HttpClient(resolve) : new HttpClient();
  clients.push(client);
  return client;
}

function asked(changes: Partial<Exchange> & { readonly at?: string } = {}): Exchange {
  const { at = peer.url, ...rest } = changes;
  return {
    method: 'GET',
    url: new URL(at),
    headers: [],
    isPrivate: true,
    alone: false,
    maxBodyBytes: MAX,
    signal: new AbortController().signal,
    onSent: () => {},
    skipsBody: () => false,
    ...rest,
  };
}

const refusedAddress = (host?: string) =>
  expect.objectContaining({
    kind: 'failed',
    sent: false,
    cause: expect.objectContaining({
      code: 'NEIRA_ADDRESS_REFUSED',
      ...(host !== undefined && { details: expect.objectContaining({ host }) }),
    }),
  });

describe('addresses that are not the world’s', () => {
  test.each([
    '127.0.0.1',
    '127.8.8.8',
    '0.0.0.0',
    '10.1.2.3',
    '172.16.0.1',
    '192.168.1.1',
    '169.254.169.254',
    '100.64.0.1',
    '100.100.100.200',
    '168.63.129.16',
    '192.0.0.1',
    '192.0.2.1',
    '198.18.0.1',
    '224.0.0.1',
    '240.0.0.1',
    '255.255.255.255',
    '::',
    '::1',
    '::ffff:127.0.0.1',
    '::ffff:8.8.8.8',
    '::127.0.0.1',
    '64:ff9b::7f00:1',
    '64:ff9b:1::1',
    '2002:7f00:1::',
    '2001::1',
    '2001:db8::1',
    'fe80::1',
    'fe80::1%eth0',
    'fec0::1',
    'fc00::1',
    'fd00:ec2::254',
    'ff02::1',
    '5f00::1',
    'nothing',
  ])('%s', (address) => {
    expect(specialRange(address)).toEqual(expect.any(String));
  });

  test.each(['8.8.8.8', '93.184.216.34', '2606:4700::1111'])('%s is the world’s', (address) => {
    expect(specialRange(address)).toBeUndefined();
  });
});

describe('no connection is made to this machine', () => {
  // In every spelling that a URL takes, all of which reach the peer when they are allowed.
  test.each([
    '127.0.0.1',
    '0.0.0.0',
    '2130706433',
    '0x7f.1',
    '017700000001',
    '127.1',
    '[::ffff:127.0.0.1]',
    '[::ffff:7f00:1]',
    'localhost',
  ])('http://%s', async (host) => {
    const at = `http://${host}:${peer.port}/`;
    await expect(clientOf().exchange(asked({ at, isPrivate: false }))).rejects.toEqual(refusedAddress());
    expect(peer.received).toEqual([]);
    if (host === '0.0.0.0') return;
    await clientOf().exchange(asked({ at }));
    expect(peer.received).toHaveLength(1);
  });

  test.each(['[::1]', '[64:ff9b::7f00:1]', '[fd00:ec2::254]', '169.254.169.254'])(
    'http://%s',
    async (host) => {
      await expect(
        clientOf().exchange(asked({ at: `http://${host}:${peer.port}/`, isPrivate: false })),
      ).rejects.toEqual(refusedAddress());
    },
  );

  test('a name that resolves to it', async () => {
    const client = clientOf(async () => [{ address: '127.0.0.1', family: 4 }]);
    const at = `http://innocent.example.org:${peer.port}/`;
    await expect(client.exchange(asked({ at, isPrivate: false }))).rejects.toEqual(
      refusedAddress('innocent.example.org'),
    );
    expect(peer.received).toEqual([]);
  });

  test('of the addresses of a name only those of the world are tried', async () => {
    const client = clientOf(async () => [
      { address: '127.0.0.1', family: 4 },
      { address: '::1', family: 6 },
      { address: '10.0.0.1', family: 4 },
    ]);
    const at = `http://mixed.example.org:${peer.port}/`;
    await expect(client.exchange(asked({ at, isPrivate: false }))).rejects.toEqual(refusedAddress());
    expect(peer.received).toEqual([]);
  });

  test('a name that answers otherwise the second time: it is asked once for a connection', async () => {
    let lookups = 0;
    const changing: Resolve = async () => [
      lookups++ === 0 ? { address: '192.0.2.1', family: 4 } : { address: '127.0.0.1', family: 4 },
    ];
    const at = `http://rebinding.example.org:${peer.port}/`;
    await expect(clientOf(changing).exchange(asked({ at, isPrivate: false }))).rejects.toEqual(
      refusedAddress(),
    );
    expect(lookups).toBe(1);
    // The other way round: what was looked at is what is connected to.
    lookups = 1;
    await clientOf(changing).exchange(asked({ at, alone: true }));
    expect(lookups).toBe(2);
    expect(peer.received).toHaveLength(1);
  });

  test('a connection that one plugin may have is not lent to one that may not', async () => {
    const client = clientOf(async () => [{ address: '127.0.0.1', family: 4 }]);
    const at = `http://shared.example.org:${peer.port}/`;
    await client.exchange(asked({ at }));
    await expect(client.exchange(asked({ at, isPrivate: false }))).rejects.toEqual(refusedAddress());
    expect(peer.received).toHaveLength(1);
  });
});

describe('what an answer may be', () => {
  const chunks = (write: (response: ServerResponse) => void) =>
    peer.answer((_request, response) => write(response));

  test('a body at the limit is taken, one byte more is not', async () => {
    peer.answer(({ url }, response) => void response.end('x'.repeat(url === '/more' ? MAX + 1 : MAX)));
    expect((await clientOf().exchange(asked())).body).toHaveLength(MAX);
    await expect(clientOf().exchange(asked({ at: `${peer.url}/more` }))).rejects.toMatchObject({
      kind: 'too-large',
      status: 200,
      sent: true,
    });
  });

  test('an endless body ends at the limit', async () => {
    const closed = Promise.withResolvers<void>();
    chunks((response) => {
      const pour = () => {
        while (!response.destroyed && response.write(randomBytes(4096)));
      };
      response.on('drain', pour).once('close', () => closed.resolve());
      pour();
    });
    await expect(clientOf().exchange(asked())).rejects.toMatchObject({ kind: 'too-large' });
    await closed.promise;
  });

  test.each([
    ['gzip', gzipSync],
    ['br', brotliCompressSync],
  ] as const)('%s is decompressed; a bomb of it ends at the limit', async (encoding, compress) => {
    peer.answer(({ url }, response) => {
      response.setHeader('content-encoding', encoding);
      response.end(compress(url === '/bomb' ? Buffer.alloc(64 * 1024 * 1024) : 'packed'));
    });
    expect((await clientOf().exchange(asked())).body.toString()).toBe('packed');
    await expect(
      clientOf().exchange(asked({ at: `${peer.url}/bomb`, maxBodyBytes: 100_000 })),
    ).rejects.toMatchObject({ kind: 'too-large' });
  });

  test.each(['deflate', 'gzip, gzip', '__proto__'])(
    'a body that is encoded as %s is refused',
    async (encoding) => {
      peer.answer((_request, response) => {
        response.setHeader('content-encoding', encoding);
        response.end('x');
      });
      await expect(clientOf().exchange(asked())).rejects.toMatchObject({ kind: 'invalid', status: 200 });
    },
  );

  test('a body that is no gzip though it says so is refused', async () => {
    peer.answer((_request, response) => {
      response.setHeader('content-encoding', 'gzip');
      response.end('plain');
    });
    await expect(clientOf().exchange(asked())).rejects.toMatchObject({ kind: 'invalid' });
  });

  test('too many headers end the exchange', async () => {
    await using flood = await rawServer((socket) => {
      socket.write('HTTP/1.1 200 OK\r\n');
      for (let index = 0; index < 1000; index++) socket.write(`x-${index}: ${'y'.repeat(100)}\r\n`);
    });
    await expect(clientOf().exchange(asked({ at: flood.url }))).rejects.toMatchObject({
      kind: 'failed',
      sent: true,
    });
  });

  test('a slow drip ends with the time that is given', async () => {
    chunks((response) => {
      const timer = setInterval(() => response.write('.'), 5);
      response.once('close', () => clearInterval(timer));
    });
    const signal = AbortSignal.timeout(200);
    await expect(clientOf().exchange(asked({ signal }))).rejects.toMatchObject({
      kind: 'aborted',
      sent: true,
      status: 200,
    });
  });

  test.each([
    ['nothing of HTTP', 'hello\r\n\r\n'],
    ['a header with a broken name', 'HTTP/1.1 200 OK\r\nbad name: x\r\n\r\n'],
    ['two lengths', 'HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nxx'],
    ['an upgrade', 'HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n'],
  ])('%s is a failure after it was sent', async (_what, bytes) => {
    await using odd = await rawServer((socket) => void socket.end(bytes));
    await expect(clientOf().exchange(asked({ at: odd.url, alone: true }))).rejects.toMatchObject({
      kind: 'failed',
      sent: true,
    });
  });

  test('headers come by names in lower case, doubles joined, cookies a line each', async () => {
    peer.answer((_request, response) => {
      response.setHeader('X-Two', ['a', 'b']);
      response.setHeader('Set-Cookie', ['a=1; Expires=Wed, 21 Oct 2026', 'b=2']);
      response.end();
    });
    const { headers } = await clientOf().exchange(asked());
    expect(headers.get('x-two')).toBe('a, b');
    expect(headers.get('set-cookie')).toBe('a=1; Expires=Wed, 21 Oct 2026\nb=2');
  });
});

describe('whether anything left', () => {
  test('not when nobody listens', async () => {
    const { url } = peer;
    await peer.close();
    await expect(clientOf().exchange(asked({ at: url, alone: true }))).rejects.toMatchObject({
      kind: 'failed',
      sent: false,
    });
  });

  test('not when the other side speaks no TLS', async () => {
    await expect(
      clientOf().exchange(asked({ at: peer.url.replace('http:', 'https:'), alone: true })),
    ).rejects.toMatchObject({ kind: 'failed', sent: false });
    expect(peer.received).toEqual([]);
  });

  test('perhaps, when the connection is cut in the middle of the body', async () => {
    await using cutter = await rawServer((socket) => void socket.resetAndDestroy());
    const body = Buffer.alloc(1024 * 1024);
    await expect(
      clientOf().exchange(asked({ at: cutter.url, method: 'POST', body, alone: true })),
    ).rejects.toMatchObject({ kind: 'failed', sent: true });
  });

  test('not when the name does not exist', async () => {
    const nobody: Resolve = async () => {
      throw Object.assign(new Error('getaddrinfo ENOTFOUND'), { code: 'ENOTFOUND' });
    };
    await expect(
      clientOf(nobody).exchange(asked({ at: 'http://nowhere.example.org/', alone: true })),
    ).rejects.toMatchObject({ kind: 'failed', sent: false });
  });

  test('not when it was given up before it was connected', async () => {
    const aborter = new AbortController();
    const slow: Resolve = () =>
      new Promise((resolve) => {
        aborter.abort();
        setImmediate(() => resolve([{ address: '127.0.0.1', family: 4 }]));
      });
    const at = `http://slow.example.org:${peer.port}/`;
    for (const alone of [false, true])
      await expect(
        clientOf(slow).exchange(asked({ at, alone, signal: aborter.signal })),
      ).rejects.toMatchObject({ kind: 'aborted', sent: false });
    await clientOf().exchange(asked());
    expect(peer.received).toHaveLength(1);
  });

  test.each([
    ['a reset', reset],
    ['silence', silence],
  ] as const)('perhaps, at %s; and it is sent once', async (_what, behaviour) => {
    peer.answer(behaviour);
    const sent: number[] = [];
    const signal = AbortSignal.timeout(300);
    const exchange = asked({
      method: 'POST',
      body: Buffer.from('x'),
      alone: true,
      signal,
      onSent: () => sent.push(1),
    });
    await expect(clientOf().exchange(exchange)).rejects.toMatchObject({ sent: true });
    expect(sent).toEqual([1]);
    expect(peer.received).toHaveLength(1);
  });
});

async function rawServer(talk: (socket: Socket) => void) {
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', () => talk(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  return {
    url: `http://127.0.0.1:${port}/`,
    [Symbol.asyncDispose]: () => new Promise<void>((resolve) => void server.close(() => resolve())),
  };
}
