/** What the engine uses of platform and packages that ship no types for it. */
interface Buffer {
  utf8Write(text: string, offset: number, length: number): number;
  utf8Slice(start: number, end: number): string;
  latin1Write(text: string, offset: number): number;
  latin1Slice(start: number, end: number): string;
  ucs2Write(text: string, offset: number): number;
  ucs2Slice(start: number, end: number): string;
}

declare module '@ungap/structured-clone' {
  export default function structuredClone(value: unknown): unknown;
}
declare module 'core-js/stable/url' {}
declare module 'core-js/stable/url-search-params' {}
