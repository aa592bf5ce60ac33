import { NeiraError } from '../errors.ts';
import type { SecretApi, SecretView } from './secret-api.ts';

/** Secrets without a host, for test-api.ts. For tests only. */

const AT = '2026-01-02T03:04:05.678Z';

export function testSecret(name: string, version = 1): SecretView {
  return {
    name,
    version,
    created_at: AT,
    set_at: AT,
    usable: true,
    grants: [{ plugin: 'shop', hosts: ['api.example.org'], reveal: false }],
  };
}

export function testSecrets(): SecretApi {
  const versions = new Map<string, number>();
  return {
    listSecrets: () => [...versions].map(([name, version]) => testSecret(name, version)),
    async setSecret(_caller, name, _value) {
      const before = versions.get(name) ?? 0;
      versions.set(name, before + 1);
      return { created: before === 0, secret: testSecret(name, before + 1) };
    },
    async removeSecret(_caller, name) {
      if (!versions.delete(name)) throw new NeiraError('NEIRA_SECRET_MISSING', { secret: name });
    },
    rotateSecretKey: async () => ({ secrets: versions.size }),
  };
}
