/** What the frontend sent, checked and brought into the one form that is stored. Pure. */

export type Stroke = {
  /** `[x, y]`, to a hundredth of a pixel. */
  points: [number, number][];
  /** `#rrggbb` or `#rrggbbaa`, in lower case. */
  color: string;
  size: number;
  /** `[left, top, right, bottom]` of the points, the thickness left out. */
  bbox: [number, number, number, number];
};

export type Flaw = {
  code:
    | 'payload_invalid'
    | 'chat_id_invalid'
    | 'session_id_invalid'
    | 'points_missing'
    | 'points_too_many'
    | 'point_invalid'
    | 'color_invalid'
    | 'size_invalid';
  /** Where in the payload. */
  path: string;
  details?: Record<string, number>;
};

export type Drawing = { chatId: string; sessionId: string; stroke: Stroke };

export const MAX_COORDINATE = 100_000;
export const MIN_SIZE = 1;
export const MAX_SIZE = 200;
const DEFAULT_SIZE = 3;
const DEFAULT_COLOR = '#000000';

/** Ids become file names; the host asks the same of them. */
const ID = /^(?!\.+$)[\p{L}\p{N}_.-]{1,128}$/u;
const HEX = /^#(?:[0-9a-f]{3}|[0-9a-f]{6}|[0-9a-f]{8})$/;
const NAMED: Record<string, string> = {
  black: '#000000',
  white: '#ffffff',
  gray: '#808080',
  red: '#ff0000',
  orange: '#ffa500',
  yellow: '#ffff00',
  green: '#008000',
  blue: '#0000ff',
  purple: '#800080',
  pink: '#ffc0cb',
  brown: '#a52a2a',
};

type Members = Record<string, unknown>;

/** The first flaw is the answer: a frontend draws again, it does not correct a list. */
export function readDrawing(payload: unknown, maxPoints: number): Drawing | Flaw {
  if (!isObject(payload)) return { code: 'payload_invalid', path: 'payload' };
  const { params, context } = payload;
  if (!isObject(params)) return { code: 'payload_invalid', path: 'params' };
  if (!isObject(context)) return { code: 'payload_invalid', path: 'context' };

  const { chat_id: chatId, session_id: sessionId } = context;
  if (!isId(chatId)) return { code: 'chat_id_invalid', path: 'context.chat_id' };
  if (!isId(sessionId)) return { code: 'session_id_invalid', path: 'context.session_id' };

  const [pointsName, given] = either(params, 'points', 'coordinates');
  const points = readPoints(given, `params.${pointsName}`, maxPoints);
  if ('code' in points) return points;

  const [colorName, color] = either(params, 'color', 'colour');
  const hex = readColor(color);
  if (hex === undefined) return { code: 'color_invalid', path: `params.${colorName}` };

  const [sizeName, size] = either(params, 'size', 'thickness');
  const thickness = size ?? DEFAULT_SIZE;
  if (!isWithin(thickness, MIN_SIZE, MAX_SIZE)) {
    return { code: 'size_invalid', path: `params.${sizeName}`, details: { min: MIN_SIZE, max: MAX_SIZE } };
  }
  return { chatId, sessionId, stroke: { points, color: hex, size: thickness, bbox: boundsOf(points) } };
}

function readPoints(given: unknown, path: string, maxPoints: number): [number, number][] | Flaw {
  if (!Array.isArray(given) || given.length === 0) return { code: 'points_missing', path };
  if (given.length > maxPoints) {
    return { code: 'points_too_many', path, details: { count: given.length, max: maxPoints } };
  }
  const points: [number, number][] = [];
  // A drawing may have thousands of points, and computation is what a turn has least of: plain loops.
  for (let index = 0; index < given.length; index++) {
    const point: unknown = given[index];
    // A third number, as pressure, is not a point that we know.
    const pair = Array.isArray(point) && point.length === 2;
    const x: unknown = pair ? point[0] : isObject(point) ? point['x'] : undefined;
    const y: unknown = pair ? point[1] : isObject(point) ? point['y'] : undefined;
    if (!isCoordinate(x) || !isCoordinate(y)) {
      return { code: 'point_invalid', path: `${path}[${index}]`, details: { max: MAX_COORDINATE } };
    }
    points.push([rounded(x), rounded(y)]);
  }
  return points;
}

function readColor(color: unknown): string | undefined {
  if (color === undefined || color === null) return DEFAULT_COLOR;
  if (typeof color !== 'string') return undefined;
  const text = color.trim().toLowerCase();
  if (Object.hasOwn(NAMED, text)) return NAMED[text];
  if (!HEX.test(text)) return undefined;
  return text.length === 4 ? `#${[...text.slice(1)].map((digit) => digit + digit).join('')}` : text;
}

function boundsOf(points: readonly (readonly [number, number])[]): Stroke['bbox'] {
  let left = Infinity;
  let top = Infinity;
  let right = -Infinity;
  let bottom = -Infinity;
  for (let index = 0; index < points.length; index++) {
    const point = points[index]!;
    if (point[0] < left) left = point[0];
    if (point[0] > right) right = point[0];
    if (point[1] < top) top = point[1];
    if (point[1] > bottom) bottom = point[1];
  }
  return [left, top, right, bottom];
}

/** The name that is there, and its value. */
function either(params: Members, name: string, other: string): [string, unknown] {
  return params[name] === undefined && params[other] !== undefined
    ? [other, params[other]]
    : [name, params[name]];
}

function isObject(value: unknown): value is Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isId(value: unknown): value is string {
  return typeof value === 'string' && ID.test(value);
}

function isCoordinate(value: unknown): value is number {
  return typeof value === 'number' && value >= -MAX_COORDINATE && value <= MAX_COORDINATE;
}

function isWithin(value: unknown, min: number, max: number): value is number {
  return typeof value === 'number' && value >= min && value <= max;
}

function rounded(value: number): number {
  return Math.round(value * 100) / 100;
}
