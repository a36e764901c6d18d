import { LitElement } from "lit";
import { onThemeChange } from "./theme.ts";

/** An element with a canvas, which is drawn again when its size or the theme changes. Its content is the page's: no shadow. */
export abstract class CanvasElement extends LitElement {
  #resized = new ResizeObserver(() => this.resized());
  #forget = () => {};

  protected abstract draw(): void;

  protected resized(): void {
    this.draw();
  }

  protected override createRenderRoot(): HTMLElement {
    return this;
  }

  override connectedCallback(): void {
    super.connectedCallback();
    this.#forget = onThemeChange(() => this.draw());
    this.#resized.observe(this);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#forget();
    this.#resized.disconnect();
  }
}
