/** `intent.recognize`, `save`, `list`, … (INT-03). */
import type { Envelope } from 'neira:host/types';
import { filledContext } from '../grammar/run-context.ts';
import { scalarsOf } from '../understand/meaning.ts';
import { messageOf } from '../understand/nearest.ts';
import { understand } from '../understand/understand.ts';
import { findingsOf } from './findings.ts';
import { FILES } from './keys.ts';
import { preparedLanguages } from './prepared.ts';
import { Refusal } from './refusal.ts';
import { all, type FileRow, removeFile, requireFile, saveFiles, saveValue } from './saving.ts';

interface Recognize {
  readonly text: string;
  readonly locale?: string;
  readonly ctx?: Readonly<Record<string, unknown>>;
}

interface Teach {
  readonly list: string;
  readonly language?: string;
  readonly values: readonly unknown[];
  readonly names?: boolean;
  readonly inflect?: boolean;
  readonly plain?: boolean;
}

export const COMMANDS: Readonly<Record<string, (payload: never, event: Envelope) => object>> = {
  'intent.recognize': ({ text, locale, ctx = {} }: Recognize) => {
    const context = scalarsOf(ctx);
    const result = understand(preparedLanguages(), {
      text,
      ...(locale !== undefined && { locale }),
      context,
    });
    if ('missed' in result) {
      const { locale: likely, nearest } = result.missed;
      return {
        intent: null,
        slots: {},
        confidence: 0,
        locale: likely,
        nearest,
        message: messageOf(nearest, likely),
      };
    }
    const { rule, ...understood } = result.understood;
    const { metadata, response, run } = rule;
    return {
      ...understood,
      ...(metadata && { metadata }),
      ...(response !== undefined && { response }),
      ...(run && { run: { ...run, ctx: filledContext(run.ctx ?? {}, understood.slots) } }),
    };
  },
  'intent.save': ({ files }: { files: Readonly<Record<string, string>> }, event: Envelope) => {
    if (Object.keys(files).length === 0)
      throw new Refusal('INTENT_RULES_INVALID', 422, 'there is no file to save');
    return { files: saveFiles(files, event.source, Date.now()).map(viewOf) };
  },
  'intent.list': () => ({ files: all<FileRow>(FILES).map(viewOf) }),
  'intent.get': ({ file }: { file: string }) => {
    const row = requireFile(file);
    return { ...viewOf(row), text: row.text };
  },
  'intent.remove': ({ file }: { file: string }) => {
    removeFile(file);
    return { file };
  },
  /** Names of things come from elsewhere, and change more often than sentences. */
  'intent.teach': (
    { list, language = '*', values, names = true, inflect, plain = true }: Teach,
    event: Envelope,
  ) => {
    const file = `list:${language === '*' ? '' : `${language}:`}${list}`;
    const written = { values, names, plain, ...(inflect !== undefined && { inflect }) };
    saveValue(file, { language, lists: { [list]: written } }, event.source, Date.now());
    return { list, language, values: values.length };
  },
  'intent.check': () => findingsOf(preparedLanguages()),
};

function viewOf({ text: _, ...row }: FileRow) {
  return row;
}
