import { readdir } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import type { Compute } from "../../protocol/devices.ts";
import { type StageRecord, stageRecordSchema } from "../../protocol/stage.ts";
import { runRoot, stagePathsIn, stagesFolder } from "../../runs/layout.ts";
import { readJson } from "../../runs/read.ts";
import type { ModelCost } from "./costs.ts";

/** How fast this experiment's earlier stages were, to estimate how long the next ones take. */
export interface Speed {
  /** Seconds for models that are trained at the same time; undefined if nothing was measured. */
  seconds(kind: "seed" | "expert" | "finetune", models: readonly ModelCost[]): number | undefined;
}

interface Measured {
  kind: string;
  /** FLOP/s of one thread. */
  perThread: number;
}

/** Records that count, the newest. */
const latest = 5;

/** Whether a stage ran on the requested engine and device; "cuda" stands for every CUDA device. */
function ranOn({ engine, device }: StageRecord, compute: Compute): boolean {
  const isDevice = (name: string): boolean => device === name || (name === "cuda" && /^cuda:/.test(device));
  return (compute.engine === "auto" || compute.engine === engine) && (compute.devices?.some(isDevice) ?? true);
}

/**
 * The speed of finished stages on what the file asks for; of several devices, on the one that the newest of them ran
 * on.
 * @param cores threads that a run shares out among its stages.
 */
export function speedOf(
  records: readonly StageRecord[],
  compute: Compute,
  cores: number = availableParallelism(),
): Speed {
  const finished = records
    .filter((stage) => ranOn(stage, compute))
    .filter(({ status, result, seconds }) => status === "done" && (result?.flops ?? 0) > 0 && seconds > 0)
    .sort((a, b) => (b.finished ?? b.created).localeCompare(a.finished ?? a.created));
  const newest = finished[0];
  const measured = finished
    .filter(({ engine, device }) => engine === newest?.engine && device === newest.device)
    .map(({ kind, result, seconds, threads }): Measured => {
      return { kind, perThread: result!.flops! / seconds / Math.max(1, threads) };
    });
  return {
    seconds(kind, models) {
      const same = measured.filter((stage) => stage.kind === kind);
      const perThread = median((same.length > 0 ? same : measured).slice(0, latest).map((stage) => stage.perThread));
      if (perThread === undefined || models.length === 0) return undefined;
      // Experts share the cores, at least one thread each; with more experts than cores they take turns.
      const atOnce = Math.min(models.length, cores);
      const rate = perThread * Math.max(1, Math.floor(cores / models.length));
      const flops = models.map((model) => model.flops);
      const all = flops.reduce((sum, value) => sum + value, 0);
      return Math.max(Math.max(...flops) / rate, all / (rate * atOnce));
    },
  };
}

function median(values: readonly number[]): number | undefined {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
}

/** How long records are good for, ms: they change when a stage ends. */
const goodFor = 10_000;

/** Reads the stages' records of run folders, each at most once in ten seconds. */
export class Speeds {
  readonly #known = new Map<string, { at: number; records: Promise<StageRecord[]> }>();

  /** @param file the experiment file; the stages beside it were run on this machine. */
  async of(file: string, compute: Compute): Promise<Speed> {
    const folder = stagesFolder(runRoot(file));
    const known = this.#known.get(folder);
    if (known && performance.now() - known.at < goodFor) return speedOf(await known.records, compute);
    const records = readRecords(folder);
    this.#known.set(folder, { at: performance.now(), records });
    return speedOf(await records, compute);
  }

  /** A stage has ended, so cached facts are stale. */
  forget(): void {
    this.#known.clear();
  }
}

async function readRecords(folder: string): Promise<StageRecord[]> {
  const names = await readdir(folder).catch(() => []);
  const records: StageRecord[] = [];
  for (const name of names) {
    // Records that cannot be read are ignored.
    const record = await readJson(stagePathsIn(join(folder, name)).record, stageRecordSchema).catch(() => undefined);
    if (record) records.push(record);
  }
  return records;
}
