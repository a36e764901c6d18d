/** What a key says of itself, besides its type. Kept in the zod schema, read by messages, JSON schema and reference page. */
export interface Notes {
  /** What the key does. */
  description: string;
  unit?: string;
  /** Value of the BTX paper (arXiv 2403.07816), where it has one. */
  paper?: string | undefined;
  /** Value that is taken when the key is absent. */
  default?: unknown;
  /** The same in words, where it depends on other keys. */
  defaultText?: string | undefined;
  /** What a valid value looks like, where its type does not say enough: "must be {expects}". */
  expects?: string;
}

/** Notes as zod metadata. */
export const notes = (note: Notes): Notes & Record<string, unknown> => ({ ...note });
