import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import type { RunRecord } from "../../server/protocol/run.ts";
import type { Metric, PlannedStage, StageRecord } from "../../server/protocol/stage.ts";
import { runPaths, stagePaths } from "../../server/runs/layout.ts";

/** What a run has computed, without what may differ between two runs of the same bits: times, rates, processes. */

const hash = (path: string): string => createHash("sha256").update(readFileSync(path)).digest("hex");

/** A record without its digest, unchecked: tests look at records thousands of times. */
function readRecord<T>(path: string): T {
  const { digest: _, ...record } = JSON.parse(readFileSync(path, "utf8"));
  return record;
}

export const readRunRecord = (root: string, id: string): RunRecord => readRecord(runPaths(root, id).record);

export function readStageRecord(root: string, key: string): StageRecord | undefined {
  const { record } = stagePaths(root, key);
  return existsSync(record) ? readRecord(record) : undefined;
}

export function readMetrics(root: string, key: string): Metric[] {
  const { metrics } = stagePaths(root, key);
  if (!existsSync(metrics)) return [];
  return readFileSync(metrics, "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line));
}

/** The only run in a root, or the newest. */
export const newestRun = (root: string): string => readdirSync(join(root, "runs")).sort().at(-1)!;

/** Files that a stage leaves for others, with the hash of their bytes. */
function files(root: string, key: string): Record<string, string> {
  const { folder } = stagePaths(root, key);
  if (!existsSync(folder)) return {};
  const found = readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) =>
      /(\.safetensors|\.tokens|\.f32|answers\.jsonl|tokenizer\.json|config\.json|routing\.json)$/.test(name),
    )
    .filter((name) => statSync(join(folder, name)).isFile())
    .sort();
  return Object.fromEntries(found.map((name) => [name, hash(join(folder, name))]));
}

function stageBits(root: string, { key }: PlannedStage) {
  const record = readStageRecord(root, key);
  const { seconds: _, tokensPerSecond: __, ...result } = { seconds: 0, ...record?.result };
  return {
    key,
    status: record?.status,
    result,
    files: files(root, key),
    metrics: readMetrics(root, key).map(({ seconds: _, tokensPerSecond: __, memory: ___, ...metric }) => metric),
  };
}

/** Every stage of a run by name, down to the bits of its weights, losses and statistics. */
export function runBits(root: string, id: string): Record<string, ReturnType<typeof stageBits>> {
  return Object.fromEntries(readRunRecord(root, id).stages.map((stage) => [stage.name, stageBits(root, stage)]));
}

/** Largest resident memory of a process of this machine so far, in bytes; 0 when it has ended. Linux. */
export function peakMemory(pid: number): number {
  try {
    const line = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"));
    return Number(line?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}
