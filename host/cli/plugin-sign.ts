import { readFile, writeFile } from 'node:fs/promises';
import { basename, extname, join } from 'node:path';
import type { Command } from 'commander';
import { NeiraError } from '../errors.ts';
import { run, type Session } from './command.ts';

export function addSign(plugin: Command): void {
  plugin
    .command('sign')
    .argument('<folder>')
    .description('write signature.json into a plugin folder')
    .requiredOption(
      '--key <pem>',
      'file with an Ed25519 private key, as `openssl genpkey -algorithm ed25519` makes it',
    )
    .option(
      '--key-id <name>',
      'the name of the key under `signatures.trusted`; the name of its file by default',
    )
    .action(run(sign));
}

interface SignOptions {
  readonly key: string;
  readonly keyId?: string;
}

/** Signs without a host, with the code that the host checks with. */
async function sign(
  { out }: Session,
  folder: string,
  { key, keyId = basename(key, extname(key)) }: SignOptions,
): Promise<void> {
  const [{ SIGNATURE_FILE, sourceFromFolder }, { publicKeyOf, signTree }] = await Promise.all([
    import('../registry/source.ts'),
    import('../registry/signature.ts'),
  ]);
  const pem = await readFile(key, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw refuse(folder, `the key \`${key}\` cannot be read (${error.code})`);
  });
  const tree = await sourceFromFolder(folder);
  const file = join(folder, SIGNATURE_FILE);
  let publicKey: string;
  try {
    publicKey = publicKeyOf(pem);
    await writeFile(file, `${JSON.stringify(signTree(tree, pem, keyId), null, 2)}\n`);
  } catch (error) {
    throw refuse(folder, (error as Error).message);
  }
  out.result({ file, keyId, publicKey }, () => {
    out.line(`Wrote ${file}.`);
    out.remark(
      `A host trusts it with this in neira.yaml:\n\nsignatures:\n  trusted:\n    ${keyId}: ${publicKey}\n`,
    );
  });
}

function refuse(plugin: string, reason: string): NeiraError {
  return new NeiraError('NEIRA_SIGNATURE_INVALID', { plugin, reason });
}
