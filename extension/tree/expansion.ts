import { type Memento, type TreeItem, TreeItemCollapsibleState } from "vscode";

/** Only the most recently expanded or collapsed rows are remembered. */
const maxRows = 500;
const key = "btx.tree.open";

/** Remembers which rows are expanded across reloads of the window; VS Code does not. */
export class Expansion {
  readonly #store: Memento;
  readonly #open: Map<string, boolean>;

  constructor(store: Memento) {
    this.#store = store;
    this.#open = new Map(store.get<[string, boolean][]>(key, []));
  }

  set(id: string, open: boolean): void {
    this.#open.delete(id);
    this.#open.set(id, open);
    for (const oldest of this.#open.keys()) {
      if (this.#open.size <= maxRows) break;
      this.#open.delete(oldest);
    }
    void this.#store.update(key, [...this.#open]);
  }

  /** Expands or collapses a row as the user left it. */
  apply(id: string, item: TreeItem): TreeItem {
    const { Collapsed, Expanded, None } = TreeItemCollapsibleState;
    const open = this.#open.get(id);
    if (open !== undefined && item.collapsibleState !== None) item.collapsibleState = open ? Expanded : Collapsed;
    return item;
  }
}
