import { send } from 'neira:host/io';
import { get, set, settings } from 'neira:host/storage';
import type { Envelope, Reply } from 'neira:host/types';

/** What the button sends: `params` as `params_schema` in the manifest asks, `context` from the frontend. */
type Greet = { params: { name: string }; context: { locale?: string } };

/** Called once for every event. Globals do not outlive it: what is to stay goes into storage. */
export function handle(event: Envelope<Greet>): Reply {
  const { params, context } = event.payload;
  const { greeting } = settings<{ greeting: string }>();

  // Reads see what was committed, and what this call has written so far.
  const visits = (get<number>(`visits/${params.name}`)?.value ?? 0) + 1;
  // Writes, sends and publishes happen together when handle() has returned, or not at all if it throws.
  set(`visits/${params.name}`, visits);
  send('console', 'greetings', { name: params.name, visits });

  // Lines of the log are kept also when handle() throws; see them with `neira plugin logs`.
  console.log(`greeted ${params.name}, visit ${visits}`);

  const text = context.locale?.startsWith('ru')
    ? `${params.name}, это ваш визит номер ${visits}.`
    : `${greeting}, ${params.name}. This is visit ${visits}.`;
  return { actions: [{ type: 'notify', text }] };
}
