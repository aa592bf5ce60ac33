import type { Command } from 'commander';
import { run, type Session } from './command.ts';
import { plain } from './output.ts';

interface Principal {
  readonly id: string;
  readonly title: string;
  readonly digest?: string;
  readonly permissions: object;
  readonly grants: object;
  readonly pending_consent: readonly string[];
}

export function addPrincipals(plugin: Command): void {
  plugin
    .command('principals')
    .argument('<id>')
    .description('on whose behalf a plugin acts, and what each was granted')
    .option('--remove <principal>', 'remove this one with all that it kept')
    .action(run(principals));
}

const all = (plugin: string) => `/api/neira/plugins/${encodeURIComponent(plugin)}/principals`;
const one = (plugin: string, principal: string) => `${all(plugin)}/${encodeURIComponent(principal)}`;

async function principals(
  { out, host }: Session,
  id: string,
  { remove }: { readonly remove?: string },
): Promise<void> {
  const client = await host();
  if (remove !== undefined) {
    await client.send('DELETE', one(id, remove));
    out.result({ removed: remove, of: id }, () => out.line(`${plain(remove)} of ${id} is removed.`));
    return;
  }
  const body = await client.get<{ principals: readonly Principal[] }>(all(id));
  out.result(body, () => {
    if (body.principals.length === 0) return out.remark(`${id} has no principals registered.`);
    out.table(
      ['id', 'title', 'granted', 'waits for consent', 'definition'],
      body.principals.map((each) => [
        each.id,
        plain(each.title),
        granted(each.grants),
        each.pending_consent.join(', ') || 'nothing',
        each.digest?.slice(0, 20) ?? '',
      ]),
    );
  });
}

/** Sets what a principal is granted: the permissions, or all that it asks for. */
export async function grantPrincipal(
  { out, host }: Session,
  id: string,
  principal: string,
  permissions: object | undefined,
): Promise<void> {
  const path = `${one(id, principal)}/grants${permissions === undefined ? '?grant=all' : ''}`;
  const body = permissions === undefined ? {} : { permissions };
  const found = await (await host()).send<Principal>('PUT', path, body);
  out.result(found, () => {
    out.line(`${found.id} of ${id} is granted ${granted(found.grants)}.`);
    if (found.pending_consent.length > 0) out.remark(`It also asks for ${found.pending_consent.join(', ')}.`);
  });
}

/** `storage: read, write; bus.publish: ui.notify` – what is empty is left out. */
function granted(grants: object): string {
  const parts = lists(grants, '');
  return parts.length === 0 ? 'nothing' : plain(parts.join('; '));
}

function lists(value: object, at: string): string[] {
  return Object.entries(value).flatMap(([name, inner]) => {
    const path = at === '' ? name : `${at}.${name}`;
    if (!Array.isArray(inner)) return lists(inner as object, path);
    const items = inner.map((each) => (typeof each === 'string' ? each : JSON.stringify(each)));
    return items.length === 0 ? [] : [`${path}: ${items.join(', ')}`];
  });
}
