import { LitElement, type PropertyDeclarations } from "lit";
import { onThemeChange } from "./theme.ts";

/**
 * An element with a canvas, redrawn when its size or the theme changes. It does not draw while it is far outside the
 * viewport. It has no shadow root.
 */
export abstract class CanvasElement<Events extends object> extends LitElement {
  #resized = new ResizeObserver(() => this.resized());
  #seen = new IntersectionObserver((entries) => this.#moved(entries.at(-1)!.isIntersecting), {
    rootMargin: "100px",
  });
  #forget = () => {};
  #near = true;
  /** Something changed since the last draw. */
  #stale = false;

  /** Draws the canvas, if it exists and there is something to draw. */
  protected abstract paint(): void;

  /** Paints now, or when the element comes near the viewport. */
  protected draw(): void {
    this.#stale = !this.#near;
    if (this.#near) this.paint();
  }

  protected resized(): void {
    this.draw();
  }

  /** Reports user actions. */
  protected emit<K extends keyof Events & string>(type: K, detail: Events[K]): void {
    this.dispatchEvent(new CustomEvent(type, { detail, bubbles: true }));
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

/** A picture of experts. `Place` is what the cursor points at. */
export abstract class ExpertsElement<Events extends object, Place> extends CanvasElement<Events> {
  static override properties: PropertyDeclarations = {
    name: {},
    order: { attribute: false },
    colors: { attribute: false },
    describe: { attribute: false },
  };
  declare name: string;
  /** Experts in the order shown. */
  declare order: readonly number[];
  /** An expert's colour, for a canvas. */
  declare colors: (expert: number) => string;
  /** A place in words. */
  declare describe: (place: Place) => string;

  constructor() {
    super();
    this.order = [];
    this.describe = () => "";
  }
}

/** A canvas's context whose units are CSS pixels. @param width and height of the canvas, CSS pixels. */
export function fittedContext(canvas: HTMLCanvasElement, width: number, height: number): CanvasRenderingContext2D {
  const ratio = devicePixelRatio;
  const [wide, tall] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== wide) canvas.width = wide;
  if (canvas.height !== tall) canvas.height = tall;
  const context = canvas.getContext("2d")!;
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  return context;
}
