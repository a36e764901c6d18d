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
const frame = 100;
/** Number of most recent documents whose text is kept. */
const most = 50;

/** Texts written by models, as read-only documents that need not be saved. */
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
    // A slash would turn the name into folders.
    const name = `Sample ${++this.#count}, ${model}`.replaceAll(/[/\\]/g, "-");
    const uri = Uri.from({ scheme, path: `${name}.txt` });
    let text = prompt.replaceAll("\r", "");
    this.#texts.set(uri.toString(), text);
    for (const oldest of this.#texts.keys()) {
      if (this.#texts.size <= most) break;
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
        timer ??= setTimeout(show, frame);
        return { start, end: text.length };
      },
      end: show,
    };
  }
}

export interface SampleOutput {
  uri: Uri;
  /** Returns its offset in the text, in UTF-16 units. Lines end with "\n" whatever the model wrote. */
  add(piece: string): { start: number; end: number };
  /** All text has arrived. */
  end(): void;
}
