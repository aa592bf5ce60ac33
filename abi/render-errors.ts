interface CatalogueEntry {
  readonly status: number;
  readonly blame: string;
  readonly message: string;
  readonly remedy: string;
}

/** The text of errors.md: everything that can go wrong, who has to act, and what to do. */
export function renderErrors(catalogue: Readonly<Record<string, CatalogueEntry>>): string {
  const rows = Object.entries(catalogue)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([code, { status, blame, message, remedy }]) =>
      row([`\`${code}\``, String(status), blame, message, remedy]),
    );
  return `${[
    '# Errors',
    '',
    '<!-- Generated from host/error-catalogue.ts by `npm run gen`. Do not edit. -->',
    '',
    'Branch on the code; the sentences may be improved. `{name}` stands for a member of the problem document',
    '(RFC 9457) or of `details`. Blame says who has to act: the `caller`, the author of the `plugin`, or who runs',
    'the `host`.',
    '',
    row(['code', 'status', 'blame', 'what happened', 'what to do']),
    row(['---', '---', '---', '---', '---']),
    ...rows,
  ].join('\n')}\n`;
}

function row(cells: readonly string[]): string {
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
}
