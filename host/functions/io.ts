/**
 * `neira:host/io`: the outside world, only through ports granted to the plugin.
 * Twin of abi/wit/v1/io.wit and sandbox/quickjs/guest/io.ts.
 */
import { httpPermission } from '../../gates/http-rules.ts';
import { REVEAL, type RevealCall } from '../context/secret-reveal.ts';
import { NeiraError } from '../errors.ts';
import type { LogLine } from '../store/records.ts';
import { type HostFunction, isPresent, jsonText, parsedJson } from './arguments.ts';
import { invalid, sendOptions } from './bus-options.ts';
import { httpRequest } from './http-request.ts';

export const MAX_PAYLOAD_BYTES = 64 * 1024;
const MAX_NAME_LENGTH = 200;
export const MAX_PERSONAL_BYTES = 256 * 1024;
const LEVELS = new Set<string>(['debug', 'info', 'warn', 'error']);

export const ioFunctions: Readonly<Record<string, HostFunction>> = {
  /** Kept even when the turn fails; within `limits.log_kb`, and what is over is dropped and counted. */
  log(turn, [level, message]) {
    const known = LEVELS.has(level ?? '') ? (level as LogLine['level']) : 'info';
    turn.log(known, message ?? '');
    return undefined;
  },

  /**
   * The clear text of a secret; main answers, since no cell has it.
   * @throws NEIRA_PERMISSION_DENIED unless `{name, reveal: true}` is granted; NEIRA_SECRET_MISSING.
   */
  secret(turn, [name]) {
    const asked = (name ?? '').slice(0, MAX_NAME_LENGTH);
    turn.require(`secrets.reveal:${asked}`);
    const call: RevealCall = { what: asked, name: asked, ...turn.principals.mark };
    return turn.wait(REVEAL, call);
  },

  /** Every text inside `value` is personal: see confidential.ts. */
  'mark-personal'(turn, [value]) {
    turn.confidential.mark(parsedJson(value, 'value', MAX_PERSONAL_BYTES).value);
    return undefined;
  },

  /** Stages `payload` for `target` on `port`; it leaves after the commit or at `options.at`, at least once. */
  send(turn, [port, target, payload, options]) {
    turn.require(`io.send:${port}`);
    const { atMs } = sendOptions(options, turn.nowMs);
    if ((target ?? '').length > MAX_NAME_LENGTH) {
      throw new NeiraError('NEIRA_VALUE_INVALID', {
        what: 'target',
        reason: `it is longer than ${MAX_NAME_LENGTH}`,
      });
    }
    const id = `${turn.origin.turnId}/${turn.publishedCount + 1}`;
    turn.send({
      op: 'send',
      id,
      port: port ?? '',
      target: target ?? '',
      payload: jsonText(payload, 'payload', MAX_PAYLOAD_BYTES),
      ...(atMs !== undefined && { atMs }),
    });
    return JSON.stringify(id);
  },

  /** Stages that a send of this plugin is taken back; where there is none that has not left, nothing happens. */
  cancel(turn, [id]) {
    if (!isPresent(id)) throw invalid('id', 'it is empty');
    turn.arrange({ op: 'cancel-send', id });
    return undefined;
  },

  /**
   * Makes an HTTP request and waits for its answer.
   * @throws NEIRA_PERMISSION_DENIED unless a rule of `io: {http}` allows method, scheme, host and path.
   * @throws NEIRA_REQUESTS_EXCEEDED above `limits.requests`, NEIRA_WAITS_EXCEEDED with too many open ones.
   */
  request(turn, [given]) {
    const { request, target } = httpRequest(given);
    turn.require(httpPermission(turn.principals.rights, target));
    turn.countRequest();
    return turn.wait('io.request', { ...request, ...turn.principals.delegated });
  },
};
