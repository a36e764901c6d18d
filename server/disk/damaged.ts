import { UserError } from "../protocol/errors.ts";

/** A file whose bytes could be read, but are not the ones that were written. */
export class DamagedError extends UserError {
  readonly path: string;
  /** What is wrong, such as "tensor "a" has changed since it was written". */
  readonly what: string;

  /** @param remedy the one thing to do next; `explainDamage` in `runs/` knows a better one for files of a run. */
  constructor(path: string, what: string, remedy = "replace it with a good copy, or make it again") {
    super(`${path} is damaged (${what}): ${remedy}`);
    this.path = path;
    this.what = what;
  }
}

/** What is said of a file, or of a part of one, whose digest is not the recorded one. */
export const hasChanged = "its content has changed since it was written";
