import { type Memento, type TreeItem, TreeItemCollapsibleState } from "vscode";

/** Which rows are expanded and collapsed, kept across reloads of the window, since VS Code forgets it. */

/** Maximum rows remembered, most recently opened or closed. */
const most = 500;
const key = "btx.tree.open";

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
      if (this.#open.size <= most) break;
      this.#open.delete(oldest);
    }
    void this.#store.update(key, [...this.#open]);
  }

  /** The row as the person left it. */
  apply(id: string, item: TreeItem): TreeItem {
    const { Collapsed, Expanded, None } = TreeItemCollapsibleState;
    const open = this.#open.get(id);
    if (open !== undefined && item.collapsibleState !== None) item.collapsibleState = open ? Expanded : Collapsed;
    return item;
  }
}
