import * as z from "zod";
import { routingHeaders } from "./routing.ts";
import { figuresSchema, measureSchema, stageReferenceSchema } from "./stream.ts";

/**
 * Binary messages to a page, each for a question's `id`: the header's length (uint32, little-endian), the header as
 * JSON padded with spaces to a multiple of 8 bytes, and the body. The body of points is float64: for each line its x
 * and its y, then x and y of the smoothed line. The body of routing is one float32 array; that of an export is UTF-8
 * text.
 */

const lineSchema = z.strictObject({
  ...stageReferenceSchema.shape,
  measure: measureSchema,
  /** Number of points of the recorded and of the smoothed line. */
  raw: z.int().min(0),
  smooth: z.int().min(0),
  /** First and last x recorded. */
  from: z.number(),
  to: z.number(),
  /** Over everything recorded. */
  figures: figuresSchema.optional(),
});

const headerSchema = z.discriminatedUnion("kind", [
  z.strictObject({
    kind: z.literal("points"),
    id: z.int(),
    /** True: these are all lines of the view. False: only lines that changed. */
    whole: z.boolean(),
    /** The range of x in which the lines are thinned out; outside it there are too few points. */
    low: z.number(),
    high: z.number(),
    /** What the stages of these lines recorded. */
    recorded: z.array(measureSchema),
    lines: z.array(lineSchema),
  }),
  z.strictObject({ kind: z.literal("text"), id: z.int() }),
  ...routingHeaders,
]);
export type FrameHeader = z.infer<typeof headerSchema>;
export type RoutingHeader = Extract<FrameHeader, { kind: "routing" | "pairs" | "load" | "histogram" | "saturation" }>;
export type PointsHeader = Extract<FrameHeader, { kind: "points" }>;

/** One line of a view. Its arrays have equal lengths in pairs; x ascends. */
export interface Line extends z.infer<typeof lineSchema> {
  x: Float64Array;
  y: Float64Array;
  smoothX: Float64Array;
  smoothY: Float64Array;
}

export type Frame =
  | (Omit<PointsHeader, "lines"> & { lines: Line[] })
  | { kind: "text"; id: number; bytes: Uint8Array<ArrayBuffer> }
  | (RoutingHeader & { values: Float32Array });

/** @param parts concatenated after the header */
export function encodeFrame(header: FrameHeader, parts: readonly Uint8Array[]): ArrayBuffer {
  const json = new TextEncoder().encode(JSON.stringify(header));
  const start = Math.ceil((4 + json.length) / 8) * 8;
  const size = parts.reduce((sum, part) => sum + part.byteLength, start);
  const bytes = new Uint8Array(size).fill(0x20, 4, start);
  new DataView(bytes.buffer).setUint32(0, start - 4, true);
  bytes.set(json, 4);
  let at = start;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.byteLength;
  }
  return bytes.buffer;
}

/** @throws Error if the bytes are not a frame */
export function decodeFrame(buffer: ArrayBuffer): Frame {
  if (buffer.byteLength < 8) throw new Error("a frame ends before its header");
  const start = 4 + new DataView(buffer).getUint32(0, true);
  if (start > buffer.byteLength || start % 8 !== 0) throw new Error("a frame ends before its header");
  const header = headerSchema.parse(JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, start - 4))));
  if (header.kind === "text") return { ...header, bytes: new Uint8Array(buffer, start) };
  if (header.kind !== "points") {
    const size = header.shape.reduce((product, length) => product * length, 1);
    if (start + size * 4 > buffer.byteLength) throw new Error("a frame ends before its values");
    return { ...header, values: new Float32Array(buffer, start, size) };
  }
  let at = start;
  const take = (count: number): Float64Array => {
    if (at + count * 8 > buffer.byteLength) throw new Error("a frame ends before its points");
    at += count * 8;
    return new Float64Array(buffer, at - count * 8, count);
  };
  const lines = header.lines.map((line) => {
    const [x, y, smoothX, smoothY] = [take(line.raw), take(line.raw), take(line.smooth), take(line.smooth)];
    return { ...line, x, y, smoothX, smoothY };
  });
  return { ...header, lines };
}
