/** `neira:host/io` for scripts; twin of abi/wit/v1/io.wit. */
import { sdk } from './sdk.ts';

const { call, text, json } = sdk;

export const log = (level: unknown, message: unknown) => {
  call('io.log', text(level, 'level'), text(message, 'message'));
};

export const send = (port: unknown, target: unknown, payload: unknown) => {
  call('io.send', text(port, 'port'), text(target, 'target'), json(payload, 'payload'));
};
