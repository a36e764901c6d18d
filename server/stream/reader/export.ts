import { firstAtLeast } from "../../protocol/ascending.ts";
import { csvCell, csvRow } from "../../protocol/csv.ts";
import { encodeFrame } from "../../protocol/frame.ts";
import { axisSchema, type Measure } from "../../protocol/stream.ts";
import { trainingMeasures } from "../../protocol/trainingMeasures.ts";
import { axisValues } from "./lines.ts";
import type { MetricsFile } from "./metricsFile.ts";
import { type ColumnName, columnNames } from "./parse.ts";
import type { ExportRequest, Source } from "./requests.ts";
import { firstAfter } from "./thin.ts";

/** Recorded values as CSV, in units as the names of the columns say. */

const titleOf = (name: ColumnName): string => {
  const axis = axisSchema.safeParse(name);
  return axis.success ? axis.data : trainingMeasures[name as Measure].column;
};

/** Characters of one frame, about. */
const chunk = 1 << 20;

/**
 * Writes the rows of a selection: run, stage and all columns that any of the stages has, numbers in full, a cell empty
 * where nothing was recorded. `x` of the range is on the shared axis; columns count from the beginning of each stage.
 *
 * @returns the number of rows; undefined when there are more than `maxRows`, and then nothing was written.
 */
export async function exportRows(
  files: readonly { source: Source; file: MetricsFile }[],
  { axis, range, id, names, maxRows }: ExportRequest,
  write: (frame: ArrayBuffer) => void,
): Promise<number | undefined> {
  const spans: { from: number; to: number }[] = [];
  for (const { source, file } of files) {
    const x = (await axisValues(file, axis, source)) ?? new Float64Array(0);
    const shift = source.begins[axis];
    spans.push(
      range
        ? { from: firstAtLeast(x, range[0] - shift), to: firstAfter(x, range[1] - shift) }
        : { from: 0, to: x.length },
    );
  }
  const rows = spans.reduce((sum, { from, to }) => sum + to - from, 0);
  if (rows > maxRows) return undefined;
  const columns = columnNames.filter((name) => files.some(({ file }) => file.recorded.includes(name)));
  let text = csvRow(["run", "stage", ...columns.map(titleOf)]);
  const flush = () => {
    write(encodeFrame({ kind: "text", id }, [new TextEncoder().encode(text)]));
    text = "";
  };
  for (const [index, { file }] of files.entries()) {
    const values: (Float64Array | undefined)[] = [];
    for (const name of columns) values.push(await file.values(name));
    const { run, stage } = names[index]!;
    const start = `${csvCell(run)},${csvCell(stage)}`;
    const { from, to } = spans[index]!;
    for (let row = from; row < to; row++) {
      text += start;
      for (const column of values) {
        const value = column?.[row] ?? Number.NaN;
        text += Number.isNaN(value) ? "," : `,${value}`;
      }
      text += "\r\n";
      if (text.length >= chunk) flush();
    }
  }
  flush();
  return rows;
}
