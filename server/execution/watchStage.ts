import type { z } from "zod";
import { readBounded } from "../disk/open.ts";
import { tailJsonLines } from "../disk/tail.ts";
import type { RunEvent } from "../protocol/run.ts";
import { metricSchema } from "../protocol/stage.ts";
import type { StagePaths } from "../runs/layout.ts";
import { maxProgressBytes, progressPath, stageProgressSchema } from "../stages/process.ts";

type ProgressEvent = Extract<RunEvent, { event: "progress" }>;

/** Follows one stage's files and returns its newest progress, or undefined if nothing is new. */
export function watchStage(stage: string, paths: StagePaths): () => Promise<ProgressEvent | undefined> {
  let offset: number | undefined;
  let lastWork = "";
  return async () => {
    const tail = await tailJsonLines(paths.metrics, offset ?? 0);
    offset = tail.offset;
    const last = tail.lines.at(-1);
    const metric = last ? parsed(last, metricSchema) : undefined;
    if (metric) {
      const { step, steps, tokens, loss, seconds, tokensPerSecond } = metric;
      const secondsLeft = ((steps - step) * seconds) / step;
      return { event: "progress", stage, step, steps, tokens, tokensPerSecond, loss, secondsLeft };
    }
    const text = (await readBounded(progressPath(paths.folder), maxProgressBytes).catch(() => "")).toString();
    if (text === lastWork) return undefined;
    lastWork = text;
    const work = parsed(text, stageProgressSchema);
    return work && { event: "progress", stage, step: work.done, steps: work.total, label: work.label };
  };
}

/** The line may be half written, which is not an error. */
function parsed<T>(text: string, schema: z.ZodType<T>): T | undefined {
  try {
    return schema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}
