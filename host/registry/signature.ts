import { createPrivateKey, createPublicKey, type KeyObject, sign, verify } from 'node:crypto';
import { NeiraError } from '../errors.ts';
import { digestOf, SIGNATURE_FILE, type SourceTree } from './source.ts';

/**
 * Ed25519 signatures of plugins (HOST-26): over the digest of the files, the manifest included, so that a
 * signature covers id, version and permissions. It lies beside them as `signature.json`, or comes apart.
 */
export interface PluginSignature {
  readonly keyId: string;
  /** base64 */
  readonly signature: string;
}

export interface SignaturePolicy {
  /** Refuse what no trusted key signed. */
  readonly require: boolean;
  /** Key id → public key: 32 bytes, base64. */
  readonly trusted: Readonly<Record<string, string>>;
}

export interface Verified {
  /** The trusted key that signed, or null. */
  readonly signedBy: string | null;
}

/**
 * A signature by a trusted key is always checked, and a wrong one is always refused. Without `require`
 * a plugin that is not signed, or signed by a key unknown here, counts as unsigned.
 * @throws NEIRA_SIGNATURE_INVALID with the reason.
 */
export function verifySignature(
  tree: SourceTree,
  plugin: string,
  policy: SignaturePolicy,
  given?: PluginSignature,
): Verified {
  const refuse = (reason: string) => new NeiraError('NEIRA_SIGNATURE_INVALID', { plugin, reason });
  const found = given ?? signatureIn(tree, refuse);
  if (found === undefined) {
    if (policy.require) throw refuse('it is not signed, and this host requires it');
    return { signedBy: null };
  }
  const { keyId, signature } = found;
  if (!Object.hasOwn(policy.trusted, keyId)) {
    if (policy.require) throw refuse(`the key \`${keyId.slice(0, 64)}\` is not trusted here`);
    return { signedBy: null };
  }
  let right = false;
  try {
    right = verify(
      null,
      messageOf(tree),
      publicKeyFrom(policy.trusted[keyId]!),
      Buffer.from(signature, 'base64'),
    );
  } catch (error) {
    throw refuse(`the key \`${keyId}\` cannot be used (${(error as Error).message})`);
  }
  if (!right) throw refuse(`the files are not what \`${keyId}\` signed`);
  return { signedBy: keyId };
}

/** The signature for `tree`, to be written as `signature.json`. @throws when the key is not Ed25519. */
export function signTree(tree: SourceTree, privateKeyPem: string, keyId: string): PluginSignature {
  const signature = sign(null, messageOf(tree), ed25519(createPrivateKey(privateKeyPem)));
  return { keyId, signature: signature.toString('base64') };
}

/** What goes under `signatures.trusted` in neira.yaml for a private key. */
export function publicKeyOf(privateKeyPem: string): string {
  const { x } = ed25519(createPublicKey(privateKeyPem)).export({ format: 'jwk' });
  return Buffer.from(x!, 'base64url').toString('base64');
}

function messageOf(tree: SourceTree): Buffer {
  return Buffer.from(`neira-plugin-signature-v1\n${digestOf(tree)}\n`);
}

function publicKeyFrom(base64: string): KeyObject {
  const raw = Buffer.from(base64, 'base64');
  if (raw.length !== 32) throw new Error('a public key has 32 bytes');
  return createPublicKey({
    key: { kty: 'OKP', crv: 'Ed25519', x: raw.toString('base64url') },
    format: 'jwk',
  });
}

function ed25519(key: KeyObject): KeyObject {
  if (key.asymmetricKeyType !== 'ed25519') throw new Error('the key is not an Ed25519 key');
  return key;
}

function signatureIn(tree: SourceTree, refuse: (reason: string) => NeiraError): PluginSignature | undefined {
  const file = tree.files.get(SIGNATURE_FILE);
  if (file === undefined) return undefined;
  let value: unknown;
  try {
    value = file.length <= 4096 ? JSON.parse(file.toString('utf8')) : undefined;
  } catch {
    value = undefined;
  }
  const { keyId, signature } = (value ?? {}) as Record<string, unknown>;
  if (typeof keyId !== 'string' || typeof signature !== 'string') {
    throw refuse(`${SIGNATURE_FILE} is not {keyId, signature}`);
  }
  return { keyId, signature };
}
