import type { Range } from "../../server/protocol/stream.ts";
import type { Box } from "./chartOverlay.ts";
import { type Plot, valueAtX, valueAtY } from "./drawLines.ts";

export type DragMode = "zoom" | "pan" | "select";

/** Chart operations available to the pointer. */
export interface PointerTarget {
  readonly plot: Plot;
  readonly mode: DragMode;
  show(ranges: { x?: Range; y?: Range }): void;
  showAll(): void;
  select(range: Range | undefined): void;
  hover(x: number | undefined): void;
  outline(box: Box | undefined): void;
  /** A drag that moves the view began or ended. */
  moving(moves: boolean): void;
}

/** A shorter drag is a click, CSS pixels. */
const minDrag = 4;

interface Drag {
  id: number;
  mode: DragMode;
  x: number;
  y: number;
  plot: Plot;
}

/** Handles hovering, dragging and the wheel over a chart. */
export function followPointer(element: HTMLElement, target: PointerTarget): void {
  let drag: Drag | undefined;
  const place = (event: MouseEvent) => {
    const { left, top } = element.getBoundingClientRect();
    return { x: event.clientX - left, y: event.clientY - top };
  };
  const inside = ({ x, y }: { x: number; y: number }) => {
    const { left, top, width, height } = target.plot;
    return x >= left && x <= left + width && y >= top && y <= top + height;
  };

  element.addEventListener("pointerdown", (event) => {
    const at = place(event);
    if (event.button > 1 || !inside(at)) return;
    const mode = event.button === 1 || event.altKey ? "pan" : event.shiftKey ? "select" : target.mode;
    drag = { id: event.pointerId, mode, ...at, plot: target.plot };
    element.setPointerCapture(event.pointerId);
    if (mode === "pan") target.moving(true);
  });
  element.addEventListener("pointermove", (event) => {
    const at = place(event);
    if (drag?.id === event.pointerId) move(target, drag, at);
    else target.hover(inside(at) ? valueAtX(target.plot, at.x) : undefined);
    element.dataset.dragging = drag?.mode ?? "";
  });
  element.addEventListener("pointerleave", () => {
    if (!drag) target.hover(undefined);
  });
  element.addEventListener("pointerup", (event) => {
    if (drag?.id !== event.pointerId) return;
    const ended = drag;
    drag = undefined;
    element.dataset.dragging = "";
    target.outline(undefined);
    target.moving(false);
    end(target, ended, place(event));
  });
  element.addEventListener("pointercancel", () => {
    drag = undefined;
    target.outline(undefined);
    target.moving(false);
  });
  element.addEventListener("dblclick", () => target.showAll());
  element.addEventListener(
    "wheel",
    (event) => {
      const at = place(event);
      if (!inside(at)) return;
      const { plot } = target;
      if (event.ctrlKey || event.metaKey) {
        event.preventDefault();
        const factor = Math.exp(Math.max(-1, Math.min(1, event.deltaY / 200)));
        if (event.shiftKey) target.show({ y: zoomY(plot, valueAtY(plot, at.y), factor) });
        else target.show({ x: zoomed(plot.x, valueAtX(plot, at.x), factor) });
      } else if (event.deltaX !== 0 && Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
        event.preventDefault();
        const by = (event.deltaX / plot.width) * (plot.x[1] - plot.x[0]);
        target.show({ x: [plot.x[0] + by, plot.x[1] + by] });
      }
    },
    { passive: false },
  );
}

/** A range `factor` times as wide; the value `about` keeps its place. */
export const zoomed = ([low, high]: Range, about: number, factor: number): Range => [
  about - (about - low) * factor,
  about + (high - about) * factor,
];

/** Like `zoomed`, for the y axis, which may be logarithmic. */
export function zoomY({ y, log }: Plot, about: number, factor: number): Range {
  if (!log) return zoomed(y, about, factor);
  const [low, high] = zoomed([Math.log(y[0]), Math.log(y[1])], Math.log(about), factor);
  return [Math.exp(low), Math.exp(high)];
}

function move(target: PointerTarget, { mode, x, y, plot }: Drag, at: { x: number; y: number }): void {
  const [right, bottom] = [plot.left + plot.width, plot.top + plot.height];
  const to = { x: Math.min(right, Math.max(plot.left, at.x)), y: Math.min(bottom, Math.max(plot.top, at.y)) };
  if (mode === "pan") {
    target.show(panned(plot, at.x - x, at.y - y));
  } else if (mode === "select") {
    target.select(ordered(valueAtX(plot, x), valueAtX(plot, to.x)));
  } else if (Math.hypot(at.x - x, at.y - y) >= minDrag) {
    const [alongX, alongY] = axesOf(at.x - x, at.y - y);
    target.outline({
      left: alongX ? x : plot.left,
      right: alongX ? to.x : right,
      top: alongY ? y : plot.top,
      bottom: alongY ? to.y : bottom,
    });
  }
}

function end(target: PointerTarget, { mode, x, y, plot }: Drag, at: { x: number; y: number }): void {
  const clicked = Math.hypot(at.x - x, at.y - y) < minDrag;
  if (mode === "select" && clicked) target.select(undefined);
  if (mode !== "zoom" || clicked) return;
  const [right, bottom] = [plot.left + plot.width, plot.top + plot.height];
  const to = { x: Math.min(right, Math.max(plot.left, at.x)), y: Math.min(bottom, Math.max(plot.top, at.y)) };
  const [alongX, alongY] = axesOf(at.x - x, at.y - y);
  target.show({
    ...(alongX ? { x: ordered(valueAtX(plot, x), valueAtX(plot, to.x)) } : {}),
    ...(alongY ? { y: ordered(valueAtY(plot, y), valueAtY(plot, to.y)) } : {}),
  });
}

/** The axes along which a drag zooms: the one that it mostly follows, or both. */
function axesOf(x: number, y: number): [alongX: boolean, alongY: boolean] {
  const [wide, tall] = [Math.abs(x), Math.abs(y)];
  return [wide >= minDrag && wide * 4 >= tall, tall >= minDrag && tall * 4 >= wide && tall > 12];
}

function panned(plot: Plot, x: number, y: number): { x: Range; y?: Range } {
  const by = (-x / plot.width) * (plot.x[1] - plot.x[0]);
  const shown: { x: Range; y?: Range } = { x: [plot.x[0] + by, plot.x[1] + by] };
  if (Math.abs(y) > 24) shown.y = [valueAtY(plot, plot.top + plot.height - y), valueAtY(plot, plot.top - y)];
  return shown;
}

const ordered = (a: number, b: number): Range => (a < b ? [a, b] : [b, a]);
