/** The live memory of a host's main thread: what is left after a collection, asked of its inspector. */
import type { SpawnedHost } from './boot-host.ts';

/** Environment of a host whose heap is to be measured; its inspector listens on loopback, at a free port. */
export const INSPECTED = { NODE_OPTIONS: '--inspect=127.0.0.1:0' };

export interface Heap extends Disposable {
  /** Bytes that are in use once everything that can be collected is. */
  liveBytes(): Promise<number>;
}

/** To be disposed of before the host ends: it waits for whoever inspects it. */
export async function inspectHeap(host: SpawnedHost): Promise<Heap> {
  const address = /ws:\/\/127\.0\.0\.1:\d+\/[\w-]+/.exec(host.log())?.[0];
  if (address === undefined) throw new Error('the host was not started with INSPECTED');
  const socket = new WebSocket(address);
  await new Promise((resolve, reject) => {
    socket.onopen = resolve;
    socket.onerror = reject;
  });
  const open = new Map<number, (result: unknown) => void>();
  let last = 0;
  socket.onmessage = ({ data }) => {
    const { id, result } = JSON.parse(String(data)) as { id?: number; result?: unknown };
    if (id === undefined) return;
    open.get(id)?.(result);
    open.delete(id);
  };
  const call = (method: string) =>
    new Promise<unknown>((resolve) => {
      open.set(++last, resolve);
      socket.send(JSON.stringify({ id: last, method }));
    });
  return {
    async liveBytes() {
      await call('HeapProfiler.collectGarbage');
      return ((await call('Runtime.getHeapUsage')) as { usedSize: number }).usedSize;
    },
    [Symbol.dispose]: () => socket.close(),
  };
}
