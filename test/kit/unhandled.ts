import { NeiraError } from '../../host/errors.ts';
import type { WaitCall } from '../../host/turns/turn-waits.ts';

/** What a host answers that has nobody to ask. @throws NEIRA_COMMAND_UNHANDLED */
export async function unhandled({ args }: Pick<WaitCall, 'args'>): Promise<string> {
  throw new NeiraError('NEIRA_COMMAND_UNHANDLED', { command: (JSON.parse(args) as { what: string }).what });
}
