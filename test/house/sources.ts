/** What the house rules look at: the files of the project, and their code as a syntax tree. */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { parseAst } from 'vitest/node';

export const ROOT = path.resolve(import.meta.dirname, '../..');

/** Never part of the project: what is installed, live state, pages that were built, and the tools' own. */
export const OUTSIDE = new Set(['node_modules', '.git', '.neira', 'coverage', 'docs']);

/** Every file of the project, relative to its root, with `/` between folders. */
export const FILES: readonly string[] = walk('').sort();

/** Code written by people: generated declarations are not. */
export const CODE: readonly string[] = FILES.filter(
  (file) => file.endsWith('.ts') && !file.endsWith('.d.ts') && !file.includes('/fixtures/'),
);

/** Tests, and what only tests use: `test/`, `*.test.ts` and helpers beside them, `test-*.ts`. */
export function isTest(file: string): boolean {
  const name = path.posix.basename(file);
  return file.startsWith('test/') || name.endsWith('.test.ts') || name.startsWith('test-');
}

export function read(file: string): string {
  return readFileSync(path.join(ROOT, file), 'utf8');
}

export interface Node {
  readonly type: string;
  readonly start: number;
  readonly [member: string]: unknown;
}

const trees = new Map<string, Node>();

export function treeOf(file: string): Node {
  const known = trees.get(file);
  if (known) return known;
  const tree = parseAst(read(file), { lang: 'ts' }) as unknown as Node;
  trees.set(file, tree);
  return tree;
}

/** Every node of the tree, parents before children. */
export function* nodesOf(node: Node): Generator<Node> {
  yield node;
  for (const member of Object.values(node)) {
    for (const each of Array.isArray(member) ? member : [member]) if (isNode(each)) yield* nodesOf(each);
  }
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && typeof (value as Node).type === 'string';
}

/** The value of a plain string, written with quotes or backquotes. */
export function textOf(node: unknown): string | undefined {
  if (!isNode(node)) return undefined;
  if (node.type === 'Literal' && typeof node.value === 'string') return node.value;
  if (node.type !== 'TemplateLiteral') return undefined;
  const quasis = node.quasis as { value: { cooked: string } }[];
  return quasis.length === 1 ? quasis[0]!.value.cooked : undefined;
}

/** Every plain string of a file, type positions included. */
export function stringsOf(file: string): string[] {
  return [...nodesOf(treeOf(file))].flatMap((node) => textOf(node) ?? []);
}

/** `file:line`, as editors and terminals understand it. */
export function placeOf(file: string, node: Node): string {
  return `${file}:${read(file).slice(0, node.start).split('\n').length}`;
}

const FROM_SOURCE = new Set(['ImportDeclaration', 'ExportAllDeclaration', 'ExportNamedDeclaration']);

/**
 * What a file imports, types included, and the modules that it starts or reads by
 * `new URL('./x.ts', import.meta.url)` or `require.resolve('x')`.
 */
export function importsOf(file: string): string[] {
  const found: string[] = [];
  for (const node of nodesOf(treeOf(file))) {
    const text = FROM_SOURCE.has(node.type) ? textOf(node.source) : (dynamicImport(node) ?? resolved(node));
    if (text !== undefined) found.push(text);
  }
  return found;
}

function dynamicImport(node: Node): string | undefined {
  return node.type === 'ImportExpression' || node.type === 'TSImportType' ? textOf(node.source) : undefined;
}

function resolved(node: Node): string | undefined {
  const callee = node.callee as Node | undefined;
  const args = node.arguments as unknown[] | undefined;
  if (!callee || !args) return undefined;
  const first = textOf(args[0]);
  if (node.type === 'NewExpression' && callee.name === 'URL' && args.length === 2) {
    return first?.startsWith('.') && first.endsWith('.ts') ? first : undefined;
  }
  if (node.type !== 'CallExpression') return undefined;
  if (callee.type === 'Identifier') return callee.name === 'require' ? first : undefined;
  const onRequire = (callee.object as Node | undefined)?.name === 'require';
  return onRequire && (callee.property as Node).name === 'resolve' ? first : undefined;
}

/** The file that a relative import of `from` names, relative to the root. */
export function targetOf(from: string, specifier: string): string {
  return path.posix.normalize(path.posix.join(path.posix.dirname(from), specifier));
}

/** `@scope/name/sub` → `@scope/name`; undefined for files, builtins and the host's own modules. */
export function packageOf(specifier: string): string | undefined {
  if (/^(?:\.|\/|node:|neira:)/.test(specifier)) return undefined;
  return specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/');
}

function walk(folder: string): string[] {
  return readdirSync(path.join(ROOT, folder), { withFileTypes: true }).flatMap((entry) => {
    if (OUTSIDE.has(entry.name)) return [];
    const file = folder === '' ? entry.name : `${folder}/${entry.name}`;
    if (entry.isDirectory()) return walk(file);
    return entry.isFile() ? [file] : [];
  });
}
