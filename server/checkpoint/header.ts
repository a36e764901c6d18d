/**
 * The JSON header of a safetensors file, parsed by hand: names come from a file that anybody may have made, so they
 * are keys of Maps only, a name given twice is an error (JSON.parse would keep the last), and no nesting but that of
 * the format is followed.
 */

export interface HeaderEntry {
  dtype: string;
  shape: number[];
  /** First byte and the one after the last, from the end of the header. */
  begin: number;
  end: number;
}

export interface Header {
  metadata: Map<string, string>;
  entries: Map<string, HeaderEntry>;
}

/** Why a header is invalid; `at` counts UTF-16 units of its text. */
export class HeaderError extends Error {
  readonly at: number;

  constructor(message: string, at: number) {
    super(message);
    this.at = at;
  }
}

const metadataName = "__metadata__";
/** More names than any model has; the format would let a hostile header have millions. */
export const maxNames = 200_000;
/** More axes than any tensor has. */
const maxRank = 64;

class Scanner {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  fail(message: string): never {
    throw new HeaderError(message, this.#at);
  }

  skipSpace(): void {
    while (" \n\r\t".includes(this.#text[this.#at] ?? "x")) this.#at++;
  }

  /** Takes `mark` if it comes next. */
  takes(mark: string): boolean {
    this.skipSpace();
    if (this.#text[this.#at] !== mark) return false;
    this.#at++;
    return true;
  }

  expect(mark: string): void {
    if (!this.takes(mark)) this.fail(`"${mark}" is missing`);
  }

  end(): void {
    this.skipSpace();
    if (this.#at < this.#text.length) this.fail("there is text after the JSON");
  }

  string(): string {
    this.expect('"');
    const start = this.#at - 1;
    for (;;) {
      const char = this.#text[this.#at];
      if (char === undefined) this.fail("a string does not end");
      this.#at++;
      if (char === "\\") this.#at++;
      else if (char === '"') break;
    }
    try {
      return JSON.parse(this.#text.slice(start, this.#at)) as string;
    } catch {
      this.fail("a string is not valid JSON");
    }
  }

  /** A whole number from 0 to 2^53 - 1. */
  size(): number {
    this.skipSpace();
    const pattern = /-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
    pattern.lastIndex = this.#at;
    const digits = pattern.exec(this.#text)?.[0];
    if (digits === undefined) this.fail("a number is missing");
    const value = Number(digits);
    if (!/^\d+$/.test(digits) || !Number.isSafeInteger(value))
      this.fail(`${digits.slice(0, 30)} is not a whole number from 0 to 2^53 - 1`);
    this.#at += digits.length;
    return value;
  }

  sizes(most: number): number[] {
    this.expect("[");
    const values: number[] = [];
    if (this.takes("]")) return values;
    do {
      if (values.length === most) this.fail(`a list has more than ${most} numbers`);
      values.push(this.size());
    } while (this.takes(","));
    this.expect("]");
    return values;
  }

  /** An object whose keys differ; `member` reads each value. */
  object(member: (key: string) => void): void {
    this.expect("{");
    if (this.takes("}")) return;
    const seen = new Set<string>();
    do {
      const key = this.string();
      if (seen.size === maxNames) this.fail(`there are more than ${maxNames} names`);
      if (seen.has(key)) this.fail(`the name ${quoted(key)} occurs twice`);
      seen.add(key);
      this.expect(":");
      member(key);
    } while (this.takes(","));
    this.expect("}");
  }
}

/** A name in an error message: as JSON, shortened. */
export const quoted = (name: string): string => JSON.stringify(name.length > 200 ? `${name.slice(0, 200)}…` : name);

/** @throws HeaderError */
export function parseHeader(text: string): Header {
  const scanner = new Scanner(text);
  const header: Header = { metadata: new Map(), entries: new Map() };
  scanner.object((name) => {
    try {
      if (name === metadataName) scanner.object((key) => header.metadata.set(key, scanner.string()));
      else header.entries.set(name, parseEntry(scanner));
    } catch (error) {
      if (!(error instanceof HeaderError)) throw error;
      throw new HeaderError(
        `${name === metadataName ? metadataName : `tensor ${quoted(name)}`}: ${error.message}`,
        error.at,
      );
    }
  });
  scanner.end();
  return header;
}

function parseEntry(scanner: Scanner): HeaderEntry {
  let dtype: string | undefined;
  let shape: number[] | undefined;
  let offsets: number[] | undefined;
  scanner.object((key) => {
    if (key === "dtype") dtype = scanner.string();
    else if (key === "shape") shape = scanner.sizes(maxRank);
    else if (key === "data_offsets") offsets = scanner.sizes(2);
    else scanner.fail(`the key ${quoted(key)} is unknown`);
  });
  if (dtype === undefined) scanner.fail("dtype is missing");
  if (shape === undefined) scanner.fail("shape is missing");
  if (offsets?.length !== 2) scanner.fail("data_offsets is not two numbers");
  return { dtype, shape, begin: offsets[0]!, end: offsets[1]! };
}
