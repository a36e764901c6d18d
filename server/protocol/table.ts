/** What there is of a kind of thing, by type. More can be added where the program starts, or by a test. */
export class Table<Entry> {
  readonly #kind: string;
  readonly #entries: Map<string, Entry>;

  /** @param kind what an entry is called in messages */
  constructor(kind: string, entries: Record<string, Entry>) {
    this.#kind = kind;
    this.#entries = new Map(Object.entries(entries));
  }

  /** @throws Error for a type that nobody has added */
  get(type: string): Entry {
    const entry = this.#entries.get(type);
    if (entry === undefined) throw new Error(`there is no ${this.#kind} of the type "${type}"`);
    return entry;
  }

  /** @throws Error where there is one of that type */
  add(type: string, entry: Entry): void {
    if (this.#entries.has(type)) throw new Error(`there is a ${this.#kind} of the type "${type}" already`);
    this.#entries.set(type, entry);
  }
}
