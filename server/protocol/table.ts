/** Entries of one kind, by type. More can be added when the program starts, or by a test. */
export class Table<Entry> {
  readonly #kind: string;
  readonly #entries: Map<string, Entry>;

  /** @param kind name of an entry's kind in messages, such as "router" */
  constructor(kind: string, entries: Record<string, Entry>) {
    this.#kind = kind;
    this.#entries = new Map(Object.entries(entries));
  }

  /** @throws Error if the type does not exist */
  get(type: string): Entry {
    const entry = this.#entries.get(type);
    if (entry === undefined) throw new Error(`there is no ${this.#kind} of type "${type}"`);
    return entry;
  }

  /** @throws Error if the type already exists */
  add(type: string, entry: Entry): void {
    if (this.#entries.has(type)) throw new Error(`there is already a ${this.#kind} of type "${type}"`);
    this.#entries.set(type, entry);
  }
}
