/** Calls that plugins contribute: found by a router of their own, because they come and go while the host runs. */
import findMyWay from 'find-my-way';

/** One of them, as the registry knows it. */
export interface ContributedCall {
  readonly plugin: string;
  readonly method: string;
  readonly path: string;
}

export interface FoundCall<Call> {
  readonly call: Call;
  /** Parameters of its path. */
  readonly params: Readonly<Record<string, string>>;
}

export interface CallFinder<Call> {
  find(method: string, path: string): FoundCall<Call> | undefined;
}

const MAX_PARAMETER_CHARS = 1000;

export function createCallFinder<Call extends ContributedCall>(calls: readonly Call[]): CallFinder<Call> {
  const router = findMyWay({ maxParamLength: MAX_PARAMETER_CHARS });
  for (const call of calls) router.on(call.method as 'GET', call.path, () => {}, call);
  return {
    find(method, path) {
      const found = router.find(method as 'GET', path);
      if (!found) return undefined;
      return { call: found.store as Call, params: found.params as Record<string, string> };
    },
  };
}
