import { LitElement } from "lit";
import type { ZodType } from "zod";
import type { Start } from "../server/protocol/page.ts";
import { onThemeChange } from "./components/theme.ts";
import type { Host } from "./host.ts";

/** Minimum interval between saves of the state, ms. */
const keepEvery = 150;
const maxTitle = 200;

/** A page and the user's choices in it, which the host keeps. It has no shadow root. */
export abstract class PageElement<State extends { runs: Start["runs"]; title: string }> extends LitElement {
  readonly #schema: ZodType<State>;
  #host: Host | undefined;
  #keptAt = 0;
  #keeping: ReturnType<typeof setTimeout> | undefined;
  protected state: State;
  /** Outcome of the last save. */
  protected notice = "";

  constructor(schema: ZodType<State>) {
    super();
    this.#schema = schema;
    this.state = schema.parse({});
  }

  protected override createRenderRoot(): HTMLElement {
    return this;
  }

  /** Starts with what the host names, or with the kept state. */
  set host(host: Host) {
    this.#host = host;
    const kept = this.#schema.safeParse(host.kept ?? {});
    if (kept.success) this.state = kept.data;
    onThemeChange(() => this.themed());
    window.addEventListener("pagehide", this.#keepNow);
    document.addEventListener("visibilitychange", this.#keepNow);
    host.onStart((start) => {
      this.start(start, host);
      this.requestUpdate();
    });
  }

  /** Called with what the page is to show, and again when that changes. */
  protected abstract start(start: Start, host: Host): void;

  protected themed(): void {
    this.requestUpdate();
  }

  /** Whether a start names runs other than those shown. */
  protected isAboutOtherRuns({ runs }: Start): boolean {
    return runs.length > 0 && JSON.stringify(runs) !== JSON.stringify(this.state.runs);
  }

  /** Applies a choice of the user. */
  protected change(change: Partial<State>): void {
    this.notice = "";
    this.keep(change);
    this.requestUpdate();
  }

  /** Changes the state without drawing the page again. */
  protected keep(change: Partial<State>): void {
    this.state = { ...this.state, ...change };
    // Save at once, since the page may close at any moment, but not in every frame.
    clearTimeout(this.#keeping);
    if (performance.now() - this.#keptAt > keepEvery) this.#keepNow();
    else this.#keeping = setTimeout(this.#keepNow, keepEvery);
  }

  #keepNow = (): void => {
    this.#keptAt = performance.now();
    this.#host?.keep(this.state);
  };

  protected setTitle(text: string): void {
    const title = text.slice(0, maxTitle);
    if (title === this.state.title) return;
    this.state = { ...this.state, title };
    this.#host?.title(title);
    this.#keepNow();
  }

  /** Lets the user save a file and shows the outcome. @param save returns where it was saved; undefined if cancelled. */
  protected async save(save: (host: Host) => Promise<string | undefined>): Promise<void> {
    if (!this.#host) return;
    try {
      const place = await save(this.#host);
      this.notice = place === undefined ? "" : `Saved ${place}`;
    } catch (error) {
      this.notice = `Not saved: ${error instanceof Error ? error.message : String(error)}`;
    }
    this.requestUpdate();
  }
}
