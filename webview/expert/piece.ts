import { html, type TemplateResult } from "lit";
import type { InspectionProgress } from "../../server/protocol/inspect.ts";

/** One part of what the page shows: asked for, on its way, there, or refused. */
export class Piece<T> {
  #redraw: () => void;
  /** What it is about; another question has another one. */
  #key = "";
  value: T | undefined;
  progress: InspectionProgress | undefined;
  problem = "";
  #cancel: (() => void) | undefined;

  /** @param redraw is called when there is something else to show. */
  constructor(redraw: () => void) {
    this.#redraw = redraw;
  }

  get waits(): boolean {
    return this.#cancel !== undefined;
  }

  /**
   * Asks, unless that was asked before.
   *
   * @param ask is given what to call with progress, and gives the answer and how to cancel it.
   */
  ask(
    key: string,
    ask: (progress: (news: InspectionProgress) => void) => { answer: Promise<T>; cancel?: () => void },
  ): void {
    if (key === this.#key) return;
    this.#cancel?.();
    this.#key = key;
    this.value = undefined;
    this.problem = "";
    this.progress = { done: 0, total: 0 };
    const asked = ask((news) => {
      if (this.#key !== key) return;
      this.progress = news;
      this.#redraw();
    });
    this.#cancel = asked.cancel ?? (() => {});
    asked.answer.then(
      (value) => this.#settle(key, () => (this.value = value)),
      (error: unknown) =>
        this.#settle(key, () => (this.problem = error instanceof Error ? error.message : String(error))),
    );
    this.#redraw();
  }

  #settle(key: string, act: () => void): void {
    if (this.#key !== key) return;
    this.#cancel = undefined;
    this.progress = undefined;
    act();
    this.#redraw();
  }

  /** Nothing is wanted any more, and nothing is known. */
  forget(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    this.#key = "";
    this.value = undefined;
    this.progress = undefined;
    this.problem = "";
    this.#redraw();
  }
}

/** What stands in the place of a piece that is not there. */
export function standIn(piece: Piece<unknown>, what: string, cancels = false): TemplateResult | "" {
  if (piece.problem)
    return html`<p class="notice trouble" role="alert">${piece.problem}
      <button type="button" @click=${() => piece.forget()}>Ask again</button></p>`;
  if (!piece.waits) return "";
  const { done = 0, total = 0 } = piece.progress ?? {};
  return html`<p class="notice" role="status">${what}
    <progress aria-label=${what} max=${total || 1} value=${done}></progress>
    ${cancels ? html`<button type="button" @click=${() => piece.forget()}>Cancel</button>` : ""}</p>`;
}
