import { count, dateTime, duration, loss } from "../protocol/format.ts";
import type { RunRecord } from "../protocol/run.ts";
import type { Metric, StageRecord } from "../protocol/stage.ts";
import { clean, cutEnd, cutMiddle, padEnd, padStart, type Styles, styles, width } from "./ansi.ts";
import { planTree } from "./tree.ts";

/** One run in the list of runs. */
export interface RunListing {
  id: string;
  name: string;
  /** A run's status, or "interrupted" if it says "running" but has no process. */
  status: string;
  /** ISO 8601. */
  started: string;
  stagesDone: number;
  stages: number;
  /** Lowest mean held-out loss of its models, nats per token. */
  bestLoss?: number;
}

/** The files of one stage of a run. */
export interface StageState {
  /** Absent: the stage has not begun. */
  record?: StageRecord;
  /** The last line of `metrics.jsonl`. */
  metric?: Metric;
  /** Whether the record says "running" but no process holds the lock. */
  interrupted?: boolean;
}

export interface TextOptions {
  color: boolean;
  /** Maximum line width in columns; longer lines are cut. */
  columns?: number;
}

interface State {
  mark: string;
  word: string;
  tone: keyof Styles;
}
const STATES: Readonly<Record<string, State>> = {
  done: { mark: "✓", word: "done", tone: "green" },
  reused: { mark: "↺", word: "done, reused", tone: "green" },
  running: { mark: "●", word: "running", tone: "cyan" },
  failed: { mark: "✗", word: "failed", tone: "red" },
  stopped: { mark: "■", word: "stopped", tone: "yellow" },
  interrupted: { mark: "■", word: "interrupted", tone: "yellow" },
  waiting: { mark: "○", word: "waiting", tone: "dim" },
};
const stateOf = (status: string): State =>
  (Object.hasOwn(STATES, status) ? STATES[status] : undefined) ?? { mark: "?", word: clean(status), tone: "dim" };

interface Head {
  text: string;
  right?: boolean;
}

/** Lines of aligned columns below a header. `tones` colours a cell after it has been measured. */
function grid(
  heads: Head[],
  rows: string[][],
  tone: (text: string, row: number, column: number) => string,
  options: TextOptions,
) {
  const widths = heads.map(({ text }, at) => Math.max(width(text), ...rows.map((row) => width(row[at] ?? ""))));
  const line = (cells: string[], paint: (text: string, column: number) => string) => {
    let room = options.columns ?? Number.POSITIVE_INFINITY;
    return heads
      .map(({ right }, at) => {
        const wide = Math.max(0, Math.min(widths[at] ?? 0, room));
        const text = (right ? padStart : padEnd)(cutEnd(cells[at] ?? "", wide), wide);
        room -= wide + 2;
        return paint(text, at);
      })
      .join("  ")
      .trimEnd();
  };
  const { dim } = styles(options.color);
  return [
    line(
      heads.map(({ text }) => text),
      dim,
    ),
    ...rows.map((row, index) => line(row, (text, at) => tone(text, index, at))),
  ];
}

/** The text of `btx list`: one line per run, in the given order. */
export function runList(runs: readonly RunListing[], options: TextOptions): string {
  if (runs.length === 0) return "No runs yet. Start one with: btx run FILE\n";
  const style = styles(options.color);
  const rows = runs.map((run) => {
    const { mark, word } = stateOf(run.status);
    const best = run.bestLoss === undefined ? "–" : loss(run.bestLoss);
    return [
      clean(run.id),
      cutMiddle(clean(run.name), 28),
      `${mark} ${word}`,
      clean(dateTime(run.started)),
      `${run.stagesDone}/${run.stages}`,
      best,
    ];
  });
  const heads: Head[] = [
    { text: "run" },
    { text: "name" },
    { text: "status" },
    { text: "started" },
    { text: "stages", right: true },
    { text: "best loss, nats", right: true },
  ];
  const tone = (text: string, row: number, column: number) =>
    column === 2 ? style[stateOf(runs[row]?.status ?? "").tone](text) : text;
  return `${grid(heads, rows, tone, options).join("\n")}\n`;
}

function statusOf(state: StageState | undefined, reused: boolean): string {
  const status = state?.record?.status ?? "waiting";
  if (status === "running" && state?.interrupted) return "interrupted";
  return status === "done" && reused ? "reused" : status;
}

function stageCells(state: StageState | undefined): string[] {
  const { record, metric } = state ?? {};
  const rate = record?.result?.tokensPerSecond ?? metric?.tokensPerSecond;
  const trained = record?.result?.trainingLoss ?? metric?.loss;
  return [
    metric ? `${metric.step}/${metric.steps}` : "",
    trained === undefined ? "" : loss(trained),
    rate === undefined ? "" : count(rate),
    record ? duration(record.seconds) : "",
  ];
}

/**
 * The text of `btx status` and `btx show`: the run in one line, then its stages as a tree with state, step, loss,
 * tokens/s and time. `states` is keyed by the stages' names in the plan.
 */
export function runStatus(run: RunRecord, states: ReadonlyMap<string, StageState>, options: TextOptions): string {
  const style = styles(options.color);
  const reused = new Set(run.reused);
  const tree = planTree(run.stages);
  const statuses = tree.map(({ stage }) => statusOf(states.get(stage.name), reused.has(stage.name)));
  const rows = tree.map(({ stage, prefix }, index) => {
    const { mark, word } = stateOf(statuses[index] ?? "");
    return [`${prefix}${mark} ${cutMiddle(clean(stage.name), 32)}`, word, ...stageCells(states.get(stage.name))];
  });
  const heads: Head[] = [
    { text: "stage" },
    { text: "state" },
    { text: "step", right: true },
    { text: "loss, nats", right: true },
    { text: "tokens/s", right: true },
    { text: "time", right: true },
  ];
  const tone = (text: string, row: number, column: number) =>
    column === 1 ? style[stateOf(statuses[row] ?? "").tone](text) : text;
  const done = statuses.filter((status) => status === "done" || status === "reused").length;
  const top = `${style.bold(clean(run.name))}  ${clean(run.id)}  ${stateOf(run.status).word}, ${done} of ${run.stages.length} stages done, started ${clean(dateTime(run.created))}`;
  const errors = [
    ...(run.error === undefined ? [] : [`Error: ${run.error}`]),
    ...tree.flatMap(({ stage }) => {
      const error = states.get(stage.name)?.record?.error;
      return error === undefined ? [] : [`${stage.name}: ${error}`];
    }),
  ].flatMap((text) =>
    text.split(/\r?\n/).map((line, index) => style.red(index === 0 ? clean(line) : `    ${clean(line)}`)),
  );
  const parts = [top, "", ...grid(heads, rows, tone, options), ...(errors.length > 0 ? ["", ...errors] : [])];
  return `${parts.join("\n")}\n`;
}
