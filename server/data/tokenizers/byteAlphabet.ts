/**
 * GPT-2's alphabet of byte-level tokenizers: every byte is written as one printable character, so that tokens are text
 * in `tokenizer.json`. Printable Latin-1 stands for itself, the other bytes for U+0100 and up in order.
 */
export const BYTE_TO_CHARACTER: readonly string[] = alphabet();

/** Bytes in the order of their characters' code points: the order of their ids in a trained vocabulary. */
export const BYTES_BY_CHARACTER: readonly number[] = BYTE_TO_CHARACTER.map((_, byte) => byte).sort(
  (a, b) => BYTE_TO_CHARACTER[a]!.codePointAt(0)! - BYTE_TO_CHARACTER[b]!.codePointAt(0)!,
);

function alphabet(): string[] {
  let next = 0x100;
  return Array.from({ length: 256 }, (_, byte) => {
    const printable = (byte > 0x20 && byte < 0x7f) || (byte > 0xa0 && byte !== 0xad);
    return String.fromCodePoint(printable ? byte : next++);
  });
}

/** Byte by its character's code, -1 for characters outside the alphabet. */
const BYTE_OF_CODE = new Int16Array(0x144).fill(-1);
for (const [byte, character] of BYTE_TO_CHARACTER.entries()) BYTE_OF_CODE[character.charCodeAt(0)] = byte;

/** Bytes of a token written in the alphabet, or undefined if it is not. */
export function tokenBytes(token: string): number[] | undefined {
  const bytes: number[] = [];
  for (let i = 0; i < token.length; i++) {
    const byte = BYTE_OF_CODE[token.charCodeAt(i)] ?? -1;
    if (byte < 0) return undefined;
    bytes.push(byte);
  }
  return bytes;
}

/** `\s` as the native tokenizers read it (Unicode's White_Space; JavaScript's differs in U+0085 and U+FEFF). */
const SPACE = "\\p{White_Space}";

/** GPT-2's pattern of words (its `encoder.py`), which byte-level merges never cross. */
export const GPT2_PATTERN: RegExp = new RegExp(
  `'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^${SPACE}\\p{L}\\p{N}]+|${SPACE}+(?!\\P{White_Space})|${SPACE}+`,
  "gu",
);

/** A pattern out of a `tokenizer.json` as a JavaScript one, or undefined if JavaScript cannot express it. */
export function foreignPattern(source: string): RegExp | undefined {
  const caseless = source.replaceAll(
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)",
    "(?:'(?:[sS\u017f]|[tT]|[rR][eE]|[vV][eE]|[mM]|[lL][lL]|[dD]))",
  );
  const spaces = caseless.replace(/\\(.)/gs, (whole, letter) =>
    letter === "s" ? SPACE : letter === "S" ? "\\P{White_Space}" : whole,
  );
  try {
    return new RegExp(spaces, "gu");
  } catch {
    return undefined;
  }
}
