/** What the rewriter learns of a module before it comes to its code. */
export interface ModuleLimits {
  /** Bytes that a memory may hold; what is above 256 MB counts as that. */
  readonly maxMemoryBytes: number;
  /** Elements of all tables of the module together at the start, and of each at most. */
  readonly maxTableElements: number;
}

export interface FunctionType {
  readonly params: number;
  readonly results: number;
}

export class ModuleShape {
  readonly limits: ModuleLimits;
  readonly types: FunctionType[] = [];
  /** Index of the type of every function, imported ones first. */
  readonly functions: number[] = [];
  importedFunctions = 0;
  importedGlobals = 0;
  definedGlobals = 0;
  importedTables = 0;
  definedTables = 0;
  /** Elements that the tables hold from the start. */
  tableElements = 0;
  importedMemories = 0;
  definedMemories = 0;
  /** What the data count section says; 0 without one. */
  dataCount = 0;
  resettable = true;
  /** Indices, as the module itself counts, of the globals that it defines and may change. */
  readonly mutableGlobals: number[] = [];

  constructor(limits: ModuleLimits) {
    this.limits = limits;
  }

  get globals(): number {
    return this.importedGlobals + this.definedGlobals;
  }

  get tables(): number {
    return this.importedTables + this.definedTables;
  }

  get hasMemory(): boolean {
    return this.importedMemories + this.definedMemories > 0;
  }

  /** Index of the fuel, the last of the imported globals. */
  get fuelGlobal(): number {
    return this.importedGlobals;
  }

  /** Index that a global of the module has in the rewritten one. */
  shiftedGlobal(index: number): number {
    return index < this.importedGlobals ? index : index + 1;
  }

  /** The cards are the memory behind the only one that a module may have. */
  get cardMemory(): number {
    return 1;
  }
}

/** What may never be exceeded, far above what compilers make. */
export const MAX_TYPES = 20_000;
export const MAX_FUNCTIONS = 100_000;
export const MAX_IMPORTS = 10_000;
export const MAX_EXPORTS = 20_000;
export const MAX_GLOBALS = 20_000;
export const MAX_TABLES = 16;
export const MAX_SEGMENTS = 100_000;
export const MAX_PARAMS = 1000;
/** Parameters included; what the rewriter adds still fits under the 50,000 of V8. */
export const MAX_LOCALS = 49_000;
export const MAX_FUNCTION_BYTES = 4_000_000;
/** All code of a module, rewritten: charges and marks make hostile code several times as long. */
export const MAX_REWRITTEN_BYTES = 96_000_000;
export const MAX_NESTING = 20_000;
export const MAX_NAME_LENGTH = 512;
