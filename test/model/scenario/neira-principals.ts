/** `neira:host/principals` for the model: all may send what the scenarios here send. */
import { current } from './engine-host.ts';

export const register = () => {};
export const remove = () => {};
export const granted = () => ['bus.publish:tool.do', 'bus.publish:tool.undo'];
export const as = () => ({
  bus: {
    ask: (name: string, payload: unknown, options: object) => current().ask(name, payload, options),
    publish: () => {},
    cancel: (id: string) => current().takeBack(id),
    subscribe: () => {},
    unsubscribe: () => {},
  },
});
