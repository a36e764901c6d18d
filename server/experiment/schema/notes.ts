/** Documentation of a key, stored in the zod schema and read by messages, JSON schema and reference page. */
export interface Notes {
  /** What the key does. */
  description: string;
  unit?: string;
  /** Value of the BTX paper (arXiv 2403.07816), where it has one. */
  paper?: string | undefined;
  /** Value of an absent key. */
  default?: unknown;
  /** The default in words, if it depends on other keys. */
  defaultText?: string | undefined;
  /** Completes "must be ..." where the type does not say enough. */
  expects?: string;
}

/** Notes as zod metadata. */
export const notes = (note: Notes): Notes & Record<string, unknown> => ({ ...note });
