import type { Entry } from '../error-catalogue.ts';

/** What can go wrong with events on their way; part of the one catalogue. */
export const BUS_ERRORS = {
  NEIRA_UNKNOWN_EVENT: {
    status: 422,
    blame: 'plugin',
    message: 'The event `{event}` is not one that plugin `{plugin}` declares under `publishes`.',
    remedy: 'Name it under `publishes` in the manifest.',
  },
  NEIRA_EVENT_INVALID: {
    status: 422,
    blame: 'caller',
    message: 'The event `{event}` is not valid: {reason}.',
    remedy:
      'Correct the paths listed in `errors`; the schemas lie in abi/events and in the `events` folders of plugins.',
  },
  NEIRA_EVENT_SCHEMA_INVALID: {
    status: 422,
    blame: 'plugin',
    message: 'The events that the plugin brings are not valid: {reason}.',
    remedy: 'Correct the files listed in `errors`; `neira events registry lint <folder>` looks closer.',
  },
  NEIRA_COMMAND_UNHANDLED: {
    status: 404,
    blame: 'caller',
    message: 'No plugin handles the command `{command}`.',
    remedy: 'Enable a plugin that subscribes to it; `neira events topics` lists who hears what.',
  },
  NEIRA_REQUEST_CYCLE: {
    status: 409,
    blame: 'plugin',
    message: 'The command `{command}` would wait for itself: {way}.',
    remedy: 'Publish an event instead of waiting for an answer, or break the circle.',
  },
  NEIRA_EVENT_UNREGISTERED: {
    status: 422,
    blame: 'caller',
    message: 'The event `{event}` is not in the event registry of this host.',
    remedy:
      'Lay its schema into `events/` of the plugin that introduces it; `neira events topics` lists what there is.',
  },
  NEIRA_EVENT_RESERVED: {
    status: 403,
    blame: 'caller',
    message: 'The event `{event}` is of the namespace `{namespace}`, in which only the host publishes.',
    remedy: 'Publish an event of another namespace.',
  },
  NEIRA_DELIVERY_EXPIRED: {
    status: 504,
    blame: 'host',
    message: 'The delivery waited longer for `{plugin}` than its mailbox keeps it ({maxAgeMs} ms).',
    remedy: 'See why the plugin does not run, then retry the dead letter.',
  },
  NEIRA_MAILBOX_FULL: {
    status: 503,
    blame: 'host',
    message: 'The mailbox of `{plugin}` is full: {max} deliveries wait in it.',
    remedy: 'Try again when it has caught up; `mailbox` in its manifest says how much it takes.',
  },
  NEIRA_OUTBOX_FULL: {
    status: 503,
    blame: 'host',
    message: 'Other hubs cannot be reached: {max} events wait for them.',
    remedy: 'Try again when they can be; the log says why the transport cannot send.',
  },
  NEIRA_TOO_MANY: {
    status: 429,
    blame: 'plugin',
    message: 'The plugin `{plugin}` has as many {what} as it may: {max}.',
    remedy: 'Take back those that are not needed any more.',
  },
} as const satisfies Record<string, Entry>;
