/** What the way out needs of the host's secrets; host/turns/secrets.ts keeps them. */
import type { PluginPolicy } from '../turn-context.ts';

export interface SecretSource {
  /**
   * The clear text of a secret, for a request of this plugin to `host` (`api.example.org`, `api.example.org:8443`).
   * @throws NEIRA_SECRET_DENIED unless it was asked and granted for that host; NEIRA_SECRET_MISSING when there is none.
   */
  fill(policy: PluginPolicy, name: string, host: string): string;
  /** `text` with every known secret in it replaced by `[secret:<name>]`, also where it is encoded. */
  mask(text: string): string;
}
