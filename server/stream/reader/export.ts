import { firstAtLeast } from "../../protocol/ascending.ts";
import { csvCell, csvRow } from "../../protocol/csv.ts";
import { encodeFrame } from "../../protocol/frame.ts";
import { axisSchema, type Measure } from "../../protocol/stream.ts";
import { trainingMeasures } from "../../protocol/trainingMeasures.ts";
import { axisValues } from "./lines.ts";
import type { MetricsFile } from "./metricsFile.ts";
import { type ColumnName, columnNames } from "./parse.ts";
import type { ExportPart, ExportPartRequest, ExportPlan, Selection, Source } from "./requests.ts";
import { firstAfter } from "./thin.ts";

/** Recorded values as CSV, in units as the names of the columns say. */

const titleOf = (name: ColumnName): string => {
  const axis = axisSchema.safeParse(name);
  return axis.success ? axis.data : trainingMeasures[name as Measure].column;
};

/** Most rows of one part: about a megabyte of text. */
export const rowsOfPart = 8192;

interface OpenFile {
  source: Source;
  file: MetricsFile;
}

/** The rows of a selection. `x` of its range is on the shared axis. */
export async function planExport(
  files: readonly OpenFile[],
  { axis, range }: Omit<Selection, "sources">,
): Promise<ExportPlan> {
  const spans: ExportPlan["spans"] = [];
  for (const { source, file } of files) {
    const x = (await axisValues(file, axis, source)) ?? new Float64Array(0);
    const shift = source.begins[axis];
    const [from, to] = range ? [firstAtLeast(x, range[0] - shift), firstAfter(x, range[1] - shift)] : [0, x.length];
    spans.push({ from, to, generation: file.generation });
  }
  return { columns: columnNames.filter((name) => files.some(({ file }) => file.recorded.includes(name))), spans };
}

/** How many rows there are to export. */
export const rowsOf = ({ spans }: ExportPlan): number => spans.reduce((sum, { from, to }) => sum + to - from, 0);

/**
 * Up to `rowsOfPart` rows: run, stage and the columns of the plan, numbers in full, a cell empty where nothing was
 * recorded. The first part begins with the head of the table. Columns count from the beginning of each stage.
 */
export async function exportPart(
  files: readonly OpenFile[],
  { id, names, plan: { columns, spans }, at }: Omit<ExportPartRequest, "kind" | "sources">,
): Promise<ExportPart> {
  let text = at.file === 0 && at.row === 0 ? csvRow(["run", "stage", ...columns.map(titleOf)]) : "";
  let left = rowsOfPart;
  let { file: index, row } = at;
  for (; index < files.length; index++, row = 0) {
    const [{ file }, span, { run, stage }] = [files[index]!, spans[index]!, names[index]!];
    if (file.generation !== span.generation) return {};
    const from = span.from + row;
    const to = Math.min(span.to, from + left);
    const values: (Float64Array | undefined)[] = [];
    for (const name of columns) values.push(await file.range(name, from, to));
    // The file was read again because its cache is gone.
    if (file.generation !== span.generation) return {};
    const start = `${csvCell(run)},${csvCell(stage)}`;
    for (let place = 0; place < to - from; place++) {
      text += start;
      for (const column of values) {
        const value = column?.[place] ?? Number.NaN;
        text += Number.isNaN(value) ? "," : `,${value}`;
      }
      text += "\r\n";
    }
    left -= to - from;
    if (to < span.to) {
      row += to - from;
      break;
    }
  }
  const frame = encodeFrame({ kind: "text", id }, [new TextEncoder().encode(text)]);
  return index < files.length ? { frame, next: { file: index, row } } : { frame };
}
