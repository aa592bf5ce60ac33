/** The waits of one turn: calls that main answers later, while the turn stands still (design §4, "Requests"). */

/** What a host function answers when its own answer comes later. */
export interface Wait {
  /** Counted from 1 within the turn, so that another run of it gives the same call the same number. */
  readonly wait: number;
}

/** What main needs to perform the call; `what` names it in errors. */
export interface WaitArguments {
  readonly what: string;
  /** The clock of the turn is at least here when the answer comes. */
  readonly dueMs?: number;
}

/** A call whose answer has not come. */
export interface OpenWait {
  readonly op: string;
  readonly args: WaitArguments;
}

/** Tells main at once. `args` is JSON of {@link WaitArguments} and what the operation has beside them. */
export type Ask = (wait: number, op: string, args: string) => void;

/**
 * In whose name answers are kept: an event may lie in a mailbox twice, put back by hand or sent again by another hub,
 * and each of the two asks for itself.
 */
export function askerOf(delivery: {
  readonly deliveryId: string;
  readonly mailbox?: { readonly id: number };
}): string {
  return delivery.mailbox ? `${delivery.deliveryId}:${delivery.mailbox.id}` : delivery.deliveryId;
}

export const MAX_OPEN_WAITS = 16;
/** Told to main in place of an operation: the answer of that wait is not wanted any more. */
export const DROP_WAIT = 'wait.drop';

export class OpenWaits {
  readonly #ask: Ask;
  readonly #open = new Map<number, OpenWait>();
  #last = 0;

  constructor(ask: Ask) {
    this.#ask = ask;
  }

  /** A timer finds room beside as many requests as there may be: it is what ends waiting for them. */
  hasRoom(op: string): boolean {
    return this.#open.size < (op === 'timer.sleep' ? MAX_OPEN_WAITS + 1 : MAX_OPEN_WAITS);
  }

  begin(op: string, args: WaitArguments): Wait {
    const wait = ++this.#last;
    this.#open.set(wait, { op, args });
    this.#ask(wait, op, JSON.stringify(args));
    return { wait };
  }

  /** What was asked; undefined when nothing waits under this number. */
  answered(wait: number): OpenWait | undefined {
    const asked = this.#open.get(wait);
    this.#open.delete(wait);
    return asked;
  }

  drop(wait: number): void {
    if (this.#open.delete(wait)) this.#ask(wait, DROP_WAIT, '{}');
  }
}
