import type { Axis, Figures, Measure, Range, StageReference, View } from "../../protocol/stream.ts";
import type { ColumnName } from "./parse.ts";

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
  /** Whether caches may be written beside long files. */
  mayWrite: boolean;
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

/** The rows of a selection, before they are exported part by part. */
export interface PlanExportRequest extends Selection {
  kind: "planExport";
}
export interface ExportPlan {
  /** All columns that any of the sources has. */
  columns: ColumnName[];
  /** Of each source: the rows [from, to). `generation`: that of the file, which must not change until the end. */
  spans: { from: number; to: number; generation: number }[];
}

/** Where a part of an export begins: the index of a source, and so many of its rows are exported already. */
export interface ExportPlace {
  file: number;
  row: number;
}

export interface ExportPartRequest {
  kind: "exportPart";
  /** Goes into the frame. */
  id: number;
  sources: Source[];
  /** A name for each source, and of its run. */
  names: { run: string; stage: string }[];
  plan: ExportPlan;
  at: ExportPlace;
}
export interface ExportPart {
  /** Absent if rows of the plan were replaced. */
  frame?: ArrayBuffer;
  /** Absent at the end. */
  next?: ExportPlace;
}

/** Files that no page is viewing any more. */
export interface ForgetRequest {
  kind: "forget";
  paths: string[];
}

export type Request = ViewRequest | StatisticsRequest | PlanExportRequest | ExportPartRequest | ForgetRequest;

export interface Message {
  id: number;
  request: Request;
  /** What may be read; undefined: everything. See `disk/reach.ts`. */
  folders: readonly string[] | undefined;
}

export type Reply = { id: number; answer: unknown } | { id: number; error: string };
