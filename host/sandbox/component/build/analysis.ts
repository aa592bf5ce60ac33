/** What the host and its analysis thread say to each other. */
import type { ModuleLimits, RefusalKind } from '../meter/meter.ts';
import type { Given } from './allowed-imports.ts';

export interface Part {
  readonly bytes: Uint8Array;
  readonly given: readonly Given[];
}

/** A component whose interfaces another one imports. */
export interface LinkedPart extends Part {
  readonly interfaces: readonly string[];
}

export interface AnalysisJob extends Part {
  /** Our WIT with the world that the component is to have. */
  readonly wit: string;
  readonly linked: readonly LinkedPart[];
  /** Functions of the world that the component exports. */
  readonly exported: readonly string[];
  /** Imports that wait, as `<interface>#<function>`. */
  readonly waiting: readonly string[];
  readonly moduleLimits: ModuleLimits;
  readonly maxCoreModules: number;
}

export interface Transpiled {
  readonly kind: 'transpiled';
  /** An ES module that exports `instantiate`. */
  readonly glue: string;
  /** Metered, by the name that the glue asks for. */
  readonly modules: ReadonlyMap<string, Uint8Array>;
  readonly resettable: boolean;
  /** It imports one of the functions that wait; else its glue is made of plain functions. */
  readonly waits: boolean;
  /** Interfaces that the glue asks for, without versions. */
  readonly imports: readonly string[];
}

export interface Misfit {
  /** `broken`: the tool itself gave up, and its memory is not to be trusted any more. */
  readonly kind: 'invalid' | 'misfit' | 'broken';
  readonly reason: string;
  /** Of a misfit: the exports of the component, in WIT. */
  readonly exports: readonly string[];
}

export interface BadModule {
  readonly kind: 'module';
  readonly refusal: RefusalKind;
  readonly reason: string;
}

export interface TooManyModules {
  readonly kind: 'modules';
  readonly count: number;
}

export type AnalysisAnswer = Transpiled | Misfit | BadModule | TooManyModules;
