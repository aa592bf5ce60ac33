/** `neira:host/intl` for scripts; twin of abi/wit/v1/intl.wit. `Intl` itself is polyfills/intl.ts. */
import { sdk } from './sdk.ts';

const { call: callHost, text, json } = sdk;

export const call = (service: unknown, method: unknown, locales: unknown, options: unknown, input: unknown) =>
  callHost(
    'intl.call',
    text(service, 'service'),
    text(method, 'method'),
    json(locales, 'locales'),
    json(options, 'options'),
    json(input, 'input'),
  );
