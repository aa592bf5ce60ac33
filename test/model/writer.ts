/**
 * The writer of the model: the real group commit on a real database, fed as host/store/writer.ts feeds it. The
 * ports are queues here, so that a history decides how far each message has come when the process dies.
 */
import type { DatabaseSync } from 'node:sqlite';
import { sealEnvelope } from '../../host/bus/envelope.ts';
import { Router } from '../../host/bus/router.ts';
import { covers, parseSubscriptionEvent } from '../../host/bus/subject.ts';
import type { BusNews } from '../../host/store/bus-records.ts';
import { GroupCommit } from '../../host/store/group.ts';
import type { AckBatch, Submission } from '../../host/store/messages.ts';
import type { Ack, WriteRecord } from '../../host/store/records.ts';
import { turnsOf } from '../../host/store/writer.ts';

export type Control =
  | { readonly op: 'retire'; readonly cell: number; readonly done: () => void }
  | { readonly op: 'listening'; readonly plugins: readonly string[] };

interface Waiting {
  readonly number: number | undefined;
  readonly record: WriteRecord;
}

export interface WriterPorts {
  /** Told of each group that was committed, before anybody else is. */
  committed(records: readonly WriteRecord[], acks: readonly Ack[], news: BusNews): void;
  /** To main. */
  answer(message: string | (() => void)): void;
  /** At most so many, from 1. */
  upTo(most: number): number;
}

export class ModelWriter {
  readonly #ports: WriterPorts;
  readonly #group: GroupCommit;
  readonly #fromMain: (string | Control)[] = [];
  readonly #fromCells = new Map<number, string[]>();
  readonly booted: BusNews;

  constructor(db: DatabaseSync, home: string, ports: WriterPorts) {
    this.#ports = ports;
    const router = new Router();
    const joined = {
      put: router.put.bind(router),
      remove: router.remove.bind(router),
      removePlugin: router.removePlugin.bind(router),
      route: router.route.bind(router),
      hears: router.hears.bind(router),
      seal: sealEnvelope,
      covers,
      parseEvent: parseSubscriptionEvent,
    };
    this.#group = new GroupCommit(db, home, joined, (what, reason) => {
      throw new Error(`${what}: ${reason}`);
    });
    this.#group.boot();
    this.booted = this.#group.takeNews();
  }

  post(message: string | Control): void {
    this.#fromMain.push(message);
  }

  connect(cell: number): (records: string) => void {
    const port: string[] = [];
    this.#fromCells.set(cell, port);
    return (records) => port.push(records);
  }

  get hasWork(): boolean {
    return this.#fromMain.length > 0 || [...this.#fromCells.values()].some((port) => port.length > 0);
  }

  /** Takes some of what has come, in order per port, and commits it in groups of some size. */
  step(): void {
    const queue: Waiting[] = [];
    const takeMain = Math.min(this.#fromMain.length, this.#ports.upTo(8) - 1);
    for (let taken = 0; taken < takeMain; taken++) {
      const message = this.#fromMain.shift()!;
      if (typeof message !== 'string') {
        this.#commit(queue);
        this.#control(message);
      } else
        for (const [number, record] of JSON.parse(message) as Submission[]) queue.push({ number, record });
    }
    for (const port of this.#fromCells.values()) {
      const takeCell = Math.min(port.length, this.#ports.upTo(3) - 1);
      for (let taken = 0; taken < takeCell; taken++) queue.push(...recordsOf(port.shift()!));
    }
    this.#commit(queue);
  }

  #control(message: Control): void {
    if (message.op === 'listening') {
      this.#group.listen(message.plugins);
      return;
    }
    const port = this.#fromCells.get(message.cell) ?? [];
    this.#commit(port.splice(0).flatMap(recordsOf));
    this.#fromCells.delete(message.cell);
    this.#ports.answer(message.done);
  }

  #commit(queue: Waiting[]): void {
    while (queue.length > 0) {
      const waiting = queue.splice(0, this.#ports.upTo(12));
      const records = waiting.map(({ record }) => record);
      const acks = this.#group.commit(records);
      const news = this.#group.takeNews();
      this.#ports.committed(records, acks, news);
      const submitted: [number, Ack][] = [];
      const turns: Ack[] = [];
      waiting.forEach(({ number }, index) => {
        if (number === undefined) turns.push(acks[index]!);
        else submitted.push([number, acks[index]!]);
      });
      this.#ports.answer(
        JSON.stringify({ submitted, turns, commit: [records.length, 0], news } satisfies AckBatch),
      );
    }
  }
}

function recordsOf(posted: string): Waiting[] {
  return (JSON.parse(posted) as Parameters<typeof turnsOf>[0][])
    .flatMap(turnsOf)
    .map((record) => ({ number: undefined, record }));
}
