/** Composition root of the store's writer thread: joins the store and the routing of the bus. */
import { sealEnvelope } from './bus/envelope.ts';
import { Router } from './bus/router.ts';
import { covers, parseSubscriptionEvent } from './bus/subject.ts';
import { startWriter } from './store/writer.ts';

const router = new Router();

startWriter({
  put: (subscription) => router.put(subscription),
  remove: (id) => router.remove(id),
  removePlugin: (plugin) => router.removePlugin(plugin),
  route: (event) => router.route(event),
  hears: (subject) => router.hears(subject),
  seal: sealEnvelope,
  covers,
  parseEvent: parseSubscriptionEvent,
});
