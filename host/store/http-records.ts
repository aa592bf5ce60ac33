/** What the store is asked to keep of requests that leave over HTTP (design §4, "Requests"). */
import type { RequestIdentity } from './bus-records.ts';

/**
 * A request is about to leave. Answered with `request`; with `fresh` when it was not known before, else with
 * `answer` as far as one is known.
 */
export interface HttpIntentRecord {
  readonly kind: 'http-intent';
  readonly identity: RequestIdentity;
  readonly plugin: string;
  /** In whose mailbox entry's name it is made: as long as that is there, so is what is known of the request. */
  readonly delivery?: number;
  /** Only what is known already is wanted; nothing is kept. */
  readonly findOnly?: true;
}

/** How a request ended. The first answer stands. */
export interface HttpAnswerRecord {
  readonly kind: 'http-answer';
  readonly id: number;
  /** `V<json>` or `E<refusal>`; absent when nothing left, and all is as if nobody had asked. */
  readonly answer?: string;
  /** It may be answered otherwise the next time: when `handle` throws, it is forgotten. */
  readonly passing?: true;
}
