/** `neira:host/bus` for scripts; twin of abi/wit/v1/bus.wit. */
import { sdk } from './sdk.ts';

const { call, callLater, text, json, count } = sdk;

export const publish = (event: unknown, payload: unknown, version?: unknown) =>
  call('bus.publish', text(event, 'event'), json(payload, 'payload'), count(version, 'version'));

interface RequestOptions {
  readonly version?: unknown;
  readonly timeoutMs?: unknown;
  readonly idempotencyKey?: unknown;
}

export const request = (command: unknown, payload: unknown, options?: RequestOptions) =>
  callLater(() => {
    const key = options?.idempotencyKey;
    return [
      'bus.request',
      text(command, 'command'),
      json(payload, 'payload'),
      count(options?.version, 'version'),
      count(options?.timeoutMs, 'timeoutMs'),
      key === undefined ? '' : text(key, 'idempotencyKey'),
    ];
  });
