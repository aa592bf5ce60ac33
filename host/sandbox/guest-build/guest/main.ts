/** The exports of a script that is a component. Its imports stand in the order in which they have to run. */
import './environment.ts';
import './promises.ts';
import { prelude } from './prelude.ts';
import 'neira:modules';
import './closed.ts';
import * as plugin from 'neira:plugin';
import { enterTurn, runJobs } from './environment.ts';
import { awaitNext, begin, settledAnswer } from './host.ts';

interface Report {
  readonly name: string;
  readonly message: string;
  readonly stack: string;
  /** JSON of the refusal that was let through; empty for what the plugin threw itself. */
  readonly refusal: string;
}

prelude.seal();

export const handle = (inputJson: string) => called(plugin.handle, inputJson);

export const prepare = () => void called(plugin.prepare!, '');

/** Answers JSON; throws the text that fails the turn. */
function called(fn: (event: unknown) => unknown, input: string): string {
  enterTurn();
  begin();
  const answer = prelude.run(fn, input);
  const text = answer === 'P' ? settle() : answer;
  if (text[0] === 'E') throw failure(JSON.parse(text.slice(1)) as Report);
  prelude.seal();
  return text === 'U' ? 'null' : text;
}

/** Runs jobs, then timers, then waits, until the promise of the handler is settled. */
function settle(): string {
  for (;;) {
    runJobs(() => settledAnswer() !== undefined);
    const answer = settledAnswer();
    if (answer !== undefined) return answer;
    if (prelude.idle() === 1) continue;
    if (!awaitNext(prelude.deliver))
      throw 'the promise of the handler is pending, and nothing is left to wait for';
  }
}

/** What fails the turn. Of a refusal it is the code alone, by which the host knows that it was let through. */
function failure({ name, message, stack, refusal }: Report): string {
  if (refusal !== '') return (JSON.parse(refusal) as { readonly code: string }).code;
  return stack === '' ? `${name}: ${message}` : `${name}: ${message}\n${stack}`;
}
