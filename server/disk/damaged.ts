import { UserError } from "../protocol/errors.ts";

/** A file whose bytes could be read, but are not the ones that were written. */
export class DamagedError extends UserError {
  readonly path: string;
  /** What is wrong, such as "tensor "a" has changed since it was written". */
  readonly what: string;
  /** Whether the message says how this very file is made again. */
  readonly hasRemedy: boolean;

  /** @param remedy the one thing to do next; `explainDamage` in `runs/` adds it for files of a run. */
  constructor(path: string, what: string, remedy?: string) {
    super(`${path} is damaged (${what}): ${remedy ?? "replace it with a good copy, or make it again"}`);
    this.path = path;
    this.what = what;
    this.hasRemedy = remedy !== undefined;
  }
}

/** What is said of a file, or of a part of one, whose digest is not the recorded one. */
export const hasChanged = "its content has changed since it was written";
