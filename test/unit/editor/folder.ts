import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";
import type { RunRecord } from "../../../server/protocol/run.ts";
import type { Metric, StageRecord } from "../../../server/protocol/stage.ts";
import { runPaths, type StagePaths, stagePaths } from "../../../server/runs/layout.ts";
import { runFixture } from "../../fixtures/run.ts";

/** Run folders as runs leave them. */

const scratch = mkdtempSync(join(tmpdir(), "btx-editor-"));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

export const emptyFolder = (): string => mkdtempSync(join(scratch, "x-"));

/** A run of the fixture, and what of its records is to be otherwise. */
export function writeRun(root: string, change: Partial<RunRecord> = {}): RunRecord {
  const record: RunRecord = { ...runFixture().run, ...change };
  const { folder, record: path } = runPaths(root, record.id);
  mkdirSync(folder, { recursive: true });
  writeFileSync(path, JSON.stringify(record));
  return record;
}

/** The record of a stage of the fixture, by its name. */
export function writeStage(root: string, name: string, change: Partial<StageRecord> = {}): StagePaths {
  const found = runFixture().stages.find((stage) => stage.name === name);
  if (!found) throw new Error(`the fixture has no stage ${name}`);
  const record = { ...found, ...change };
  const paths = stagePaths(root, record.key);
  mkdirSync(paths.folder, { recursive: true });
  writeFileSync(paths.record, JSON.stringify(record));
  return paths;
}

export const metric = (step: number, change: Partial<Metric> = {}): string =>
  `${JSON.stringify({ step, steps: 100, tokens: step * 1024, seconds: step / 2, loss: 3, gradientNorm: 1, learningRate: 1e-3, tokensPerSecond: 2048, ...change } satisfies Metric)}\n`;

/** Keys of the fixture's stages, by name. */
export const keys: ReadonlyMap<string, string> = new Map(runFixture().run.stages.map(({ name, key }) => [name, key]));
