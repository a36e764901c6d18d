import type { Range } from "../../protocol/stream.ts";
import { exportPart, planExport } from "./export.ts";
import { axisValues, drawLines, figuresOf } from "./lines.ts";
import { MetricsFile } from "./metricsFile.ts";
import type {
  ExportPlan,
  PlanExportRequest,
  Request,
  Source,
  StatisticsAnswer,
  StatisticsRequest,
  ViewAnswer,
  ViewRequest,
} from "./requests.ts";

/** Longest time that one request spends reading new lines, ms; the next request reads the rest. */
const patience = 120;

interface OpenFile {
  source: Source;
  file: MetricsFile;
}

/**
 * Answers requests from the metrics files, one at a time. It keeps the files in memory until a request says to forget
 * them.
 */
export class MetricsReader {
  readonly #files = new Map<string, MetricsFile>();
  #last: Promise<unknown> = Promise.resolve();

  answer(request: Request): Promise<unknown> {
    const answer = this.#last.then(() => this.#answer(request));
    this.#last = answer.catch(() => {});
    return answer;
  }

  async #answer(request: Request): Promise<unknown> {
    switch (request.kind) {
      case "view":
        return this.#view(request);
      case "statistics":
        return this.#statistics(request);
      case "planExport":
        return this.#planExport(request);
      case "exportPart":
        return exportPart(this.#open(request.sources), request);
      case "forget":
        for (const path of request.paths) this.#files.delete(path);
        return undefined;
    }
  }

  #open(sources: readonly Source[]): OpenFile[] {
    return sources.map((source) => {
      const file = this.#files.get(source.path) ?? new MetricsFile(source.path);
      this.#files.set(source.path, file);
      return { source, file };
    });
  }

  async #view({ view, sources, mayWrite, seen }: ViewRequest): Promise<ViewAnswer> {
    const open = this.#open(sources);
    const deadline = performance.now() + patience;
    let [done, bytes] = [0, 0];
    for (const { file } of open) {
      file.want([view.axis, ...view.measures]);
      if (await file.read(deadline)) {
        if (mayWrite) void file.save();
        continue;
      }
      done += file.progress.done;
      bytes += file.progress.bytes;
    }
    const revisions = Object.fromEntries(open.map(({ file }) => [file.path, file.revision]));
    const changed = seen ? open.filter(({ file }) => seen[file.path] !== file.revision) : open;
    if (changed.length === 0 && seen) return { seen: revisions, done, bytes };
    const extent = view.range ?? (await this.#extent(open, view));
    const frame = await drawLines(changed, extent, view, !seen);
    return { frame, seen: revisions, done, bytes };
  }

  /** From the least to the greatest x. */
  async #extent(open: readonly OpenFile[], { axis }: ViewRequest["view"]): Promise<Range | undefined> {
    let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
    for (const { source, file } of open) {
      const x = await axisValues(file, axis, source);
      if (!x || x.length === 0) continue;
      const shift = source.begins[axis];
      low = Math.min(low, x[0]! + shift);
      high = Math.max(high, x.at(-1)! + shift);
    }
    if (low > high) return undefined;
    return low < high ? [low, high] : [low - 0.5, high + 0.5];
  }

  async #statistics({ sources, axis, measure, range }: StatisticsRequest): Promise<StatisticsAnswer> {
    const answers: StatisticsAnswer = [];
    for (const { source, file } of this.#open(sources)) {
      await file.read(Number.POSITIVE_INFINITY);
      const [x, series] = [await axisValues(file, axis, source), await file.series(measure)];
      answers.push(x && series ? figuresOf(series, x, source.begins[axis], range) : undefined);
    }
    return answers;
  }

  async #planExport(request: PlanExportRequest): Promise<ExportPlan> {
    const open = this.#open(request.sources);
    for (const { file } of open) await file.read(Number.POSITIVE_INFINITY);
    return planExport(open, request);
  }
}
