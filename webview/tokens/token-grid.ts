import { html, type PropertyValues } from "lit";
import type { Routed } from "../../server/protocol/routed.ts";
import { CanvasElement, fittedContext } from "../components/canvasElement.ts";
import { expertFill, lineDashes, lineOf } from "../components/experts.ts";
import { movedPlace } from "../components/gridKeys.ts";
import { theme } from "../components/theme.ts";
import { visibleText } from "../components/tokenText.ts";
import { expertsText } from "./labels.ts";
import { firstExperts } from "./textCounts.ts";

export interface GridPlace {
  /** Index of the layer. */
  layer: number;
  token: number;
}

export interface GridEvents {
  "grid-place": { place: GridPlace | undefined };
  "grid-layer": { layer: number };
}

/** CSS pixels. */
const room = { left: 34, top: 20 };
const row = 18;
/** Minimum width of a token at which its text is drawn above it. */
const readable = 14;

/** All layers by all tokens, in the colours of their first experts. Draws only the visible part. */
export class TokenGrid extends CanvasElement<GridEvents> {
  static override properties = {
    routed: { attribute: false },
    text: { attribute: false },
    place: { attribute: false },
    width: { type: Number },
  };
  declare routed: Routed | undefined;
  declare text: string;
  /** The place at the cursor, here or in the text. */
  declare place: GridPlace | undefined;
  /** Width of a token, CSS pixels. */
  declare width: number;
  #first: ReturnType<typeof firstExperts> | undefined;

  constructor() {
    super();
    this.text = "";
    this.width = 18;
  }

  /** A cell in words. */
  describe({ layer, token }: GridPlace): string {
    const { routed, text } = this;
    const one = routed?.tokens[token];
    if (!routed || !one) return "";
    const where = `layer ${routed.layers[layer]}, token ${token + 1} ${visibleText(text.slice(one.start, one.end))}`;
    return `${where}: ${expertsText(routed, one, layer)}`;
  }

  protected override render(): unknown {
    const { routed, place } = this;
    return html`<div
        class="grid-box"
        role="grid"
        tabindex="0"
        aria-label="Layers by tokens; arrow keys read cells, Enter chooses the layer"
        aria-rowcount=${routed?.layers.length ?? 0}
        aria-colcount=${routed?.tokens.length ?? 0}
        aria-activedescendant=${place ? "grid-cell" : ""}
        @keydown=${this.#key}
        @scroll=${() => this.draw()}
        @pointermove=${this.#point}
        @pointerleave=${() => this.emit("grid-place", { place: undefined })}
        @click=${this.#click}
      >
        <div class="grid-space"><canvas aria-hidden="true"></canvas></div>
        ${
          place
            ? html`<div role="row" class="unseen" aria-rowindex=${place.layer + 1}>
                <div role="gridcell" id="grid-cell" aria-colindex=${place.token + 1} aria-label=${this.describe(place)}></div>
              </div>`
            : ""
        }
      </div>
      <p class="read" aria-hidden="true">${place ? this.describe(place) : ""}</p>`;
  }

  protected override updated(changed: PropertyValues): void {
    if (changed.has("routed")) this.#first = this.routed && firstExperts(this.routed);
    if (changed.has("place") && this.place && this.querySelector(".grid-box") === document.activeElement)
      this.#reveal();
    this.draw();
  }

  get #box(): HTMLElement | null {
    return this.querySelector(".grid-box");
  }

  /** The rectangle of a cell, CSS pixels of the visible part. */
  rectangle({ layer, token }: GridPlace): { left: number; top: number; width: number; height: number } {
    const left = room.left + token * this.width - (this.#box?.scrollLeft ?? 0);
    return { left, top: room.top + layer * row, width: this.width, height: row };
  }

  /** Scrolls to the token at the cursor. */
  #reveal(): void {
    const box = this.#box!;
    const left = this.place!.token * this.width;
    const wide = box.clientWidth - room.left;
    if (left < box.scrollLeft) box.scrollLeft = left;
    else if (left + this.width > box.scrollLeft + wide) box.scrollLeft = left + this.width - wide;
  }

  protected override paint(): void {
    const { routed, width, text, place } = this;
    const [box, space, canvas] = [
      this.#box,
      this.querySelector<HTMLElement>(".grid-space"),
      this.querySelector("canvas"),
    ];
    if (!routed || !this.#first || !box || !space || !canvas || box.clientWidth === 0) return;
    const { layers, tokens, experts } = routed;
    const height = room.top + layers.length * row;
    space.style.width = `${room.left + tokens.length * width}px`;
    space.style.height = `${height}px`;
    const wide = box.clientWidth;
    canvas.style.width = `${wide}px`;
    canvas.style.height = `${height}px`;
    const context = fittedContext(canvas, wide, height);
    context.clearRect(0, 0, wide, height);
    const { soft, ink, page, font } = theme();
    const fills = experts.map((_, expert) => expertFill(experts, expert));
    const from = Math.floor(box.scrollLeft / width);
    const to = Math.min(tokens.length, Math.ceil((box.scrollLeft + wide) / width));
    const leftOf = (token: number) => room.left + token * width - box.scrollLeft;
    context.font = `11px ${font}`;
    context.textBaseline = "middle";
    context.textAlign = "center";
    for (let token = from; token < to; token++) {
      for (let layer = 0; layer < layers.length; layer++) {
        const at = layer * tokens.length + token;
        const expert = this.#first.experts[at]!;
        if (expert < 0) continue;
        context.globalAlpha = 0.25 + 0.75 * Math.min(1, this.#first.gates[at]!);
        context.fillStyle = fills[expert]!;
        context.fillRect(leftOf(token), room.top + layer * row, width - (width > 4 ? 1 : 0), row - 1);
      }
      context.globalAlpha = 1;
      if (width < readable) continue;
      for (let layer = 0; layer < layers.length; layer++) {
        const expert = this.#first.experts[layer * tokens.length + token]!;
        if (expert >= 0)
          underline(context, lineOf(experts, expert), leftOf(token), room.top + (layer + 1) * row, width, ink);
      }
      context.fillStyle = soft;
      const { start, end } = tokens[token]!;
      context.fillText(
        visibleText(text.slice(start, end)).slice(0, Math.floor(width / 7)),
        leftOf(token) + width / 2,
        10,
      );
    }
    // The names of the layers do not scroll.
    context.fillStyle = page;
    context.fillRect(0, 0, room.left, height);
    context.fillStyle = soft;
    context.textAlign = "end";
    for (const [layer, name] of layers.entries())
      context.fillText(String(name), room.left - 6, room.top + (layer + 0.5) * row);
    if (!place) return;
    context.strokeStyle = ink;
    context.lineWidth = 2;
    const frame = this.rectangle(place);
    context.strokeRect(frame.left, frame.top, frame.width, frame.height);
  }

  #at(event: MouseEvent): GridPlace | undefined {
    const { routed, width } = this;
    const box = this.#box;
    if (!routed || !box) return undefined;
    const { left, top } = box.getBoundingClientRect();
    const token = Math.floor((event.clientX - left - room.left + box.scrollLeft) / width);
    const layer = Math.floor((event.clientY - top - room.top) / row);
    const inside = token >= 0 && token < routed.tokens.length && layer >= 0 && layer < routed.layers.length;
    return inside && event.clientX - left > room.left ? { layer, token } : undefined;
  }

  #key = (event: KeyboardEvent): void => {
    const { routed } = this;
    if (!routed) return;
    const { layer, token } = this.place ?? { layer: 0, token: 0 };
    const moved = this.place
      ? movedPlace({ row: layer, column: token }, event, routed.layers.length, routed.tokens.length)
      : event.key.startsWith("Arrow") && { row: 0, column: 0 };
    if (moved) this.emit("grid-place", { place: { layer: moved.row, token: moved.column } });
    else if (event.key === "Enter" && this.place) this.emit("grid-layer", { layer });
    else if (event.key === "Escape" && this.place) this.emit("grid-place", { place: undefined });
    else return;
    event.preventDefault();
  };

  #point = (event: PointerEvent): void => {
    const place = this.#at(event);
    if (place?.layer !== this.place?.layer || place?.token !== this.place?.token) this.emit("grid-place", { place });
  };

  #click = (event: MouseEvent): void => {
    const place = this.#at(event);
    if (place) this.emit("grid-layer", { layer: place.layer });
  };
}

/** Draws an expert's line at the lower edge of a cell, which distinguishes it without colour. */
function underline(
  context: CanvasRenderingContext2D,
  line: keyof typeof lineDashes,
  left: number,
  bottom: number,
  width: number,
  color: string,
): void {
  context.strokeStyle = color;
  context.lineWidth = 1;
  context.setLineDash([...lineDashes[line]]);
  context.beginPath();
  for (const up of line === "double" ? [2.5, 4.5] : [3.5]) {
    context.moveTo(left + 1, bottom - up);
    context.lineTo(left + width - 2, bottom - up);
  }
  context.stroke();
  context.setLineDash([]);
}

customElements.define("token-grid", TokenGrid);
