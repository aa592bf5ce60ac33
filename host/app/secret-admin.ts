/** Secrets for administrators: who sets them, and who was granted which. Values go in and never come out. */
import type { Operation } from '../../gates/decide.ts';
import type { Caller } from '../http/api.ts';
import type { SecretApi, SecretView } from '../http/secret-api.ts';
import type { Registry } from '../registry/registry.ts';
import type { SecretRow } from '../store/records.ts';
import type { Secrets } from '../turns/secrets.ts';

export interface SecretAdminParts {
  readonly secrets: Secrets;
  readonly registry: Pick<Registry, 'list'>;
  /** @throws what `gates/decide.ts` says */
  requireChange(caller: Caller, operation: Operation): void;
}

export function secretAdmin({ secrets, registry, requireChange }: SecretAdminParts): SecretApi {
  const view = ({ name, version, createdAtMs, setAtMs }: SecretRow): SecretView => ({
    name,
    version,
    created_at: new Date(createdAtMs).toISOString(),
    set_at: new Date(setAtMs).toISOString(),
    usable: secrets.isUsable(name),
    grants: registry
      .list()
      .flatMap(({ row, grants }) =>
        grants.secrets
          .filter((each) => each.name === name)
          .map(({ hosts, reveal }) => ({ plugin: row.id, hosts, reveal })),
      ),
  });
  return {
    listSecrets: () => secrets.list().map(view),
    async setSecret(caller, name, value) {
      requireChange(caller, 'secret.set');
      const { row, created } = await secrets.set(caller.actor, name, value);
      return { created, secret: view(row) };
    },
    async removeSecret(caller, name) {
      requireChange(caller, 'secret.remove');
      await secrets.remove(caller.actor, name);
    },
    async rotateSecretKey(caller) {
      requireChange(caller, 'secret.rotate-key');
      return secrets.rotateKey(caller.actor);
    },
  };
}
