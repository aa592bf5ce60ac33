/** `neira:host/bus` for scripts; twin of abi/wit/v1/bus.wit. */
import { sdk } from './sdk.ts';

const { call, text, json, count } = sdk;

export const publish = (event: unknown, payload: unknown, version?: unknown) =>
  call('bus.publish', text(event, 'event'), json(payload, 'payload'), count(version, 'version'));
