import { dirname } from "node:path";
import { fileURLToPath } from "node:url";

/** The folders that the editor has open, and whether the person trusts what is in them. */
export class Workspace {
  #trusted = false;
  #folders: string[] = [];
  /** Paths of the open experiment files. */
  openFiles: () => readonly string[] = () => [];
  /** Called when what may be read has changed. */
  onChange: () => void = () => {};

  /** What may be read: until the workspace is trusted its folders, or those of the open files where it has none. */
  readonly reach = (): readonly string[] | undefined => {
    if (this.#trusted) return undefined;
    return this.#folders.length > 0 ? this.#folders : this.openFiles().map((file) => dirname(file));
  };

  trust(trusted: boolean): void {
    if (trusted === this.#trusted) return;
    this.#trusted = trusted;
    this.onChange();
  }

  /** @param uris of folders; those that are on no disk do not count. */
  change({ added = [], removed = [] }: { added?: readonly string[]; removed?: readonly string[] }): void {
    const gone = removed.flatMap(pathOf);
    this.#folders = [...this.#folders.filter((folder) => !gone.includes(folder)), ...added.flatMap(pathOf)];
    this.onChange();
  }
}

function pathOf(uri: string): string[] {
  try {
    return [fileURLToPath(uri)];
  } catch {
    return [];
  }
}
