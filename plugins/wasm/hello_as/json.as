// As much JSON as a small plugin needs: a value found by its path, a text read and written. What is read comes from
// the host and is valid JSON; a path that is not there is no error.

const QUOTE: i32 = 0x22;
const BACKSLASH: i32 = 0x5c;

/** The JSON at the names in `path`, which stand between dots; null when it is not there. */
export function find(json: string, path: string): string | null {
  let value = json;
  const names = path.split(".");
  for (let i = 0; i < names.length; i++) {
    const found = member(value, names[i]);
    if (found === null) return null;
    value = found;
  }
  return value;
}

/** What a text says; null for a value that is none. */
export function textOf(json: string | null): string | null {
  if (json === null || json.charCodeAt(0) != QUOTE) return null;
  let out = "";
  let from = 1;
  const end = json.length - 1;
  for (let i = 1; i < end; i++) {
    if (json.charCodeAt(i) != BACKSLASH) continue;
    out += json.substring(from, i);
    const sign = json.charAt(++i);
    if (sign == "u") {
      out += String.fromCharCode(<i32>parseInt(json.substr(i + 1, 4), 16));
      i += 4;
    } else out += escaped(sign);
    from = i + 1;
  }
  return out + json.substring(from, end);
}

/** `text` as JSON, between quotes. */
export function quoted(text: string): string {
  let out = '"';
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code == QUOTE || code == BACKSLASH) out += "\\" + text.charAt(i);
    else if (code < 0x20) out += "\\u00" + (code < 0x10 ? "0" : "") + code.toString(16);
    else out += text.charAt(i);
  }
  return out + '"';
}

function escaped(sign: string): string {
  if (sign == "n") return "\n";
  if (sign == "t") return "\t";
  if (sign == "r") return "\r";
  if (sign == "b") return "\b";
  if (sign == "f") return "\f";
  return sign;
}

/** The member of that name, of an object. */
function member(json: string, name: string): string | null {
  let i = pastSpace(json, 0);
  if (json.charAt(i) != "{") return null;
  for (i = pastSpace(json, i + 1); json.charCodeAt(i) == QUOTE; i = pastSpace(json, i + 1)) {
    const behind = pastText(json, i);
    const key = json.substring(i + 1, behind - 1);
    const begin = pastSpace(json, pastSpace(json, behind) + 1);
    i = pastValue(json, begin);
    if (key == name) return json.substring(begin, i).trimEnd();
    i = pastSpace(json, i);
    if (json.charAt(i) != ",") return null;
  }
  return null;
}

function pastSpace(json: string, from: i32): i32 {
  let i = from;
  while (i < json.length && json.charCodeAt(i) <= 0x20) i++;
  return i;
}

/** Behind the text that begins with the quote at `from`. */
function pastText(json: string, from: i32): i32 {
  let i = from + 1;
  while (i < json.length && json.charCodeAt(i) != QUOTE) i += json.charCodeAt(i) == BACKSLASH ? 2 : 1;
  return i + 1;
}

/** Behind the value that begins at `from`, whatever it is. */
function pastValue(json: string, from: i32): i32 {
  let depth = 0;
  let i = from;
  while (i < json.length) {
    const sign = json.charAt(i);
    if (depth == 0 && (sign == "," || sign == "}" || sign == "]")) break;
    if (sign == '"') {
      i = pastText(json, i);
      continue;
    }
    if (sign == "{" || sign == "[") depth++;
    if (sign == "}" || sign == "]") depth--;
    i++;
  }
  return i;
}
