import type { GateDeclaration, PromotionRule } from './gates.ts';
import { targetOf } from './gates.ts';

/** The text of CAPABILITIES.md: what can be unlocked, how, and what speaks for it (HOST-47, X-32). */
export function renderCapabilities(declarations: readonly GateDeclaration[]): string {
  const overview = declarations.map((gate) =>
    row([
      `\`${gate.id}\`${gate.aliases.map((alias) => ` (\`${alias}\`)`).join('')}`,
      `${gate.title.en} · ${gate.title.ru}`,
      `\`${gate.initial}\``,
      gate.requires.map((need) => `\`${need.gate}\` ${need.stage}`).join(', ') || '–',
    ]),
  );
  const chapters = declarations.map((gate) =>
    [
      `## \`${gate.id}\``,
      '',
      `Opens: ${gate.opens.en}`,
      '',
      `Открывает: ${gate.opens.ru}`,
      '',
      row(['to', 'what speaks for it']),
      row(['---', '---']),
      row(['`experimental`', gate.promotion.experimental.map(ruleText).join('; ')]),
      row(['`stable`', gate.promotion.stable.map(ruleText).join('; ')]),
      '',
      `Phrases: ${[...gate.phrases.en.map((each) => `“${each}”`), ...gate.phrases.ru.map((each) => `«${each}»`)].join(', ')}`,
    ].join('\n'),
  );
  return `${[
    '# Capabilities',
    '',
    '<!-- Generated from gates.yaml by `npm run gen`. Do not edit. -->',
    '',
    'Every gate boots `locked`. An administrator brings it to `experimental` (it runs) and to `stable` (it runs,',
    'and satisfies the gates that require it to be stable), with `neira gate set <gate> <stage>` or by one of its',
    'phrases; each change is journaled and can be taken back. Signals inform, people decide.',
    '',
    row(['gate', 'title', 'at first', 'requires']),
    row(['---', '---', '---', '---']),
    ...overview,
    '',
    chapters.join('\n\n'),
  ].join('\n')}\n`;
}

const SIGNAL_TEXT = {
  turns: 'finished turns',
  failures_percent: 'failed turns, percent',
  days: 'days at the stage before',
} as const;

function ruleText(rule: PromotionRule): string {
  return 'manual' in rule
    ? `a person says: ${rule.manual.en}`
    : `${SIGNAL_TEXT[rule.signal]} ${targetOf(rule)}`;
}

function row(cells: readonly string[]): string {
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
}
