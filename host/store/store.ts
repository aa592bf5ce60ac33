import { mkdirSync, realpathSync } from 'node:fs';
import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads';
import type { KnownText } from '../base/masker.ts';
import { type ErrorShape, fromShape, NeiraError } from '../errors.ts';
import type { BusNews } from './bus-records.ts';
import { type Durability, databasePath, openForReading } from './database.ts';
import { lockHome } from './lock.ts';
import type { AckBatch, FromWriter, ToWriter, WriterOptions } from './messages.ts';
import { createReads, type StoreReads } from './reads.ts';
import type { Ack, WriteRecord } from './records.ts';

export interface StoreOptions {
  readonly home: string;
  readonly durability: Durability;
  /** Entry file of the writer thread, its composition root. */
  readonly writer: URL;
  /** Same as {@link Store.onTurnAck}, in place before anything can be acknowledged. */
  readonly onAck?: (acks: readonly Ack[]) => void;
  readonly testing?: {
    /** Makes the database full at so many pages. */
    readonly maxPageCount?: number;
  };
}

/** What went wrong without anybody waiting for an answer; for the log. */
export interface StoreProblem {
  readonly what: string;
  readonly reason: string;
  /** Nothing can be committed any more: the process has to start anew. */
  readonly fatal?: true;
}

export interface Store extends StoreReads, AsyncDisposable {
  readonly home: string;
  /** For `createKvReader` in cells. */
  readonly databasePath: string;
  /**
   * Hands a record to the writer; the answer comes when it is durable. Refusals are answers, not exceptions.
   * @throws NEIRA_STOPPING after close; NEIRA_STORE_FAILED when the writer thread was lost.
   */
  submit(record: WriteRecord): Promise<Ack>;
  /** A port for a cell thread: it posts `JSON.stringify(TurnRecord[])`, acks come to {@link onTurnAck}. */
  connectCell(): { readonly cell: number; readonly port: MessagePort };
  /** Every ack carries its turnId. Answers a function that stops listening. */
  onTurnAck(listener: (acks: readonly Ack[]) => void): () => void;
  /**
   * What the bus did in each group, after its acks. To the first listener goes when the next delayed event is
   * due; what waits in mailboxes until then is there to be read.
   */
  onNews(listener: (news: BusNews) => void): () => void;
  /** Says which plugins could run now: of a queue group they get the work. */
  listen(plugins: readonly string[]): void;
  /** Says which subjects leave for other hubs; what is submitted after it goes by it. */
  carry(patterns: readonly string[]): void;
  /** When this resolves, nothing that is committed tells any of these texts (censor.ts). */
  learn(known: readonly KnownText[]): Promise<void>;
  /** Told of every group that was committed, before its acks. */
  onCommit(listener: (records: number, micros: number) => void): () => void;
  onProblem(listener: (problem: StoreProblem) => void): () => void;
  /**
   * For after a cell thread has been terminated: when this resolves, all that the cell had posted is
   * committed and acknowledged, so a turn without an ack was never received.
   */
  fence(cell: number): Promise<void>;
  /** Fences the cell and closes its port. */
  retireCell(cell: number): Promise<void>;
  /** A consistent copy of the database, while the store goes on. */
  backup(path: string): Promise<void>;
  /** For tests of a full disk. */
  setMaxPageCount(count: number): Promise<void>;
  /** Commits what was submitted and posted, and closes; safe to call twice. */
  close(): Promise<void>;
}

interface Deferred<T> {
  resolve(value: T): void;
  reject(error: unknown): void;
}

/**
 * Opens the store of a home: takes its lock, migrates it, repairs its files, starts the writer thread.
 * @throws NEIRA_HOME_LOCKED, NEIRA_HOME_NEWER
 */
export async function openStore(options: StoreOptions): Promise<Store> {
  mkdirSync(options.home, { recursive: true, mode: 0o700 });
  const home = realpathSync(options.home);
  const lock = lockHome(home);
  const workerData: WriterOptions = {
    home,
    durability: options.durability,
    maxPageCount: options.testing?.maxPageCount,
  };
  const worker = new Worker(options.writer, {
    workerData,
    name: 'store',
    execArgv: [],
  });
  const problems: StoreProblem[] = [];
  let news: BusNews[];
  try {
    news = await ready(worker, problems);
  } catch (error) {
    await worker.terminate();
    lock[Symbol.dispose]();
    throw error;
  }
  const db = openForReading(databasePath(home));
  const store = connect(home, worker, createReads(db, home), { problems, news }, () => {
    db.close();
    lock[Symbol.dispose]();
  });
  if (options.onAck) store.onTurnAck(options.onAck);
  return store;
}

/** Resolves with what the writer had to say about the bus before anybody could listen. */
function ready(worker: Worker, problems: StoreProblem[]): Promise<BusNews[]> {
  const news: BusNews[] = [];
  return new Promise((resolve, reject) => {
    worker.on('message', function listen(message: FromWriter | string) {
      if (typeof message === 'string') {
        news.push((JSON.parse(message) as AckBatch).news);
        return;
      }
      if (message.op === 'problem') {
        problems.push({ what: message.what, reason: message.reason });
        return;
      }
      worker.off('message', listen);
      worker.off('error', reject);
      if (message.op === 'failed') {
        worker.on('error', () => {});
        reject(fromShape(message.error));
      } else resolve(news);
    });
    worker.on('error', reject);
  });
}

function connect(
  home: string,
  worker: Worker,
  reads: StoreReads,
  early: { readonly problems: readonly StoreProblem[]; readonly news: readonly BusNews[] },
  release: () => void,
): Store {
  const answers = new Map<number, Deferred<Ack>>();
  const requests = new Map<number, Deferred<void>>();
  const ackListeners = new Set<(acks: readonly Ack[]) => void>();
  const commitListeners = new Set<(records: number, micros: number) => void>();
  const problemListeners = new Set<(problem: StoreProblem) => void>();
  const newsListeners = new Set<(news: BusNews) => void>();
  let unreported = [...early.problems];
  let untold = early.news.findLast(({ dueMs }) => dueMs !== undefined);
  let outbox: string[] = [];
  let lastNumber = 0;
  let lastCell = 0;
  let state: 'open' | 'closing' | 'closed' | 'lost' = 'open';
  let lostBecause: NeiraError | undefined;
  let closing: Promise<void> | undefined;
  const closed = Promise.withResolvers<void>();

  worker.on('message', (message: string | FromWriter) => {
    if (typeof message !== 'string') control(message);
    else settle(JSON.parse(message) as AckBatch);
  });
  worker.on('error', (error) => lose((error as Error).message));
  worker.on('exit', () => {
    if (state !== 'closed') lose('the writer thread ended');
  });

  function settle({ submitted, turns, commit, news }: AckBatch): void {
    for (const listener of commitListeners) listener(...commit);
    for (const [number, ack] of submitted) {
      answers.get(number)?.resolve(ack);
      answers.delete(number);
    }
    if (turns.length > 0) for (const listener of ackListeners) listener(turns);
    if (newsListeners.size === 0 && news.dueMs !== undefined) untold = news;
    for (const listener of newsListeners) listener(news);
  }

  function control(message: FromWriter): void {
    if (message.op === 'done') {
      const request = requests.get(message.request);
      requests.delete(message.request);
      if (message.error) request?.reject(fromShape(message.error as ErrorShape));
      else request?.resolve();
    } else if (message.op === 'problem') report({ what: message.what, reason: message.reason });
    else if (message.op === 'closed') {
      state = 'closed';
      finish(new NeiraError('NEIRA_STOPPING'));
    }
  }

  function report(problem: StoreProblem): void {
    if (problemListeners.size === 0) unreported.push(problem);
    for (const listener of problemListeners) listener(problem);
  }

  /** Without its writer the store can promise nothing more; what was acknowledged is safe. */
  function lose(reason: string): void {
    if (state === 'closed' || state === 'lost') return;
    state = 'lost';
    lostBecause = new NeiraError('NEIRA_STORE_FAILED', { reason });
    report({ what: 'the writer of the store was lost', reason, fatal: true });
    finish(lostBecause);
  }

  function finish(error: NeiraError): void {
    for (const waiting of [...answers.values(), ...requests.values()]) waiting.reject(error);
    answers.clear();
    requests.clear();
    closed.resolve();
  }

  /** All that was submitted in one tick goes as one message. */
  function flush(): void {
    if (outbox.length === 0) return;
    worker.postMessage(`[${outbox.join()}]`);
    outbox = [];
  }

  function requireOpen(): void {
    if (lostBecause) throw lostBecause;
    if (state !== 'open') throw new NeiraError('NEIRA_STOPPING');
  }

  function post(message: ToWriter, transfer: MessagePort[] = []): void {
    flush();
    worker.postMessage(message, transfer);
  }

  function request(make: (request: number) => ToWriter): Promise<void> {
    return new Promise((resolve, reject) => {
      requireOpen();
      const number = ++lastNumber;
      requests.set(number, { resolve, reject });
      post(make(number));
    });
  }

  function listen<T>(listeners: Set<T>, listener: T): () => void {
    listeners.add(listener);
    return () => listeners.delete(listener);
  }

  function close(): Promise<void> {
    closing ??= (async () => {
      if (state === 'open') {
        state = 'closing';
        post({ op: 'close' });
      }
      await closed.promise;
      await worker.terminate();
      release();
    })();
    return closing;
  }

  return {
    ...reads,
    home,
    databasePath: databasePath(home),
    submit(record) {
      return new Promise((resolve, reject) => {
        requireOpen();
        const number = ++lastNumber;
        answers.set(number, { resolve, reject });
        if (outbox.push(`[${number},${JSON.stringify(record)}]`) === 1) queueMicrotask(flush);
      });
    },
    connectCell() {
      requireOpen();
      const { port1, port2 } = new MessageChannel();
      const cell = ++lastCell;
      post({ op: 'cell', cell, port: port1 }, [port1]);
      return { cell, port: port2 };
    },
    onTurnAck: (listener) => listen(ackListeners, listener),
    onNews(listener) {
      if (untold) listener({ ...untold, deliveries: [] });
      untold = undefined;
      return listen(newsListeners, listener);
    },
    listen: (plugins) => post({ op: 'listening', plugins }),
    carry: (patterns) => post({ op: 'carrying', patterns }),
    learn: (known) => request((number) => ({ op: 'learn', known, request: number })),
    onCommit: (listener) => listen(commitListeners, listener),
    onProblem(listener) {
      for (const problem of unreported) listener(problem);
      unreported = [];
      return listen(problemListeners, listener);
    },
    fence: (cell) => request((number) => ({ op: 'fence', cell, request: number })),
    retireCell: (cell) => request((number) => ({ op: 'retire', cell, request: number })),
    backup: (path) => request((number) => ({ op: 'backup', path, request: number })),
    setMaxPageCount: (count) => request((number) => ({ op: 'max-pages', count, request: number })),
    close,
    [Symbol.asyncDispose]: close,
  };
}
