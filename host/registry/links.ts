/**
 * What a component is linked to: interfaces that other components provide. Their code becomes part of it when it is
 * registered, and runs in its turns with its permissions; so it boots only with links that are granted.
 */
import { decide } from '../../gates/decide.ts';
import type { LinkPermission } from '../base/permissions.ts';
import { NeiraError } from '../errors.ts';
import type { LinkedComponent } from '../sandbox/component/build/build-component.ts';
import type { PluginPolicy } from '../turn-context.ts';
import type { LivePlugin } from './live-plugin.ts';
import type { Manifest } from './manifest.ts';
import type { RegistryStore } from './parts.ts';

interface Plugins {
  readonly parts: { readonly store: Pick<RegistryStore, 'versions' | 'blob'> };
  find(id: string): LivePlugin | undefined;
}

/** The components that a manifest asks for, in the versions that serve now. @throws NEIRA_LINK_MISSING */
export function linkedComponents(plugins: Plugins, { permissions }: Manifest): LinkedComponent[] {
  const byPlugin = Map.groupBy(permissions.links ?? [], ({ plugin }) => plugin);
  return [...byPlugin].map(([id, links]) => ({
    bytes: providerOf(plugins, id, links),
    interfaces: links.map((link) => link.interface),
  }));
}

function providerOf(plugins: Plugins, id: string, links: readonly LinkPermission[]): Uint8Array {
  const provider = plugins.find(id);
  const missing = (reason: string, link = links[0]!) =>
    new NeiraError('NEIRA_LINK_MISSING', { plugin: id, interface: link.interface, reason });
  if (!provider) throw missing('no such plugin is registered');
  if (provider.row.state !== 'enabled') throw missing(`it is ${provider.row.state}`);
  const unknown = links.find((link) => !provider.manifest.provides.includes(link.interface));
  if (unknown) throw missing('its manifest does not provide that', unknown);
  const { store } = plugins.parts;
  const version = store.versions(id).find(({ digest }) => digest === provider.row.digest);
  const files = JSON.parse(version?.files ?? '{}') as Record<string, string>;
  const bytes = store.blob(files[provider.manifest.entry] ?? '');
  if (!bytes) throw missing('its component is not kept');
  return bytes;
}

/** The first link that may not be used, in words for whoever asks why. */
export function refusedLink({ plugin, asked, granted, gate }: PluginPolicy): string | undefined {
  const links = asked.filter((name) => name.startsWith('link:'));
  return links.find((permission) => {
    const decision = decide({
      about: 'call',
      plugin,
      permission,
      asked: true,
      granted: granted.includes(permission),
      gate,
      mode: 'normal',
      caller: 'host',
    });
    return decision.verdict !== 'run';
  });
}

/** @throws NEIRA_BOOT_FAILED with a cause that waits for consent */
export function requireLinks(policy: PluginPolicy): void {
  const link = refusedLink(policy);
  if (link === undefined) return;
  throw new NeiraError('NEIRA_BOOT_FAILED', {
    plugin: policy.plugin,
    reason: `the permission \`${link}\` is not granted`,
    cause: 'NEIRA_PERMISSION_DENIED',
  });
}
