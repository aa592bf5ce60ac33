/** `neira:host/bus` for scripts; twin of abi/wit/v1/bus.wit. */
import { sdk } from './sdk.ts';

const { call, callLater, text, json } = sdk;

export const publish = (event: unknown, payload: unknown, options?: unknown) =>
  call(
    'bus.publish',
    text(event, 'event'),
    json(payload, 'payload'),
    options === undefined ? '' : json(options, 'options'),
  );

export const request = (command: unknown, payload: unknown, options?: unknown) =>
  callLater(() => [
    'bus.request',
    text(command, 'command'),
    json(payload, 'payload'),
    options === undefined ? '' : json(options, 'options'),
  ]);

export const ask = (command: unknown, payload: unknown, options?: unknown) =>
  call(
    'bus.ask',
    text(command, 'command'),
    json(payload, 'payload'),
    options === undefined ? '' : json(options, 'options'),
  );

export const cancel = (id: unknown) => {
  call('bus.cancel', text(id, 'id'));
};

export const subscribe = (subscription: unknown) => {
  call('bus.subscribe', json(subscription, 'subscription'));
};

export const unsubscribe = (name: unknown) => {
  call('bus.unsubscribe', text(name, 'name'));
};

export const delivery = () => call('bus.delivery');
