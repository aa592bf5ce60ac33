/** `timer.sleep`: main sleeps while the turn stands still. A dry run is told at once that the time has passed. */
import type { WaitArguments } from '../context/open-waits.ts';
import type { WaitCall } from './turn-waits.ts';

export function sleep({ args, turn, signal }: WaitCall): Promise<string> {
  const { dueMs = 0 } = JSON.parse(args) as WaitArguments;
  if (turn.dryRun) return Promise.resolve('U');
  return new Promise((resolve) => {
    const wake = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', wake);
      resolve('U');
    };
    const timer = setTimeout(wake, Math.max(dueMs - Date.now(), 0));
    // Nobody waits any more.
    signal.addEventListener('abort', wake);
  });
}
