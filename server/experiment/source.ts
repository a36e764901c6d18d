import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseDocument,
  type YAMLError,
} from "yaml";
import { type Path, Positions, type Problem, pathText, type Range } from "./problem.ts";

/**
 * Experiment files have a few kilobytes. A file above these limits is something else, or hostile: some texts of a few
 * hundred kilobytes take the YAML library seconds.
 */
export const maxCharacters = 64 * 1024;
const maxAliases = 50;
const maxNodes = 20_000;
const maxDepth = 32;
const maxProblems = 50;

export interface Source {
  /** Plain data; undefined when the text has no valid structure. */
  value?: unknown;
  positions: Positions;
  problems: Problem[];
}

/** Thrown to stop reading a document that is too large; the problem is already recorded. */
class Abandoned extends Error {}

/**
 * YAML text as plain data, with the position of every key and value. Never throws; aliases are expanded within limits.
 */
export function readSource(fileText: string): Source {
  const text = fileText.replace(/^\uFEFF/, "");
  const positions = new Positions();
  const problems: Problem[] = [];
  const startOfFile: Range = { line: 1, column: 1, endLine: 1, endColumn: 1 };
  const whole = (message: string): Source => ({
    positions,
    problems: [...problems, { ...startOfFile, message, path: [], severity: "error" }],
  });
  if (text.length > maxCharacters)
    return whole(
      `the file has ${text.length} characters, but an experiment file has at most ${maxCharacters}: check that it is the right file`,
    );
  if (text.trim() === "") return whole("the file is empty: add at least the key `domains`");
  const binary = firstBinary(text);
  if (binary >= 0) {
    const before = text.slice(0, binary).split("\n");
    const at = { line: before.length, column: before.at(-1)!.length + 1 };
    const range = { ...at, endLine: at.line, endColumn: at.column + 1 };
    problems.push({ ...range, message: "the file is not UTF-8 text", path: [], severity: "error" });
    return { positions, problems };
  }
  try {
    const { document, lines } = yamlDocument(text);
    const tags = document.warnings.filter(({ code }) => code === "TAG_RESOLVE_FAILED");
    const errors = [...document.errors, ...tags];
    if (errors.length > 0) return { positions, problems: syntaxProblems(errors, lines, text) };
    const reader = new Reader(lines, positions, problems);
    return { value: reader.read(document), positions, problems };
  } catch (error) {
    if (error instanceof Abandoned) return { positions, problems };
    return whole("the file is nested too deeply");
  }
}

/**
 * Index of the first character that no text has: a control character, or what a decoder puts for invalid bytes; -1 if
 * none.
 */
function firstBinary(text: string): number {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code < 9 || (code > 13 && code < 32) || code === 0xfffd) return i;
  }
  return -1;
}

/**
 * Converts nodes to data. Keeps its own table of anchors: the library's resolution searches the whole document each
 * time.
 */
class Reader {
  readonly #lines: LineCounter;
  readonly #positions: Positions;
  readonly #problems: Problem[];
  readonly #anchors = new Map<string, Node>();
  readonly #open = new Set<Node>();
  #nodes = 0;
  #aliases = 0;

  constructor(lines: LineCounter, positions: Positions, problems: Problem[]) {
    this.#lines = lines;
    this.#positions = positions;
    this.#problems = problems;
  }

  read(document: Document): unknown {
    return this.#value(document.contents as Node | null, []);
  }

  #range(node: unknown): Range | undefined {
    const range = (node as Node | null)?.range;
    return range ? rangeOf(this.#lines, range[0], range[1]) : undefined;
  }

  #abandon(message: string, node: Node, path: Path): never {
    const range = this.#range(node) ?? this.#positions.value(path);
    this.#problems.push({ ...range, message, path, severity: "error" });
    throw new Abandoned();
  }

  #value(node: Node | null | undefined, path: Path): unknown {
    if (!node) return null;
    if (++this.#nodes > maxNodes)
      this.#abandon(`the file has more than ${maxNodes} values, with aliases expanded`, node, path);
    if (path.length > maxDepth) this.#abandon("the file is nested too deeply", node, path);
    if (isAlias(node)) return this.#alias(node.source, node, path);
    if (node.anchor) this.#anchors.set(node.anchor, node);
    this.#open.add(node);
    let value: unknown = null;
    if (isMap(node)) value = this.#mapping(node, path);
    else if (isSeq(node))
      value = node.items.map((item, i) => {
        const inner = [...path, i];
        const range = this.#range(item);
        if (range) this.#positions.set(inner, { value: range });
        return this.#value(item as Node, inner);
      });
    else if (isScalar(node)) value = node.value;
    this.#open.delete(node);
    return value;
  }

  #alias(name: string, node: Node, path: Path): unknown {
    if (++this.#aliases > maxAliases)
      this.#abandon(`the file uses more than ${maxAliases} aliases (\`*${name}\`): write the values out`, node, path);
    const target = this.#anchors.get(name);
    if (!target) this.#abandon(`the alias \`*${name}\` has no anchor \`&${name}\` before it`, node, path);
    if (this.#open.has(target)) this.#abandon(`the alias \`*${name}\` contains itself`, node, path);
    return this.#value(target, path);
  }

  #mapping(node: { items: { key: unknown; value: unknown }[] }, path: Path): Record<string, unknown> {
    const result: Record<string, unknown> = {};
    const first = new Map<string, Range>();
    for (const { key, value } of node.items) {
      const range = this.#range(key) ?? this.#positions.value(path);
      const problem = (message: string, at: Path) => {
        if (this.#problems.length < maxProblems)
          this.#problems.push({ ...range, message, path: at, severity: "error" });
      };
      if (!isScalar(key) || key.value === null) {
        problem("a key must be a plain name", path);
        continue;
      }
      const name = String(key.value);
      const inner = [...path, name];
      const before = first.get(name);
      if (before) {
        const where = path.length === 0 ? "" : ` in \`${pathText(path)}\``;
        problem(`the key \`${name}\` is given twice${where}, first on line ${before.line}`, inner);
        continue;
      }
      first.set(name, range);
      if (name === "__proto__") {
        problem("unknown key `__proto__`", inner);
        continue;
      }
      if (!this.#positions.has(inner)) this.#positions.set(inner, { key: range, value: this.#range(value) });
      result[name] = this.#value(value as Node | null, inner);
    }
    return result;
  }
}

/** Offsets as lines and columns. */
function rangeOf(lines: LineCounter, start: number, end: number): Range {
  const from = lines.linePos(start);
  const to = lines.linePos(Math.max(start, end));
  return {
    line: Math.max(1, from.line),
    column: Math.max(1, from.col),
    endLine: to.line,
    endColumn: Math.max(1, to.col),
  };
}

const syntaxMessages: Partial<Record<YAMLError["code"], string>> = {
  TAB_AS_INDENT: "this line is indented with a tab: use spaces",
  MULTIPLE_DOCS: "a second document begins here: write one experiment per file",
  BAD_ALIAS: "an alias must have a name",
  MULTILINE_IMPLICIT_KEY: "a key must be on one line and followed by `: `",
  BLOCK_AS_IMPLICIT_KEY: "a nested mapping must start on a new line",
  BAD_INDENT: "the indentation of this line matches no line above it",
  RESOURCE_EXHAUSTION: "the file is nested too deeply",
  KEY_OVER_1024_CHARS: "a key must have at most 1024 characters",
};

/** The first syntax error of each line; later ones in the same line are mostly its consequences. */
function syntaxProblems(errors: readonly YAMLError[], lines: LineCounter, text: string): Problem[] {
  const found = new Map<number, Problem>();
  for (const error of errors) {
    const end = Math.min(error.pos[1], text.length);
    const range = rangeOf(lines, Math.min(error.pos[0], text.length), end);
    const known = found.get(range.line);
    if (known && error.code !== "TAB_AS_INDENT") continue;
    if (found.size >= maxProblems) break;
    found.set(range.line, { ...range, message: syntaxMessage(error), path: [], severity: "error" });
  }
  return [...found.values()];
}

function syntaxMessage(error: YAMLError): string {
  const detail = error.message.split("\n")[0]!;
  const unclosed =
    /^(?:Flow (?:map|sequence) in block collection|Expected flow (?:map|sequence)).* end with a? ?(\S)$/.exec(detail);
  if (unclosed)
    return `a \`${unclosed[1] === "}" ? "{" : "["}\` above is not closed with \`${unclosed[1]}\`, or a line in it is not indented`;
  return syntaxMessages[error.code] ?? `not valid YAML: ${detail.charAt(0).toLowerCase()}${detail.slice(1)}`;
}

export interface YamlDocument {
  document: Document.Parsed;
  lines: LineCounter;
}

/** Number of cached texts: an editor asks many questions about few texts, and parsing takes longer than answering. */
const kept = 3;
const known = new Map<string, YamlDocument>();

/**
 * A text as the YAML library parses it, mistakes included; must not be modified. @throws RangeError for a text that is
 * nested too deeply.
 */
export function yamlDocument(text: string): YamlDocument {
  const before = known.get(text);
  if (before) {
    known.delete(text);
    known.set(text, before);
    return before;
  }
  const lines = new LineCounter();
  const document = parseDocument(text, {
    lineCounter: lines,
    prettyErrors: false,
    uniqueKeys: false,
    logLevel: "error",
  });
  const read = { document, lines };
  known.set(text, read);
  if (known.size > kept) known.delete(known.keys().next().value!);
  return read;
}
