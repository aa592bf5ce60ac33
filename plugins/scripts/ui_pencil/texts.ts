/** What the pencil says, in the language of whoever draws, or in both where that is not known. */
import type { Envelope } from 'neira:host/types';
import type { Flaw } from './drawing.ts';

type Text = { ru: string; en: string };
type Language = keyof Text;

const LANGUAGES: readonly Language[] = ['ru', 'en'];

export const TEXTS: Readonly<Record<Flaw['code'] | 'saved', Text>> = {
  saved: { en: 'The drawing is saved.', ru: 'Рисунок сохранён.' },
  payload_invalid: {
    en: 'The event carries no drawing.',
    ru: 'В событии нет рисунка.',
  },
  chat_id_invalid: {
    en: 'The chat of the drawing is not named, or its id has signs other than letters, digits and _ . -',
    ru: 'Не указан чат рисунка, либо в его id есть что-то кроме букв, цифр и _ . -',
  },
  session_id_invalid: {
    en: 'The session of the drawing is not named, or its id has signs other than letters, digits and _ . -',
    ru: 'Не указана сессия рисунка, либо в её id есть что-то кроме букв, цифр и _ . -',
  },
  points_missing: {
    en: 'A drawing needs at least one point.',
    ru: 'В рисунке должна быть хотя бы одна точка.',
  },
  points_too_many: {
    en: 'The drawing has {count} points; {max} are allowed.',
    ru: 'Точек в рисунке: {count}, допускается не больше {max}.',
  },
  point_invalid: {
    en: 'A point is [x, y] or {x, y}, with numbers between -{max} and {max}.',
    ru: 'Точка — это [x, y] или {x, y}, числа от -{max} до {max}.',
  },
  color_invalid: {
    en: 'The colour must be #rgb, #rrggbb, #rrggbbaa or a simple name such as red.',
    ru: 'Цвет должен быть вида #rgb, #rrggbb, #rrggbbaa или простым названием, например red.',
  },
  size_invalid: {
    en: 'The thickness must be a number between {min} and {max}.',
    ru: 'Толщина должна быть числом от {min} до {max}.',
  },
};

/** Fills a text in the languages that the event asks for. */
export function inLanguageOf(event: Envelope) {
  const wanted = languageOf(event);
  const languages = wanted === undefined ? LANGUAGES : [wanted];
  return (text: Text, details: Record<string, number> = {}): Partial<Text> =>
    Object.fromEntries(languages.map((language) => [language, fill(text[language], details)]));
}

/** `context.locale` says it outright, `accept-language` by preference. */
function languageOf({ payload, headers }: Envelope): Language | undefined {
  const { locale } = ((payload as { context?: unknown } | null)?.context ?? {}) as { locale?: unknown };
  return (
    (typeof locale === 'string' ? known(locale) : undefined) ?? preferred(headers['accept-language'] ?? '')
  );
}

/** The known language of the highest weight in `ru-RU,ru;q=0.9,en;q=0.8`. */
function preferred(header: string): Language | undefined {
  if (header === '') return undefined;
  let best: { language: Language; weight: number } | undefined;
  for (const part of header.split(',')) {
    const [tag = '', quality = ''] = part.split(';');
    const language = known(tag);
    const weight = quality.trim().startsWith('q=') ? Number(quality.trim().slice(2)) : 1;
    if (language && weight > (best?.weight ?? 0)) best = { language, weight };
  }
  return best?.language;
}

function known(tag: string): Language | undefined {
  const primary = tag.trim().toLowerCase().split(/[-_]/)[0];
  return LANGUAGES.find((language) => language === primary);
}

function fill(text: string, details: Record<string, number>): string {
  // Most texts have no place to fill, and looking for one costs more than the rest.
  if (!text.includes('{')) return text;
  return text.replace(/\{(\w+)\}/g, (whole, name: string) =>
    details[name] === undefined ? whole : String(details[name]),
  );
}
