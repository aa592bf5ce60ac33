import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { findClash, findGate, type GateDeclaration } from '../../gates/gates.ts';
import gatesSchema from '../../gates/schema.json' with { type: 'json' };
import { isNeiraError, NeiraError } from '../errors.ts';
import { compileSchema, parseYaml, summary } from '../schema.ts';
import type { OwnGate } from './manifest.ts';

export const GATES_FILE = join(import.meta.dirname, '../../gates/gates.yaml');

/** What `npm run gen` made of it: a boot reads no YAML. */
const BUILT_FILE = join(import.meta.dirname, '../../gates/_dist/gates.json');

/** The host's own gates, as they were when they were checked last. */
export function loadGates(): readonly GateDeclaration[] {
  return JSON.parse(readFileSync(BUILT_FILE, 'utf8')) as GateDeclaration[];
}

/** Those of a text in YAML. @throws NEIRA_CONFIG_INVALID when it is not sound. */
export function parseGates(text: string): readonly GateDeclaration[] {
  const refuse = (reason: unknown) =>
    new NeiraError('NEIRA_CONFIG_INVALID', { setting: 'gates.yaml', reason });
  let value: unknown;
  try {
    value = parseYaml(text, 'gates.yaml');
  } catch (error) {
    throw isNeiraError(error) ? refuse(error.details['reason']) : error;
  }
  const problems = compileSchema(gatesSchema).problems(value);
  if (problems.length > 0) throw refuse(summary(problems));
  const gates = (value as { gates: (GateDeclaration & { aliases?: string[] })[] }).gates.map((gate) => ({
    ...gate,
    aliases: gate.aliases ?? [],
  }));
  for (const [index, gate] of gates.entries()) {
    const clash = findClash(gate, gates.slice(0, index));
    if (clash !== undefined)
      throw refuse(`${clash.what} \`${clash.value}\` of ${gate.id} belongs to ${clash.gate}`);
    // A gate may only require gates above it, so requirements form no circle.
    const unknown = gate.requires.find(
      (need) => !gates.slice(0, index).some((other) => other.id === need.gate),
    );
    if (unknown !== undefined) throw refuse(`${gate.id} requires ${unknown.gate}, which is no gate above it`);
  }
  return gates;
}

/**
 * The gate that a plugin brings, as a declaration: born locked, opened by an administrator's judgement.
 * @throws NEIRA_CONFLICT when its id or a phrase belongs to another gate; NEIRA_MANIFEST_INVALID when it
 * requires a gate that does not exist.
 */
export function declareOwnGate(gate: OwnGate, known: readonly GateDeclaration[]): GateDeclaration {
  const manual = {
    manual: { en: 'An administrator wants it.', ru: 'Администратор хочет этого.' },
  };
  const requires = gate.requires.map((need) => {
    const found = findGate(need.gate, known);
    if (found !== undefined) return { gate: found.id, stage: need.stage };
    const message = `requires \`${need.gate}\`, which is no gate of this host`;
    throw new NeiraError('NEIRA_MANIFEST_INVALID', {
      reason: `the gate ${gate.id} ${message}`,
      errors: [{ path: 'gates', message, remedy: 'List the gates with `neira gate list`.' }],
    });
  });
  const declaration: GateDeclaration = {
    ...gate,
    requires,
    aliases: [],
    initial: 'locked',
    promotion: { experimental: [manual], stable: [manual] },
  };
  const clash = findClash(declaration, known);
  if (clash !== undefined) {
    throw new NeiraError('NEIRA_CONFLICT', {
      what: `The ${clash.what} of a gate,`,
      id: clash.value,
      by: clash.gate,
    });
  }
  return declaration;
}
