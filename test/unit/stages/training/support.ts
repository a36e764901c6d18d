import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type Metric, metricSchema } from "../../../../server/protocol/stage.ts";
import { stagePathsIn } from "../../../../server/runs/layout.ts";
import { documentsOf, stageWithData } from "../support.ts";

/** The folder of a data stage with the domains "letters" and "digits". */
export const twoDomains = () =>
  stageWithData({
    letters: { documents: documentsOf("abcde", 14, 60) },
    digits: { documents: documentsOf("0123", 10, 50) },
  });

/** What a stage has written of its steps. */
export const metrics = (folder: string): Metric[] =>
  readFileSync(stagePathsIn(folder).metrics, "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => metricSchema.parse(JSON.parse(line)));

/** What of a metric does not depend on the clock. */
export const timeless = ({ seconds: _seconds, tokensPerSecond: _rate, memory: _memory, ...rest }: Metric) => rest;

export const bytesOf = (folder: string, ...names: string[]): Buffer[] =>
  names.map((name) => readFileSync(join(folder, name)));

/** Steps a stage has written of. */
export function metricsCount(folder: string): number {
  return existsSync(stagePathsIn(folder).metrics) ? metrics(folder).length : 0;
}
