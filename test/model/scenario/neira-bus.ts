/** `neira:host/bus` for the model. */
import { current } from './engine-host.ts';

export const publish = (name: string, payload: never, options?: object) =>
  current().publish(name, payload, options);
export const cancel = (id: string) => current().takeBack(id);
export const delivery = () => current().delivery();
