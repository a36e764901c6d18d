import {
  CancellationTokenSource,
  commands,
  type Disposable,
  EndOfLine,
  EventEmitter,
  type ExtensionContext,
  Hover,
  languages,
  MarkdownString,
  type Position,
  type TextDocument,
  type TextDocumentChangeEvent,
  type Uri,
  window,
  workspace,
} from "vscode";
import type { StageReference } from "../../server/protocol/editor.ts";
import { type Routed, routedFrom, type Shown, tokenAt } from "../../server/protocol/routed.ts";
import type { Backend } from "../backend.ts";
import { moved, stretched } from "./edits.ts";
import { Painter } from "./painter.ts";
import { tokenLines } from "./texts.ts";

/** Maximum number of characters routed at once: about 30,000 tokens, which take seconds. */
export const maxCharacters = 100_000;
/** Delay between the last edit and routing the document again, ms. */
const editDelay = 400;

/** A model that routes tokens to experts. */
export interface MixedModel {
  reference: StageReference;
  /** "finetune of demo". */
  name: string;
}

/** A document whose tokens are coloured. */
export interface Painting {
  uri: Uri;
  routed: Routed;
  model: string;
  /** The model and range to route again after an edit; undefined for a sample, whose routing comes with its text. */
  followed?: { reference: StageReference; start: number; end: number };
}

const nothing: Routed = { layers: [], experts: [], k: 0, tokens: [] };

/** The text that the tokens' offsets refer to. The editor may have replaced the "\n" of a sample by "\r\n". */
const textOf = (document: TextDocument, { followed }: Painting): string =>
  followed ? document.getText() : document.getText().replaceAll("\r\n", "\n");

/** Colours documents by the experts that their tokens go to. */
export class Routing {
  readonly #backend: Backend;
  readonly #painter = new Painter();
  readonly #paintings = new Map<string, Painting>();
  /** Documents to be routed again: what cancels the timer or the request. */
  readonly #pending = new Map<string, Disposable>();
  readonly #onDidChangeActive = new EventEmitter<void>();
  /** The active text or its colours changed. */
  readonly onDidChangeActive = this.#onDidChangeActive.event;
  #shown: Shown = "all";

  constructor(context: ExtensionContext, backend: Backend) {
    this.#backend = backend;
    context.subscriptions.push(
      this.#painter,
      this.#onDidChangeActive,
      { dispose: () => this.#endPending() },
      window.onDidChangeVisibleTextEditors(() => this.#paintAll()),
      window.onDidChangeActiveTextEditor(() => this.#notify()),
      window.onDidChangeActiveColorTheme(() => {
        this.#painter.dispose();
        this.#paintAll();
      }),
      workspace.onDidChangeTextDocument((change) => this.#follow(change)),
      workspace.onDidCloseTextDocument(({ uri }) => this.#forget(uri)),
      languages.registerHoverProvider("*", {
        provideHover: (document, position) => this.#hover(document, position),
      }),
    );
  }

  /** The colours of a document, if it has any. */
  of(uri: Uri | undefined): Painting | undefined {
    return uri && this.#paintings.get(uri.toString());
  }

  /** The layer whose experts colour a document; "all" if its model has no such layer. */
  shownIn({ routed }: Painting): Shown {
    return this.#shown === "all" || this.#shown < routed.layers.length ? this.#shown : "all";
  }

  /** Colours all documents by another layer. */
  show(shown: Shown): void {
    this.#shown = shown;
    this.#paintAll();
  }

  /** Colours a document by a routing that is already known. */
  paint(painting: Painting): void {
    this.#paintings.set(painting.uri.toString(), painting);
    this.#paintAll();
  }

  /**
   * Routes a part of a document, colours it and routes it again after edits. Replaces the document's earlier colours.
   *
   * @throws Error with a readable message.
   */
  async route({ uri }: TextDocument, { start, end }: { start: number; end: number }, model: MixedModel): Promise<void> {
    const followed = { reference: model.reference, start, end };
    this.paint({ uri, routed: nothing, model: model.name, followed });
    try {
      await this.#routeNow(uri);
    } catch (error) {
      this.#forget(uri);
      throw error;
    }
  }

  /** Stops work on a document. */
  cancel(uri: Uri): void {
    this.#replacePending(uri, undefined);
    if (this.of(uri)?.routed.tokens.length === 0) this.#forget(uri);
  }

  /** Removes all colours and cancels pending work. */
  clear(): void {
    this.#endPending();
    this.#paintings.clear();
    this.#painter.dispose();
    this.#notify();
  }

  #forget(uri: Uri): void {
    this.#replacePending(uri, undefined);
    if (!this.#paintings.delete(uri.toString())) return;
    // This removes the colours of all documents; those of the others are drawn again.
    this.#painter.dispose();
    this.#paintAll();
  }

  #endPending(): void {
    for (const pending of this.#pending.values()) pending.dispose();
    this.#pending.clear();
  }

  #replacePending(uri: Uri, pending: Disposable | undefined): void {
    const key = uri.toString();
    this.#pending.get(key)?.dispose();
    if (pending) this.#pending.set(key, pending);
    else this.#pending.delete(key);
  }

  /** Moves tokens along with an edit, as the editor does with their colours, and soon routes the text again. */
  #follow({ document, contentChanges }: TextDocumentChangeEvent): void {
    const painting = this.of(document.uri);
    if (!painting || contentChanges.length === 0) return;
    const { followed, routed } = painting;
    if (!followed) {
      this.#paintAll();
      return;
    }
    painting.routed = { ...routed, tokens: moved(routed.tokens, contentChanges) };
    painting.followed = { ...followed, ...stretched(followed, contentChanges) };
    const timer = setTimeout(() => void this.#reroute(document.uri), editDelay);
    this.#replacePending(document.uri, { dispose: () => clearTimeout(timer) });
  }

  async #reroute(uri: Uri): Promise<void> {
    try {
      await this.#routeNow(uri);
    } catch (error) {
      // The old colours stay: a message at every edit would be a nuisance.
      this.#backend.log.warn(`routing again: ${error instanceof Error ? error.message : error}`);
    }
  }

  /** Routes the range of a document as it is now. Another edit or request cancels it. */
  async #routeNow(uri: Uri): Promise<void> {
    const document = workspace.textDocuments.find((one) => one.uri.toString() === uri.toString());
    const followed = this.of(uri)?.followed;
    if (!document || !followed) return;
    const { reference, start, end } = followed;
    if (end - start > maxCharacters) {
      const [limit, given] = [maxCharacters, end - start].map((count) => count.toLocaleString("en"));
      throw new Error(
        `The text has ${given} characters, but at most ${limit} can be routed at once: select a part of it.`,
      );
    }
    const source = new CancellationTokenSource();
    this.#replacePending(uri, { dispose: () => source.cancel() });
    const { token } = source;
    const cancelled = new Promise<undefined>((resolve) => token.onCancellationRequested(() => resolve(undefined)));
    const text = document.getText().slice(start, end);
    const asked = this.#backend.request("btx/route", { model: reference, text }, token);
    // The backend's answer to a cancelled request is meaningless.
    asked.catch(() => {});
    const answer = await Promise.race([asked, cancelled]);
    const painting = this.of(uri);
    if (answer && painting && !token.isCancellationRequested)
      this.paint({ ...painting, routed: routedFrom(answer, start) });
  }

  #paintAll(): void {
    for (const editor of window.visibleTextEditors) {
      const painting = this.of(editor.document.uri);
      if (painting)
        this.#painter.paint(editor, textOf(editor.document, painting), painting.routed, this.shownIn(painting));
    }
    this.#notify();
  }

  #notify(): void {
    void commands.executeCommand("setContext", "btx.routed", this.#paintings.size > 0);
    this.#onDidChangeActive.fire();
  }

  #hover(document: TextDocument, position: Position): Hover | undefined {
    const painting = this.of(document.uri);
    if (!painting) return undefined;
    const added = !painting.followed && document.eol === EndOfLine.CRLF ? position.line : 0;
    const token = tokenAt(painting.routed.tokens, document.offsetAt(position) - added);
    if (!token) return undefined;
    const text = textOf(document, painting).slice(token.start, token.end);
    const lines = tokenLines(text, token, painting.routed);
    return new Hover(new MarkdownString().appendCodeblock(lines, "plaintext"));
  }
}
