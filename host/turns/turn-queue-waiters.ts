import { isFromMailbox, type Task } from './turn-task.ts';

interface Waiter {
  readonly generation: number | undefined;
  readonly done: () => void;
}

/** Who waits for turns to be over: all of them, or those of one generation of a plugin. */
export class QueueWaiters {
  readonly #tasks: ReadonlySet<Task>;
  #waiting: readonly Waiter[] = [];

  constructor(tasks: ReadonlySet<Task>) {
    this.#tasks = tasks;
  }

  wait(generation: number | undefined): Promise<void> {
    return new Promise((done) => {
      this.#waiting = [...this.#waiting, { generation, done }];
      this.tell();
    });
  }

  /** Something changed: whoever has nothing more to wait for goes on. */
  tell(): void {
    if (this.#waiting.length === 0) return;
    const busy = new Set<number>();
    // What lies in a mailbox takes whatever serves when its turn comes.
    for (const task of this.#tasks)
      if (task.cell >= 0 || !isFromMailbox(task)) busy.add(task.serving.generation);
    const isOver = ({ generation }: Waiter) =>
      generation === undefined ? this.#tasks.size === 0 : !busy.has(generation);
    const over = this.#waiting.filter(isOver);
    this.#waiting = this.#waiting.filter((waiter) => !over.includes(waiter));
    for (const { done } of over) done();
  }
}
