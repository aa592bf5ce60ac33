/** Two hosts of one process, joined by a line that loses, repeats and delays what goes over it. */
import { setTimeout as pause } from 'node:timers/promises';
import type { CarriedEvent, Hub, Transport } from '../../host/bus/transport/transport.ts';

export interface LossyLink {
  /** An end of the line, for each time that its host is booted. */
  end(side: 'a' | 'b'): Transport;
  /** Nothing goes over it until it is mended. */
  cut(): void;
  mend(): void;
  /** What happened to batches. */
  readonly counts: { lost: number; unanswered: number; repeated: number; taken: number };
}

const LATEST_MS = 15;

/**
 * @param random from 0 to 1
 * @param loss share of batches that are lost on the way or lose their answer
 */
export function lossyLink(carries: readonly string[], random: () => number, loss = 0.5): LossyLink {
  const hubs = new Map<'a' | 'b', Hub>();
  const counts = { lost: 0, unanswered: 0, repeated: 0, taken: 0 };
  let isCut = false;

  async function cross(to: 'a' | 'b', events: readonly CarriedEvent[]): Promise<void> {
    await pause(random() * LATEST_MS);
    const hub = isCut ? undefined : hubs.get(to);
    if (!hub) throw new Error('nobody is there');
    await hub.receive(events);
  }

  async function send(to: 'a' | 'b', events: readonly CarriedEvent[]): Promise<void> {
    const fate = random();
    if (fate < loss / 2) {
      counts.lost++;
      throw new Error('lost on the way');
    }
    if (fate > 0.75) {
      counts.repeated++;
      // A copy that may come long after the batches behind it.
      void pause(random() * LATEST_MS * 4)
        .then(() => cross(to, events))
        .catch(() => {});
    }
    await cross(to, events);
    if (fate < loss) {
      counts.unanswered++;
      throw new Error('the answer was lost');
    }
    counts.taken++;
  }

  return {
    counts,
    cut: () => {
      isCut = true;
    },
    mend: () => {
      isCut = false;
    },
    end(side) {
      const other = side === 'a' ? 'b' : 'a';
      return {
        name: 'linked',
        carries,
        async open(hub) {
          hubs.set(side, hub);
        },
        send: (events) => send(other, events),
        async close() {
          hubs.delete(side);
        },
      };
    },
  };
}
