import { createHash } from 'node:crypto';
import { ERRORS, type ErrorCode } from '../errors.ts';
import type { Contract, JsonSchema, Operation } from './openapi.ts';

/**
 * The contract as one page to read: no scripts, nothing from elsewhere, and a policy that forbids both.
 */
export function renderDocs(contract: Contract): { readonly html: string; readonly policy: string } {
  const hash = createHash('sha256').update(STYLE).digest('base64');
  const policy = `default-src 'none'; style-src 'sha256-${hash}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`;
  const sections = contract.tags.map((tag) => {
    const calls = [...contract.operations].filter(([, operation]) => operation.tags[0] === tag.name);
    return `<section id="${escapeHtml(tag.name)}"><h2>${escapeHtml(tag.name)}</h2><p>${prose(tag.description)}</p>${calls
      .map(([call, operation]) => renderCall(call, operation))
      .join('')}</section>`;
  });
  const links = [...contract.tags.map((tag) => tag.name), 'errors'];
  const html = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>${escapeHtml(contract.title)}: HTTP</title><style>${STYLE}</style></head>
<body><h1>${escapeHtml(contract.title)}: HTTP</h1><p>${prose(contract.description)}</p>
<nav>${links.map((name) => `<a href="#${escapeHtml(name)}">${escapeHtml(name)}</a>`).join(' ')}</nav>
${sections.join('\n')}
<section id="errors"><h2>errors</h2><table><tr><th>code</th><th>status</th><th>meaning</th><th>what to do</th></tr>
${Object.keys(ERRORS).map(renderError).join('')}</table></section></body></html>`;
  return { html, policy };
}

function renderCall(call: string, operation: Operation): string {
  const scope = operation.security[0]?.['token']?.[0] ?? 'no token';
  const rows = operation.parameters.map(
    (parameter) =>
      `<tr><td><code>${escapeHtml(parameter.name)}</code></td><td>${parameter.in}${parameter.required ? ', required' : ''}</td>` +
      `<td>${escapeHtml(shape(parameter.schema))}</td><td>${prose(parameter.description ?? '')}</td></tr>`,
  );
  const bodies = Object.entries(operation.requestBody?.content ?? {}).map(
    ([type, { schema }]) => `<h4>body, ${escapeHtml(type)}</h4><pre>${escapeHtml(shape(schema))}</pre>`,
  );
  const answers = Object.entries(operation.responses).map(([status, { description, content }]) => {
    const [type, media] = Object.entries(content ?? {})[0] ?? [];
    const detail =
      status === 'default' || media === undefined ? '' : `<pre>${escapeHtml(shape(media.schema))}</pre>`;
    return `<h4>${status === 'default' ? 'otherwise' : escapeHtml(status)}${type ? `, ${escapeHtml(type)}` : ''}</h4><p>${prose(description)}</p>${detail}`;
  });
  return `<article id="${escapeHtml(operation.operationId)}"><h3><code>${escapeHtml(call)}</code> <small>${escapeHtml(scope)}</small></h3>
<p>${prose(operation.summary)}</p>${operation.description ? `<p>${prose(operation.description)}</p>` : ''}
${rows.length > 0 ? `<table>${rows.join('')}</table>` : ''}${bodies.join('')}${answers.join('')}</article>`;
}

function renderError(code: string): string {
  const { status, message, remedy } = ERRORS[code as ErrorCode];
  return `<tr id="${code}"><td><code>${code}</code></td><td>${status}</td><td>${prose(message)}</td><td>${prose(remedy)}</td></tr>`;
}

/** A schema as a short text: `{id: string, limit?: integer 1…1000}`. */
function shape(schema: JsonSchema, indent = ''): string {
  const parts = schema['allOf'] as JsonSchema[] | undefined;
  if (parts !== undefined) return parts.map((part) => shape(part, indent)).join(' and ');
  if (schema['enum'] !== undefined) return (schema['enum'] as unknown[]).join(' | ');
  const types = [schema['type'] ?? 'any'].flat() as string[];
  const properties = schema['properties'] as Record<string, JsonSchema> | undefined;
  if (properties !== undefined && types.includes('object')) {
    const required = (schema['required'] as string[] | undefined) ?? [];
    const deeper = `${indent}  `;
    const members = Object.entries(properties).map(
      ([name, member]) => `${deeper}${name}${required.includes(name) ? '' : '?'}: ${shape(member, deeper)}`,
    );
    return `{\n${members.join('\n')}\n${indent}}`;
  }
  if (types[0] === 'array') return `[${shape((schema['items'] as JsonSchema | undefined) ?? {}, indent)}]`;
  const range = schema['minimum'] !== undefined ? ` ${schema['minimum']}…${schema['maximum'] ?? ''}` : '';
  return `${types.join(' | ')}${range}`;
}

/** Text with its `code` spans. */
function prose(text: string): string {
  return escapeHtml(text).replace(/`([^`]+)`/g, '<code>$1</code>');
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

const STYLE = `
:root{color-scheme:light dark;font:16px/1.5 system-ui,sans-serif}body{max-width:60rem;margin:2rem auto;padding:0 1rem}
h2{margin-top:3rem;border-bottom:1px solid}article{margin:1.5rem 0 2.5rem}h4{margin:.75rem 0 0;font-weight:600}
small{font-weight:400;opacity:.7}pre,code{font:14px/1.45 ui-monospace,monospace}pre{overflow:auto;padding:.5rem .75rem;border:1px solid;border-radius:.25rem}
table{border-collapse:collapse}td,th{text-align:left;vertical-align:top;padding:.2rem .75rem .2rem 0}p{margin:.25rem 0}
`;
