/** A stretch of the experiment file; lines and columns count from 1, the end is exclusive. */
export interface Range {
  line: number;
  column: number;
  endLine: number;
  endColumn: number;
}

/** Keys and list indices from the top of the file down, such as ["domains", "code", "files", 0]. */
export type Path = readonly (string | number)[];

/** "information": what was not checked, because the workspace is not trusted. */
export type Severity = "error" | "warning" | "information";

/** A mistake in an experiment file, or a warning to its author. `message` is one sentence. */
export interface Problem extends Range {
  message: string;
  path: Path;
  /** What would be valid here. */
  expected?: string;
  /** The valid name that is nearest to the one given. */
  suggestion?: string | undefined;
  severity: Severity;
}

/** "model.heads", "mix.experts[1]"; empty for the whole file. */
export const pathText = (path: Path): string =>
  path.map((part, i) => (typeof part === "number" ? `[${part}]` : i === 0 ? part : `.${part}`)).join("");

const startOfFile: Range = { line: 1, column: 1, endLine: 1, endColumn: 1 };

/** Where each key and value of an experiment file stands. */
export class Positions {
  readonly #ranges = new Map<string, { key?: Range | undefined; value?: Range | undefined }>();

  set(path: Path, ranges: { key?: Range | undefined; value?: Range | undefined }): void {
    this.#ranges.set(JSON.stringify(path), ranges);
  }

  /** Whether the file itself gives this key. */
  has(path: Path): boolean {
    return this.#ranges.has(JSON.stringify(path));
  }

  /** Range of the value, else of the key, else of the nearest key above it. */
  value(path: Path): Range {
    const found = this.#ranges.get(JSON.stringify(path));
    return found?.value ?? found?.key ?? this.#above(path);
  }

  /** Range of the key, else of the value (an item of a list has no key), else of the nearest key above it. */
  key(path: Path): Range {
    const found = this.#ranges.get(JSON.stringify(path));
    return found?.key ?? found?.value ?? this.#above(path);
  }

  #above(path: Path): Range {
    return path.length === 0 ? startOfFile : this.key(path.slice(0, -1));
  }
}

/** A warning about a key without effect, if the file has it. */
export function noEffect(positions: Positions, path: Path, why: string): Problem[] {
  if (!positions.has(path)) return [];
  const message = `\`${pathText(path)}\` has no effect ${why}`;
  return [{ ...positions.key(path), message, path, severity: "warning" }];
}

/** The problems in the order of their positions, without repeats; errors before warnings in one place. */
export function sortProblems(problems: readonly Problem[]): Problem[] {
  const different = new Map(
    problems.map((problem) => [`${problem.line}:${problem.column}:${problem.message}`, problem]),
  );
  return [...different.values()].sort(
    (a, b) =>
      a.line - b.line ||
      a.column - b.column ||
      a.severity.localeCompare(b.severity) ||
      a.message.localeCompare(b.message),
  );
}

/** One line for a terminal: "file.btx.yaml:3:5: error: unknown key ...". */
export const problemText = (problem: Problem, file: string): string =>
  `${file}:${problem.line}:${problem.column}: ${problem.severity}: ${problem.message}`;
