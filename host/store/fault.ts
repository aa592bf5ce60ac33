import { kill, pid } from 'node:process';

/**
 * Named places where a crash test may end the process, so that "SIGKILL at any moment" is shown at the
 * moments that matter and not by luck. Armed by `NEIRA_FAULT=<name>:<nth>` in the environment.
 */
export const FAULT_POINTS = [
  /** The first record of a group has been applied, the group has not committed. */
  'writer.mid-group',
  'writer.before-commit',
  'writer.after-commit',
  /** A delayed event or send left and the others that are due did not; a dead letter was written, its delivery is still there. */
  'mailbox.mid-due',
  'mailbox.mid-bury',
  'mailbox.mid-answer',
  /** Committed, the line of a chat file not yet written; then half of it written; then all, not yet answered. */
  'ndjson.before-write',
  'ndjson.mid-write',
  'ndjson.after-write',
  'journal.before-write',
  'journal.mid-write',
  /** A file that differs from its rows was renamed away and is not yet written again. */
  'repair.after-set-aside',
  /** Kept, nothing has left; about to be written to the connection; answered, not kept; kept, the turn not told. */
  'http.after-intent',
  'http.sent',
  'http.before-answer',
  'http.after-answer',
  /** A new master key lies on disk; all secrets are sealed with it; the old one is moved away, it is not yet in place. */
  'secrets.next-written',
  'secrets.resealed',
  'secrets.mid-swap',
  /** The backup before a migration exists, the migration has not begun. */
  'migrate.after-backup',
] as const;

export type FaultPoint = (typeof FAULT_POINTS)[number];

const armed = parse(process.env['NEIRA_FAULT']);
let passings = 0;

/** Kills the process when this point is the armed one and this its nth passing; else costs one comparison. */
export function fault(point: FaultPoint): void {
  if (armed === undefined || armed.point !== point) return;
  passings++;
  if (passings !== armed.nth) return;
  kill(pid, 'SIGKILL');
  // The signal ends the process; until it does, this thread must not go on.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
}

/** True when this point is armed: lets a writer take a slower path that can be cut in half. */
export function faultArmed(point: FaultPoint): boolean {
  return armed?.point === point;
}

function parse(text: string | undefined): { readonly point: string; readonly nth: number } | undefined {
  if (!text) return undefined;
  const [point = '', nth = '1'] = text.split(':');
  return { point, nth: Number(nth) };
}
