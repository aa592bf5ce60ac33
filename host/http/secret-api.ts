import type { Caller } from './api.ts';

/** A secret as it is shown: never its value. */
export interface SecretView {
  readonly name: string;
  readonly version: number;
  readonly created_at: string;
  readonly set_at: string;
  /** False: no key of the host opens it. */
  readonly usable: boolean;
  /** To whom it was granted. */
  readonly grants: readonly {
    readonly plugin: string;
    readonly hosts: readonly string[];
    /** The plugin is shown it in the clear. */
    readonly reveal: boolean;
  }[];
}

/** Secrets, as the HTTP layer sees them. */
export interface SecretApi {
  listSecrets(caller: Caller): readonly SecretView[];
  setSecret(
    caller: Caller,
    name: string,
    value: string,
  ): Promise<{ readonly created: boolean; readonly secret: SecretView }>;
  removeSecret(caller: Caller, name: string): Promise<void>;
  /** Seals all of them with a new master key; answers how many. */
  rotateSecretKey(caller: Caller): Promise<{ readonly secrets: number }>;
}
