/** Command lines that plugins contribute: what a manifest says of them, and what a host answers about them. */

/** One of these values under each of these names. */
export type Having = Readonly<Record<string, readonly (string | number | boolean)[]>>;

/** What a command line does beside its call; `abi/manifest/v1` describes each. */
export interface CommandBehaviour {
  readonly files?: { readonly property: string; readonly entry?: string; readonly writes?: string };
  readonly prints?: string;
  readonly table?: { readonly of: string; readonly columns: readonly string[] };
  readonly fails_if?: string;
  readonly follow?: CommandFollow;
}

export interface CommandFollow {
  readonly match: string;
  readonly always?: boolean;
  readonly over?: Having;
  readonly show: readonly {
    readonly event: string;
    readonly each?: string;
    readonly line: string;
    readonly bad_if?: string;
  }[];
  readonly ends: { readonly event: string; readonly line: string; readonly good?: Having };
}

/** One of `GET /api/neira/commands`. */
export interface CommandView extends CommandBehaviour {
  readonly plugin: string;
  /** `scenario run` */
  readonly name: string;
  readonly title: Readonly<Record<'en' | 'ru', string>>;
  readonly method: string;
  /** `/api/scenario/runs/:id` */
  readonly path: string;
  readonly arguments: readonly string[];
  /** JSON Schemas of what the call takes, by name. */
  readonly properties: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  readonly required: readonly string[];
  /** Why it does not work now. */
  readonly inactive?: string;
}
