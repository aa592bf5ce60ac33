/** `neira:host/storage` for scripts; twin of abi/wit/v1/storage.wit. */
import { sdk } from './sdk.ts';

const { call, text, json, count } = sdk;

export const get = (key: unknown) => call('storage.get', text(key, 'key'));

export const set = (key: unknown, value: unknown, ifVersion?: unknown) => {
  call('storage.set', text(key, 'key'), json(value, 'value'), count(ifVersion, 'ifVersion'));
};

const remove = (key: unknown) => {
  call('storage.delete', text(key, 'key'));
};

export { remove as delete };

export const add = (key: unknown, n: unknown) => {
  call('storage.add', text(key, 'key'), json(n, 'n'));
};

export const list = (prefix: unknown, options?: unknown) =>
  call('storage.list', text(prefix, 'prefix'), options === undefined ? '' : json(options, 'options'));

export const append = (key: unknown, value: unknown) => {
  call('storage.append', text(key, 'key'), json(value, 'value'));
};

export const saveAnnotation = (annotation: unknown) =>
  call('storage.save-annotation', json(annotation, 'annotation'));

export const saveMessage = (message: unknown) => call('storage.save-message', json(message, 'message'));

export const records = (options?: unknown) =>
  call('storage.records', options === undefined ? '' : json(options, 'options'));

export const settings = () => call('storage.settings');
