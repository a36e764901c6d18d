import type { Axis, Figures, Measure, Range, StageReference, View } from "../../protocol/stream.ts";

/** Requests to the thread that reads metrics, and its replies. */

/** Where a stage's metrics are, and where they lie on the axes. */
export interface Source extends StageReference {
  /** `metrics.jsonl` */
  path: string;
  /** The x at which it begins, on each axis: where the stages it comes from ended, or 0. */
  begins: Record<Axis, number>;
  /** Floating-point operations per token, for metrics that do not count them. */
  flopsPerToken?: number;
}

export interface Selection {
  sources: Source[];
  axis: Axis;
  range?: Range;
}

/** `seen`: the page's revision of each path; a frame is made only if one has changed. */
export interface ViewRequest {
  kind: "view";
  view: Omit<View, "series" | "type" | "fromZero">;
  sources: Source[];
  seen?: Record<string, number>;
}
export interface ViewAnswer {
  /** Absent where nothing is new. */
  frame?: ArrayBuffer;
  seen: Record<string, number>;
  /** Bytes read and total, over files that have not been read completely. */
  done: number;
  bytes: number;
}

export interface StatisticsRequest extends Selection {
  kind: "statistics";
  measure: Measure;
}
export type StatisticsAnswer = (Figures | undefined)[];

/** Answered with frames of text, each a message of its own, and then the number of rows. */
export interface ExportRequest extends Selection {
  kind: "export";
  /** Goes into the frames. */
  id: number;
  /** A name for each source, and of its run. */
  names: { run: string; stage: string }[];
  maxRows: number;
}

/** Files that no page is viewing any more. */
export interface ForgetRequest {
  kind: "forget";
  paths: string[];
}

export type Request = ViewRequest | StatisticsRequest | ExportRequest | ForgetRequest;

export type Reply = { id: number; part: ArrayBuffer } | { id: number; answer: unknown } | { id: number; error: string };
