/** `neira:host/types` for scripts: types only, and the class of a refusal. */
import { sdk } from './sdk.ts';

export const NeiraError = sdk.NeiraError;
