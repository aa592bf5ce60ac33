/** `neira:host/io` for scripts; twin of abi/wit/v1/io.wit. */
import { sdk } from './sdk.ts';

const { call, callLater, text, json, logLine } = sdk;

const NativeTypeError = TypeError;

export const log = (level: unknown, message: unknown) => {
  if (typeof message !== 'string') throw new NativeTypeError('message must be a string');
  call('io.log', text(level, 'level'), logLine(message));
};

export const secret = (name: unknown) => callLater(() => ['io.secret', text(name, 'name')]);

export const markPersonal = (value: unknown) => {
  call('io.mark-personal', json(value, 'value'));
};

export const send = (port: unknown, target: unknown, payload: unknown, options?: unknown) =>
  call(
    'io.send',
    text(port, 'port'),
    text(target, 'target'),
    json(payload, 'payload'),
    options === undefined ? '' : json(options, 'options'),
  );

export const cancel = (id: unknown) => {
  call('io.cancel', text(id, 'id'));
};

export const request = (options: unknown) => callLater(() => ['io.request', json(options, 'request')]);
