/** The worker of the piscina contender. */
import { handle } from './work.ts';

export default function turn(event: string): string {
  return JSON.stringify(handle(JSON.parse(event)));
}
