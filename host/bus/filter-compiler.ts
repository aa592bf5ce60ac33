/**
 * Turns the parsed text of a filter into a function over JSON values.
 *
 * The library parses; its evaluator is not used, because it runs in the writer thread on values that plugins
 * choose: it keeps a type for every shape of value it ever saw, calls a payload with a field `constructor`
 * an unknown type, and knows no `double % int`. Here all numbers are those of JSON, the language is what
 * stands below and nothing else, there is no loop, and every part pays for what it does.
 */
import type { ASTNode } from '@marcbachmann/cel-js';
import { compileLinear } from '../base/linear-pattern.ts';
import {
  areEqual,
  compare,
  contains,
  doubleOf,
  elementOf,
  FAILED,
  fieldOf,
  integerOf,
  isIn,
  type Run,
  sizeOf,
  spend,
  spendChars,
  sum,
  textOf,
} from './filter-values.ts';

/** The automata of all `matches()` of one filter together; they are the large part of its memory. */
export const MAX_FILTER_STATES = 1000;
/** States of an automaton that one character may visit in one step. */
const STATES_PER_STEP = 4;

export type Evaluate = (run: Run) => unknown;
/** `any` where only the event decides. `int` never comes from an event: its numbers are doubles. */
type Kind = 'bool' | 'int' | 'double' | 'string' | 'null' | 'list' | 'any';

interface Part {
  readonly kind: Kind;
  readonly evaluate: Evaluate;
}

/** A reason why a text is no filter, and where in it. */
export class FilterProblem extends Error {
  readonly offset: number;

  constructor(reason: string, offset: number) {
    super(reason);
    this.offset = offset;
  }
}

/** @throws FilterProblem */
export function compileRoot(root: ASTNode): Evaluate {
  const { kind, evaluate } = new Compiler().part(root);
  if (kind !== 'bool' && kind !== 'any') refuse(root, 'a filter has to say true or false');
  return evaluate;
}

type Operation = (run: Run, a: unknown, b: unknown) => unknown;
type Test = (run: Run, text: string, other: string) => unknown;

const BINARY: Readonly<Record<string, Operation>> = {
  '==': (run, a, b) => areEqual(run, a, b),
  '!=': (run, a, b) => negate(areEqual(run, a, b)),
  '<': (run, a, b) => ordered(compare(run, a, b), (order) => order < 0),
  '<=': (run, a, b) => ordered(compare(run, a, b), (order) => order <= 0),
  '>': (run, a, b) => ordered(compare(run, a, b), (order) => order > 0),
  '>=': (run, a, b) => ordered(compare(run, a, b), (order) => order >= 0),
  in: isIn,
  '+': sum,
  '-': arithmetic((a, b) => a - b),
  '*': arithmetic((a, b) => a * b),
  '/': arithmetic((a, b) => a / b),
  '%': arithmetic((a, b) => (b === 0 ? FAILED : a % b)),
};

const ARITHMETIC = new Set(['+', '-', '*', '/', '%']);
/** Of two numbers that no event gave. */
const wholeDivision = arithmetic((a, b) => (b === 0 ? FAILED : Math.trunc(a / b)));

const FUNCTIONS: Readonly<
  Record<string, { readonly kind: Kind; readonly of: (run: Run, v: unknown) => unknown }>
> = {
  size: { kind: 'int', of: sizeOf },
  string: { kind: 'string', of: textOf },
  int: { kind: 'int', of: integerOf },
  double: { kind: 'double', of: doubleOf },
};

const TESTS: Readonly<Record<string, Test>> = {
  contains,
  startsWith: (run, text, part) => (spendChars(run, part.length) ? text.startsWith(part) : FAILED),
  endsWith: (run, text, part) => (spendChars(run, part.length) ? text.endsWith(part) : FAILED),
};

const TEXTS: Readonly<Record<string, (text: string) => string>> = {
  lowerAscii: (text) => text.replace(/[A-Z]/g, (letter) => letter.toLowerCase()),
  upperAscii: (text) => text.replace(/[a-z]/g, (letter) => letter.toUpperCase()),
  trim: (text) => text.trim(),
};

const LOOPS = new Set(['all', 'exists', 'exists_one', 'map', 'filter']);

class Compiler {
  #states = 0;

  part(node: ASTNode): Part {
    const { kind, evaluate } = this.#part(node);
    return { kind, evaluate: (run) => (spend(run, 1) ? evaluate(run) : FAILED) };
  }

  #part(node: ASTNode): Part {
    switch (node.op) {
      case 'value':
        return literal(node);
      case 'id':
        if (node.args === 'event') return { kind: 'any', evaluate: (run) => run.event };
        return refuse(node, `\`${node.args}\` is unknown; fields are read as \`event.payload.${node.args}\``);
      case '.': {
        const [holder, name] = [this.part(node.args[0]).evaluate, node.args[1]];
        return { kind: 'any', evaluate: (run) => fieldOf(holder(run), name) };
      }
      case '[]':
        return {
          kind: 'any',
          evaluate: both(this.#parts(node.args), (_run, holder, index) => elementOf(holder, index)),
        };
      case 'list': {
        const parts = node.args.map((each) => this.part(each).evaluate);
        return { kind: 'list', evaluate: (run) => listOf(parts.map((each) => each(run))) };
      }
      case '&&':
        return this.#junction(node.args, false);
      case '||':
        return this.#junction(node.args, true);
      case '!_': {
        const value = this.#truth(node.args);
        return { kind: 'bool', evaluate: (run) => negate(value(run)) };
      }
      case '-_': {
        const { kind, evaluate } = this.part(node.args);
        const minus = (value: unknown) => (typeof value === 'number' ? -value : FAILED);
        return { kind, evaluate: (run) => minus(evaluate(run)) };
      }
      case '?:':
        return this.#choice(node.args);
      case 'call':
        return this.#call(node, ...node.args);
      case 'rcall':
        return this.#method(node, ...node.args);
      default:
        return this.#binary(node);
    }
  }

  #parts([left, right]: readonly [ASTNode, ASTNode]): readonly [Part, Part] {
    return [this.part(left), this.part(right)];
  }

  #binary(node: ASTNode): Part {
    const operation = Object.hasOwn(BINARY, node.op) ? BINARY[node.op]! : undefined;
    if (operation === undefined) return refuse(node, `\`${node.op}\` is not for filters`);
    const parts = this.#parts(node.args as [ASTNode, ASTNode]);
    if (!ARITHMETIC.has(node.op)) return { kind: 'bool', evaluate: both(parts, operation) };
    const kind = parts[0].kind === parts[1].kind ? parts[0].kind : 'any';
    const isWhole = node.op === '/' && kind === 'int';
    return { kind, evaluate: both(parts, isWhole ? wholeDivision : operation) };
  }

  /** As in CEL, one side may settle it when the other has failed. */
  #junction(args: readonly [ASTNode, ASTNode], settling: boolean): Part {
    const [left, right] = [this.#truth(args[0]), this.#truth(args[1])];
    const evaluate = (run: Run) => {
      const a = left(run);
      if (a === settling) return settling;
      const b = right(run);
      if (b === settling) return settling;
      return a === !settling && b === !settling ? !settling : FAILED;
    };
    return { kind: 'bool', evaluate };
  }

  #choice([condition, yes, no]: readonly [ASTNode, ASTNode, ASTNode]): Part {
    const [decide, then, otherwise] = [this.#truth(condition), this.part(yes), this.part(no)];
    const evaluate = (run: Run) => {
      const decided = decide(run);
      if (decided === true) return then.evaluate(run);
      return decided === false ? otherwise.evaluate(run) : FAILED;
    };
    return { kind: then.kind === otherwise.kind ? then.kind : 'any', evaluate };
  }

  #truth(node: ASTNode): Evaluate {
    const { kind, evaluate } = this.part(node);
    if (kind !== 'bool' && kind !== 'any') refuse(node, 'this has to be true or false');
    return evaluate;
  }

  #call(node: ASTNode, name: string, args: readonly ASTNode[]): Part {
    if (name === 'has') return this.#has(node, args);
    if (!Object.hasOwn(FUNCTIONS, name)) return refuse(node, unknown(name));
    if (args.length !== 1) return refuse(node, `\`${name}\` takes one value`);
    const [value, { kind, of }] = [this.part(args[0]!).evaluate, FUNCTIONS[name]!];
    return { kind, evaluate: (run) => onValue(value(run), (found) => of(run, found)) };
  }

  #has(node: ASTNode, args: readonly ASTNode[]): Part {
    const [field] = args;
    if (args.length !== 1 || field?.op !== '.') {
      return refuse(node, '`has` takes one field, as in `has(event.payload.city)`');
    }
    const [holder, name] = [this.part(field.args[0]).evaluate, field.args[1]];
    return {
      kind: 'bool',
      evaluate: (run) => onValue(holder(run), (found) => fieldOf(found, name) !== FAILED),
    };
  }

  #method(node: ASTNode, name: string, receiver: ASTNode, args: readonly ASTNode[]): Part {
    if (LOOPS.has(name)) {
      return refuse(
        node,
        `\`${name}\` loops, which filters do not; compare in handle(), or use \`"x" in event.payload.list\``,
      );
    }
    if (name === 'size' && args.length === 0) return this.#call(node, name, [receiver]);
    if (name === 'matches') return this.#matches(node, receiver, args);
    if (Object.hasOwn(TESTS, name)) {
      if (args.length !== 1) return refuse(node, `\`${name}\` takes one text`);
      const test = TESTS[name]!;
      const tested: Operation = (run, text, other) =>
        typeof text === 'string' && typeof other === 'string' ? test(run, text, other) : FAILED;
      return { kind: 'bool', evaluate: both(this.#parts([receiver, args[0]!]), tested) };
    }
    if (!Object.hasOwn(TEXTS, name)) return refuse(node, unknown(name));
    if (args.length > 0) return refuse(node, `\`${name}\` takes nothing`);
    const [text, change] = [this.part(receiver).evaluate, TEXTS[name]!];
    return {
      kind: 'string',
      evaluate: (run) => onText(text(run), (found) => (spend(run, found.length) ? change(found) : FAILED)),
    };
  }

  #matches(node: ASTNode, receiver: ASTNode, args: readonly ASTNode[]): Part {
    const [pattern] = args;
    if (args.length !== 1 || pattern?.op !== 'value' || typeof pattern.args !== 'string') {
      return refuse(node, '`matches` takes one pattern, which must be a text in quotes');
    }
    const { states, test } = linear(pattern, pattern.args);
    this.#states += states;
    if (this.#states > MAX_FILTER_STATES) refuse(pattern, 'the patterns of this filter are too large');
    const text = this.part(receiver).evaluate;
    return {
      kind: 'bool',
      evaluate: (run) =>
        onText(text(run), (found) =>
          spend(run, (found.length * states) / STATES_PER_STEP) ? test(found) : FAILED,
        ),
    };
  }
}

function both([left, right]: readonly [Part, Part], operation: Operation): Evaluate {
  return (run) => {
    const a = left.evaluate(run);
    if (a === FAILED) return FAILED;
    const b = right.evaluate(run);
    return b === FAILED ? FAILED : operation(run, a, b);
  };
}

function literal(node: ASTNode & { readonly op: 'value' }): Part {
  const value = node.args;
  const of = (kind: Kind, constant: unknown): Part => ({ kind, evaluate: () => constant });
  if (value === null) return of('null', null);
  if (typeof value === 'bigint') return of('int', Number(value));
  if (typeof value === 'number') return of('double', value);
  if (typeof value === 'string') return of('string', value);
  if (typeof value === 'boolean') return of('bool', value);
  return refuse(node, 'JSON has no bytes and no unsigned numbers; write a text or a plain number');
}

function linear(node: ASTNode, source: string) {
  try {
    return compileLinear(source);
  } catch (error) {
    return refuse(node, `the pattern ${(error as Error).message}`);
  }
}

function arithmetic(operation: (a: number, b: number) => unknown): Operation {
  return (_run, a, b) => (typeof a === 'number' && typeof b === 'number' ? operation(a, b) : FAILED);
}

function ordered(order: number | typeof FAILED, holds: (order: number) => boolean): unknown {
  return order === FAILED ? FAILED : holds(order);
}

function negate(value: unknown): unknown {
  return typeof value === 'boolean' ? !value : FAILED;
}

function listOf(values: readonly unknown[]): unknown {
  return values.includes(FAILED) ? FAILED : values;
}

function onValue(value: unknown, then: (value: unknown) => unknown): unknown {
  return value === FAILED ? FAILED : then(value);
}

function onText(value: unknown, then: (text: string) => unknown): unknown {
  return typeof value === 'string' ? then(value) : FAILED;
}

function unknown(name: string): string {
  const known = ['has', ...Object.keys(FUNCTIONS), 'matches', ...Object.keys(TESTS), ...Object.keys(TEXTS)];
  return `\`${name}\` is not a function of filters; these are: ${known.join(', ')}`;
}

function refuse(node: ASTNode, reason: string): never {
  throw new FilterProblem(reason, node.start);
}
