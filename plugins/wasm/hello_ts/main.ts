import { send } from 'neira:host/io';
import { get, set, settings } from 'neira:host/storage';
import { type Envelope, NeiraError, type Reply } from 'neira:host/types';

type Greet = { params: { name: string } };

/** Runs when the component is built, and sees neither host nor turn; what it makes is there in every turn. */
const VISITS = 'visits/';

/** Called once for every event. Globals do not outlive it: what is to stay goes into storage. */
export async function handle(event: Envelope<Greet>): Promise<Reply> {
  const { name } = event.payload.params;
  const { greeting } = settings<{ greeting: string }>();

  // Reads see what was committed, and what this call has written so far.
  const visits = (get<number>(VISITS + name)?.value ?? 0) + 1;
  // Writes, sends and publishes happen together when handle() is done, or not at all if it throws.
  set(VISITS + name, visits);
  try {
    send('console', 'greetings', { name, visits });
  } catch (error) {
    // Without that permission it greets all the same; whatever else is wrong is not for it to judge.
    if (!(error instanceof NeiraError) || error.code !== 'NEIRA_PERMISSION_DENIED') throw error;
    console.warn(error.message);
  }

  const text = `${greeting}, ${name}. This is visit ${visits}.`;
  // Lines of the log are kept also when handle() throws; see them with `neira plugin logs`.
  console.log(text);
  return { actions: [{ type: 'notify', text }] };
}
