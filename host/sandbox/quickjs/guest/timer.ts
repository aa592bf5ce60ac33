/** `neira:host/timer` for scripts; twin of abi/wit/v1/timer.wit. */
import { sdk } from './sdk.ts';

const { callLater, count } = sdk;

export const sleep = (ms: unknown) => callLater(() => ['timer.sleep', count(ms, 'ms')]);
