/** What administrators change, as rows and as operations on them; part of what records.ts describes. */

export interface PluginRow {
  readonly id: string;
  readonly kind: 'script' | 'wasm';
  readonly state: 'registered' | 'enabled' | 'disabled' | 'quarantined';
  /** Content digest of the version that serves. */
  readonly digest: string;
  /** Folder that is watched; uploaded plugins have their folder inside the home. */
  readonly path: string;
  readonly origin: 'upload' | 'path' | 'catalog';
  /** Content digest of the folder when it was last loaded: differs from `digest` after a rollback. */
  readonly sourceDigest: string;
  /** JSON: the permissions an administrator granted. */
  readonly grants: string;
  /** JSON: values for the manifest's settings schema. */
  readonly settings: string;
  readonly reason: string | null;
  readonly lastError: string | null;
  readonly registeredAtMs: number;
  readonly updatedAtMs: number;
}

export interface VersionRow {
  readonly plugin: string;
  readonly digest: string;
  readonly version: string;
  /** JSON manifest, normalised. */
  readonly manifest: string;
  /** JSON `{path: blob digest}` of every file. */
  readonly files: string;
  /** Blob digests of the bundled code and its source map. */
  readonly bundle: string;
  readonly sourceMap: string;
  readonly createdAtMs: number;
  readonly signedBy: string | null;
}

export interface GateRow {
  readonly id: string;
  readonly stage: 'locked' | 'experimental' | 'stable';
  readonly sinceMs: number;
  /** Plugin that declared it; null for a gate of gates.yaml. */
  readonly declaredBy: string | null;
  /** JSON of the declaration, for a gate of a plugin. */
  readonly declaration: string | null;
}

export interface TokenRow {
  readonly id: string;
  readonly name: string;
  /** sha-256 of the secret, hex. */
  readonly hash: string;
  /** JSON array of `read`, `write`, `admin`. */
  readonly scopes: string;
  readonly createdAtMs: number;
  readonly expiresAtMs: number | null;
  readonly revokedAtMs: number | null;
}

/** A secret as it is stored; the key that opens it is never in the database. */
export interface SecretRow {
  readonly name: string;
  /** Rises with every value. */
  readonly version: number;
  /** base64 of nonce, ciphertext and tag (AES-256-GCM), see secret-box.ts. */
  readonly sealed: string;
  readonly createdAtMs: number;
  readonly setAtMs: number;
}

export type AdminOp =
  | { readonly op: 'blob.put'; readonly digest: string /** base64 */; readonly bytes: string }
  | { readonly op: 'plugin.put'; readonly row: PluginRow }
  | { readonly op: 'plugin.delete'; readonly id: string; readonly dropData: boolean }
  | {
      readonly op: 'version.put';
      readonly row: VersionRow /** versions kept, the serving one included */;
      readonly keep: number;
    }
  | { readonly op: 'gate.put'; readonly row: GateRow }
  | { readonly op: 'gate.delete'; readonly id: string }
  | { readonly op: 'token.put'; readonly row: TokenRow }
  | { readonly op: 'token.revoke'; readonly id: string; readonly atMs: number }
  | {
      readonly op: 'principal.grant';
      readonly plugin: string;
      readonly id: string;
      /** As the administrator saw it; refused when it has become something else. */
      readonly asked: string;
      readonly grants: string;
      readonly atMs: number;
    }
  | { readonly op: 'principal.remove'; readonly plugin: string; readonly id: string }
  | { readonly op: 'setting.put'; readonly name: string; readonly value: string }
  | { readonly op: 'secret.put'; readonly row: SecretRow }
  | { readonly op: 'secret.delete'; readonly name: string };
