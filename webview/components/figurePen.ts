import { CanvasPen, type Pen } from "./drawLines.ts";

/** Figures to save: the same code draws them on a canvas and as SVG. All sizes are CSS pixels. */

export interface Rectangle {
  left: number;
  top: number;
  width: number;
  height: number;
}

export interface TextStyle {
  color: string;
  size: number;
  anchor: "start" | "middle" | "end";
  bold?: boolean;
}

export interface FigurePen extends Pen {
  /** Clips what is drawn until the next call to a rectangle; undefined ends clipping. */
  clip(box: Rectangle | undefined): void;
  rectangle(box: Rectangle, color: string): void;
  /** Adjacent cells of equal size, `columns` per row; undefined for an empty cell. */
  cells(colors: readonly (string | undefined)[], columns: number, box: Rectangle): void;
  text(text: string, x: number, y: number, style: TextStyle): void;
}

export interface Figure {
  title: string;
  width: number;
  height: number;
  draw(pen: FigurePen): void;
}

/** Draws on a canvas whose units are CSS pixels; each is `scale` pixels wide. */
export class CanvasFigurePen extends CanvasPen implements FigurePen {
  readonly #context: CanvasRenderingContext2D;
  readonly #scale: number;

  constructor(context: CanvasRenderingContext2D, scale: number) {
    super(context, scale);
    this.#context = context;
    this.#scale = scale;
  }

  clip(box: Rectangle | undefined): void {
    if (!box) {
      this.#context.restore();
      return;
    }
    this.#context.save();
    this.#context.beginPath();
    this.#context.rect(box.left, box.top, box.width, box.height);
    this.#context.clip();
  }

  rectangle({ left, top, width, height }: Rectangle, color: string): void {
    this.#context.fillStyle = color;
    this.#context.fillRect(left, top, width, height);
  }

  /** Rounds cells to whole pixels so that no seams show between them. */
  cells(colors: readonly (string | undefined)[], columns: number, { left, top, width, height }: Rectangle): void {
    const rows = Math.ceil(colors.length / columns);
    const whole = (value: number) => Math.round(value * this.#scale) / this.#scale;
    for (const [cell, color] of colors.entries()) {
      if (color === undefined) continue;
      const [column, row] = [cell % columns, Math.floor(cell / columns)];
      const [x, y] = [whole(left + (column * width) / columns), whole(top + (row * height) / rows)];
      const [right, bottom] = [
        whole(left + ((column + 1) * width) / columns),
        whole(top + ((row + 1) * height) / rows),
      ];
      this.rectangle({ left: x, top: y, width: right - x, height: bottom - y }, color);
    }
  }

  text(text: string, x: number, y: number, { color, size, anchor, bold }: TextStyle): void {
    this.#context.font = `${bold ? "600 " : ""}${size}px system-ui, sans-serif`;
    this.#context.fillStyle = color;
    this.#context.textAlign = anchor === "middle" ? "center" : anchor;
    this.#context.fillText(text, x, y);
  }
}
