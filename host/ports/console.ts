/** The port `console`: a line in the host's own log. */
import type { Logger } from '../log.ts';
import type { PortDriver } from './ports.ts';

export function consolePort(log: Logger): PortDriver {
  return {
    async send({ id, target, payload }, doubtful) {
      log.info(
        { port: 'console', send: id, target, payload: JSON.parse(payload), ...(doubtful && { doubtful }) },
        'console',
      );
    },
  };
}
