declare module 'russian-nouns-js' {
  export interface Lemma {
    readonly _: never;
  }
  interface RussianNouns {
    readonly CASES: readonly string[];
    readonly Gender: Readonly<Record<'FEMININE' | 'MASCULINE' | 'NEUTER' | 'COMMON', string>>;
    createLemmaOrNull(given: { text: string; gender?: string; pluraleTantum?: boolean }): Lemma | null;
    readonly Engine: new () => {
      decline(lemma: Lemma, grammaticalCase: string, pluralForm?: string): readonly string[];
      pluralize(lemma: Lemma): readonly string[];
    };
  }
  const nouns: RussianNouns;
  export default nouns;
}
