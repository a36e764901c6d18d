/** Text for a terminal: made safe, measured in columns, and coloured on request. */

/**
 * Control characters, format characters (bidirectional overrides among them; not the joiner of emoji), lone surrogates
 * and line separators.
 */
const UNSAFE = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}]|(?!\u200d)\p{Cf}/gu;

/**
 * `text` on one line, with visible symbols for characters that could control a terminal or hide text: escape becomes
 * "␛", a line feed "␊", a character without a symbol "\ufffd".
 */
export function clean(text: string): string {
  return text.replace(UNSAFE, (character) => {
    const code = character.codePointAt(0) ?? 0;
    if (code < 0x20) return String.fromCodePoint(0x2400 + code);
    return code === 0x7f ? "\u2421" : "\ufffd";
  });
}

const graphemes = new Intl.Segmenter("en", { granularity: "grapheme" });
const WIDE =
  /^[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\ua960-\ua97f\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]|^\p{Emoji_Presentation}/u;
const NO_WIDTH = /^[\p{Mn}\p{Me}\p{Cf}]/u;
// biome-ignore lint/suspicious/noControlCharactersInRegex: a colour sequence starts with one.
const STYLE = /\u001b\[[0-9;]*m/g;

/** Columns that `text` takes in a terminal; colour sequences take none. */
export function width(text: string): number {
  const plain = text.replace(STYLE, "");
  if (/^[ -~]*$/.test(plain)) return plain.length;
  let columns = 0;
  for (const { segment } of graphemes.segment(plain)) {
    columns += NO_WIDTH.test(segment) ? 0 : WIDE.test(segment) ? 2 : 1;
  }
  return columns;
}

function take(segments: string[], columns: number): string {
  let text = "";
  let used = 0;
  for (const segment of segments) {
    used += width(segment);
    if (used > columns) break;
    text += segment;
  }
  return text;
}

/** Plain `text` in at most `columns`, cut at the end. */
export function cutEnd(text: string, columns: number): string {
  if (width(text) <= columns) return text;
  if (columns < 1) return "";
  return `${take(
    Array.from(graphemes.segment(text), (part) => part.segment),
    columns - 1,
  )}…`;
}

/** Plain `text` in at most `columns`, cut in the middle, because names often differ only at their end. */
export function cutMiddle(text: string, columns: number): string {
  if (width(text) <= columns) return text;
  if (columns < 3) return cutEnd(text, columns);
  const segments = Array.from(graphemes.segment(text), (part) => part.segment);
  const tail = take(segments.toReversed(), Math.floor((columns - 1) / 2));
  const end = Array.from(graphemes.segment(tail), (part) => part.segment)
    .toReversed()
    .join("");
  return `${take(segments, columns - 1 - width(tail))}…${end}`;
}

/**
 * Plain `text` in lines of at most `columns`, broken between words but not before "%"; longer words are cut in the
 * middle.
 */
export function wrap(text: string, columns: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(/ +(?!%)/).filter((part) => part !== "")) {
    const last = lines.at(-1);
    if (last !== undefined && width(last) + 1 + width(word) <= columns) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(cutMiddle(word, columns));
  }
  return lines;
}

/** `text` padded with spaces on the right to `columns`. */
export function padEnd(text: string, columns: number): string {
  return text + " ".repeat(Math.max(0, columns - width(text)));
}

/** `text` padded with spaces on the left to `columns`. */
export function padStart(text: string, columns: number): string {
  return " ".repeat(Math.max(0, columns - width(text))) + text;
}

/**
 * Whether to use colour on a stream: never with NO_COLOR, always with FORCE_COLOR, otherwise on a terminal unless
 * TERM=dumb. See no-color.org.
 */
export function wantsColor(tty: boolean, env: Readonly<Record<string, string | undefined>> = process.env): boolean {
  if (env.NO_COLOR) return false;
  if (env.FORCE_COLOR !== undefined && env.FORCE_COLOR !== "0") return true;
  return tty && env.TERM !== "dumb";
}

export interface Styles {
  bold(text: string): string;
  dim(text: string): string;
  green(text: string): string;
  red(text: string): string;
  yellow(text: string): string;
  cyan(text: string): string;
}

/** Functions that wrap text in a style, or return it unchanged if `color` is false. */
export function styles(color: boolean): Styles {
  const style = (on: number, off: number) => (text: string) =>
    color && text !== "" ? `\u001b[${on}m${text}\u001b[${off}m` : text;
  return {
    bold: style(1, 22),
    dim: style(2, 22),
    green: style(32, 39),
    red: style(31, 39),
    yellow: style(33, 39),
    cyan: style(36, 39),
  };
}
