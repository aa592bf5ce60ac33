import type { Entry } from '../error-catalogue.ts';

/** What can go wrong between a plugin and the world outside; part of the one catalogue. */
export const IO_ERRORS = {
  NEIRA_OUTCOME_UNKNOWN: {
    status: 502,
    blame: 'host',
    message: 'It is not known whether {request} was carried out: {reason}.',
    remedy:
      'Ask the other side before sending it again. Where sending twice does no harm, ask for the host with `idempotent: true`.',
  },
  NEIRA_HTTP_FAILED: {
    status: 502,
    blame: 'caller',
    message: 'There was no answer to {request}: {reason}.',
    remedy: 'Try again later, or look at the other side.',
  },
  NEIRA_HTTP_TIMEOUT: {
    status: 504,
    blame: 'caller',
    message: 'There was no answer to {request} within {timeoutMs} ms.',
    remedy: 'Try again later, or give it longer: `timeoutMs`, at most `limits.wait_ms`.',
  },
  NEIRA_ADDRESS_REFUSED: {
    status: 403,
    blame: 'plugin',
    message: 'The host `{host}` is at {address}, which is {range}: {request} was not sent.',
    remedy: 'Ask for the host with `private: true`, and have that granted, if it is meant to be reached.',
  },
  NEIRA_REDIRECT_REFUSED: {
    status: 502,
    blame: 'plugin',
    message: 'The answer to {request} redirects, and that is not followed: {reason}.',
    remedy: 'Ask for the right address, or handle the redirect with `redirect: "manual"`.',
  },
  NEIRA_RESPONSE_TOO_LARGE: {
    status: 502,
    blame: 'plugin',
    message: 'The answer to {request} (status {status}) has a body of more than {maxBytes} bytes.',
    remedy: 'Ask for less, or raise `limits.response_kb` in the manifest.',
  },
  NEIRA_RESPONSE_INVALID: {
    status: 502,
    blame: 'caller',
    message: 'The answer to {request} (status {status}) cannot be read: {reason}.',
    remedy: 'Look at what the other side sends.',
  },
  NEIRA_REQUESTS_EXCEEDED: {
    status: 500,
    blame: 'plugin',
    message: 'A turn of plugin `{plugin}` may make {max} HTTP requests.',
    remedy: 'Ask for less in one turn, or raise `limits.requests` in the manifest.',
  },
  NEIRA_REQUEST_RATE: {
    status: 429,
    blame: 'plugin',
    message: 'Plugin `{plugin}` may make {max} HTTP requests {per}: {request} was not sent.',
    remedy:
      'Let the turn fail and be tried again later, or raise `limits.requests_per_minute` in the manifest.',
  },
} as const satisfies Record<string, Entry>;
