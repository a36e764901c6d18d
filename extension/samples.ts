import {
  EventEmitter,
  type ExtensionContext,
  languages,
  type TextDocumentContentProvider,
  Uri,
  window,
  workspace,
} from "vscode";

const scheme = "btx-sample";
/** Interval between refreshes while text arrives, ms. */
const refreshInterval = 100;
/** Only the text of the most recent documents is kept. */
const maxDocuments = 50;

/** Texts written by models, as read-only documents that the editor does not ask to save. */
export class Samples implements TextDocumentContentProvider {
  readonly #texts = new Map<string, string>();
  readonly #onChange = new EventEmitter<Uri>();
  readonly onDidChange = this.#onChange.event;
  #count = 0;

  constructor(context: ExtensionContext) {
    context.subscriptions.push(this.#onChange, workspace.registerTextDocumentContentProvider(scheme, this));
  }

  provideTextDocumentContent(uri: Uri): string {
    return this.#texts.get(uri.toString()) ?? "This sample is gone: samples are kept only while the window is open.\n";
  }

  /** Opens a document that begins with the prompt. */
  async open(model: string, prompt: string): Promise<SampleOutput> {
    // A slash in the name would create folders.
    const name = `Sample ${++this.#count}, ${model}`.replaceAll(/[/\\]/g, "-");
    const uri = Uri.from({ scheme, path: `${name}.txt` });
    let text = prompt.replaceAll("\r", "");
    this.#texts.set(uri.toString(), text);
    for (const oldest of this.#texts.keys()) {
      if (this.#texts.size <= maxDocuments) break;
      this.#texts.delete(oldest);
    }
    const document = await languages.setTextDocumentLanguage(await workspace.openTextDocument(uri), "plaintext");
    await window.showTextDocument(document, { preview: false, preserveFocus: true });
    let timer: NodeJS.Timeout | undefined;
    const show = () => {
      clearTimeout(timer);
      timer = undefined;
      this.#onChange.fire(uri);
    };
    return {
      uri,
      add: (piece) => {
        const start = text.length;
        text += piece.replaceAll("\r", "");
        this.#texts.set(uri.toString(), text);
        timer ??= setTimeout(show, refreshInterval);
        return { start, end: text.length };
      },
      end: show,
    };
  }
}

export interface SampleOutput {
  uri: Uri;
  /** Returns the piece's place in the text, in UTF-16 units. Carriage returns are dropped. */
  add(piece: string): { start: number; end: number };
  /** Call when all text has arrived. */
  end(): void;
}
