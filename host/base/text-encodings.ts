/** How a text may be written in another one: what masker.ts looks for. */

/** JSON that holds JSON that holds JSON: a log line of a value that was a text of a message. */
const MAX_JSON_LEVELS = 4;

/** As it stands, as JSON (also JSON within JSON), and in an address. */
export function writingsOf(text: string): Set<string> {
  const found = new Set([text]);
  let levels = [text];
  for (let level = 1; level <= MAX_JSON_LEVELS; level++) {
    // Letters are escaped once, at one of the levels; from there on they are ASCII.
    levels = [...new Set(levels.flatMap(jsonOf))];
    for (const json of levels) found.add(json);
  }
  for (const percent of percentOf(text)) found.add(percent);
  found.delete('');
  return found;
}

/**
 * Everything of {@link writingsOf}, base64 of both alphabets and hex.
 * @param whole of base64 only what is written by itself: of a text of a few bytes the rest is too little to tell.
 */
export function encodingsOf(text: string, whole: boolean): Set<string> {
  const found = writingsOf(text);
  const bytes = Buffer.from(text);
  const hex = bytes.toString('hex');
  found.add(hex);
  found.add(hex.toUpperCase());
  for (const base64 of whole ? wholeBase64(bytes) : base64Within(bytes)) {
    found.add(base64);
    found.add(base64.replaceAll('+', '-').replaceAll('/', '_'));
    // In an address.
    found.add(encodeURIComponent(base64));
  }
  found.delete('');
  return found;
}

function jsonOf(text: string): readonly string[] {
  const json = JSON.stringify(text).slice(1, -1);
  const ascii = json.replace(/[\u007f-\uffff]/g, (unit) => `\\u${hexOf(unit)}`);
  return [
    json,
    ascii,
    ascii.replace(/\\u[0-9a-f]{4}/g, (unit) => `\\u${unit.slice(2).toUpperCase()}`),
    json.replaceAll('/', '\\/'),
  ];
}

function hexOf(unit: string): string {
  return unit.charCodeAt(0).toString(16).padStart(4, '0');
}

function percentOf(text: string): readonly string[] {
  const wellFormed = text.toWellFormed();
  const component = encodeURIComponent(wellFormed);
  const strict = component.replace(/[!'()*~]/g, percentByte);
  const all = [...Buffer.from(text)].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join('');
  const upper = [
    component,
    strict,
    encodeURI(wellFormed),
    new URLSearchParams([['', wellFormed]]).toString().slice(1),
    all.toUpperCase(),
  ];
  return [...upper, ...upper.map((each) => each.replace(/%[0-9A-F]{2}/g, (part) => part.toLowerCase()))];
}

function percentByte(letter: string): string {
  return `%${letter.charCodeAt(0).toString(16).toUpperCase()}`;
}

function wholeBase64(bytes: Buffer): readonly string[] {
  const padded = bytes.toString('base64');
  return [padded, padded.replace(/=+$/, '')];
}

/**
 * What does not depend on its neighbours when the bytes lie within others: three bytes are four letters, so there
 * are three ways to begin.
 */
function base64Within(bytes: Buffer): readonly string[] {
  return [0, 1, 2].map((before) => {
    const letters = Buffer.concat([Buffer.alloc(before), bytes]).toString('base64');
    // Letters that hold bits of what comes before or behind say nothing for sure.
    const first = before === 0 ? 0 : before + 1;
    return letters.slice(first, Math.floor(((before + bytes.length) * 8) / 6));
  });
}
