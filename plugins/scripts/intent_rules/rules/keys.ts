/** Where what lies in the plugin's storage. */
export const keys = {
  /** The author's text. */
  file: (file: string) => `file/${file}`,
  unit: (file: string) => `unit/${file}`,
  list: (language: string, name: string) => `list/${language}/${name}`,
  /** `<rule>`s of a language, of all files. */
  expansions: (language: string) => `expansions/${language}`,
} as const;

export const UNITS = 'unit/';
export const LISTS = 'list/';
export const FILES = 'file/';
