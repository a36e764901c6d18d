import { TextDocuments } from "vscode-languageserver";
import { TextDocument } from "vscode-languageserver-textdocument";
import { Snapshot } from "./snapshot.ts";

/** The experiment files that are open in the editor, with unsaved changes. */
export class OpenFiles {
  readonly documents = new TextDocuments(TextDocument);
  readonly #snapshots = new Map<string, Snapshot>();

  /** The current version of an open file; undefined if it is not open. */
  current(uri: string): Snapshot | undefined {
    const document = this.documents.get(uri);
    if (!document) return undefined;
    const known = this.#snapshots.get(uri);
    const text = document.getText();
    if (known?.version === document.version && known.text === text) return known;
    const snapshot = new Snapshot(uri, document.version, text);
    this.#snapshots.set(uri, snapshot);
    return snapshot;
  }

  all(): Snapshot[] {
    return this.documents.keys().flatMap((uri) => this.current(uri) ?? []);
  }

  /** Paths of the open files that are on disk. */
  paths(): string[] {
    return this.all().flatMap(({ file }) => file ?? []);
  }

  forget(uri: string): void {
    this.#snapshots.delete(uri);
  }
}
