import { LitElement } from "lit";
import { onThemeChange } from "./theme.ts";

/**
 * An element with a canvas, which is drawn again when its size or the theme changes. Out of sight nothing is drawn until it
 * comes near again. Its content is the page's: no shadow.
 */
export abstract class CanvasElement extends LitElement {
  #resized = new ResizeObserver(() => this.resized());
  #seen = new IntersectionObserver((entries) => this.#moved(entries.at(-1)!.isIntersecting), {
    rootMargin: "100px",
  });
  #forget = () => {};
  #near = true;
  /** Something has changed since it was drawn. */
  #stale = false;

  /** Draws what is to be seen, where there is a canvas and something to draw. */
  protected abstract paint(): void;

  /** Paints, now or when the element is near what is to be seen. */
  protected draw(): void {
    this.#stale = !this.#near;
    if (this.#near) this.paint();
  }

  protected resized(): void {
    this.draw();
  }

  #moved(near: boolean): void {
    this.#near = near;
    if (near && this.#stale) this.draw();
  }

  protected override createRenderRoot(): HTMLElement {
    return this;
  }

  override connectedCallback(): void {
    super.connectedCallback();
    this.#forget = onThemeChange(() => this.draw());
    this.#resized.observe(this);
    this.#seen.observe(this);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#forget();
    this.#resized.disconnect();
    this.#seen.disconnect();
  }
}
