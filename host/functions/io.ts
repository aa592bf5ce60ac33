/**
 * `neira:host/io`: the outside world, only through ports granted to the plugin.
 * Twin of abi/wit/v1/io.wit and sandbox/quickjs/guest/io.ts.
 */
import { httpPermission } from '../../gates/http-rules.ts';
import { NeiraError } from '../errors.ts';
import type { LogLine } from '../store/records.ts';
import { type HostFunction, jsonText } from './arguments.ts';
import { httpRequest } from './http-request.ts';

export const MAX_PAYLOAD_BYTES = 64 * 1024;
const MAX_NAME_LENGTH = 200;
const LEVELS = new Set<string>(['debug', 'info', 'warn', 'error']);

export const ioFunctions: Readonly<Record<string, HostFunction>> = {
  /** Kept even when the turn fails; within `limits.log_kb`, and what is over is dropped and counted. */
  log(turn, [level, message]) {
    const known = LEVELS.has(level ?? '') ? (level as LogLine['level']) : 'info';
    turn.log(known, message ?? '');
    return undefined;
  },

  /** Stages `payload` for `target` on `port`; it leaves after the commit, at least once. */
  send(turn, [port, target, payload]) {
    turn.require(`io.send:${port}`);
    if ((target ?? '').length > MAX_NAME_LENGTH) {
      throw new NeiraError('NEIRA_VALUE_INVALID', {
        what: 'target',
        reason: `it is longer than ${MAX_NAME_LENGTH}`,
      });
    }
    turn.send({
      op: 'send',
      id: `${turn.origin.turnId}/${turn.publishedCount + 1}`,
      port: port ?? '',
      target: target ?? '',
      payload: jsonText(payload, 'payload', MAX_PAYLOAD_BYTES),
    });
    return undefined;
  },

  /**
   * Makes an HTTP request and waits for its answer.
   * @throws NEIRA_PERMISSION_DENIED unless a rule of `io: {http}` allows method, scheme, host and path.
   * @throws NEIRA_REQUESTS_EXCEEDED above `limits.requests`, NEIRA_WAITS_EXCEEDED with too many open ones.
   */
  request(turn, [given]) {
    const { request, target } = httpRequest(given);
    turn.require(httpPermission(turn.policy, target));
    turn.countRequest();
    return turn.wait('io.request', request);
  },
};
