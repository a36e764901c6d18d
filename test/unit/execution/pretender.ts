import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { configToHuggingFace } from "../../../server/checkpoint/huggingFace.ts";
import type { Executor, Place, StageExit, StageJob, StageRequest } from "../../../server/execution/executor.ts";
import type { PlannedStage } from "../../../server/protocol/stage.ts";
import { stagePaths } from "../../../server/runs/layout.ts";
import { writeStage } from "../../../server/runs/stages.ts";
import { dense } from "../../fixtures/models.ts";
import { record } from "../runs/records.ts";

const machine: Place = {
  cores: 4,
  memory: 1e12,
  devices: [{ engine: "onnx", device: "cpu", name: "a CPU" }],
  why: "there is nothing else",
  text: "Computes on a CPU.",
};

/** Stages that it was asked to start, stop and kill, in order. */
export interface Asked {
  start: StageRequest[];
  stop: string[];
  kill: string[];
}

/** An executor that starts nothing: it notes what it is asked and pretends that stages end as they are told to. */
export class Pretender implements Executor {
  readonly place: Place;
  readonly asked: Asked = { start: [], stop: [], kill: [] };
  /** Names of stages that "run", and what each has of the place. */
  readonly running = new Map<string, StageRequest["share"]>();
  /** How a stage ends; as "done" where nothing is said. "never": when it is stopped or killed. */
  readonly ends: Readonly<Record<string, StageExit | "never">>;
  /** What is said of stages, one answer a question; then "free". */
  readonly occupied: Record<string, ("busy" | "ending")[]> = {};
  /** Looks on while something starts or ends. */
  onChange: () => void = () => {};
  /** Is waited for before it is said whether a stage is occupied, and before one is started. */
  onOccupancy: (stage: PlannedStage) => Promise<void> = async () => {};
  beforeStart: (request: StageRequest) => Promise<void> = async () => {};

  constructor(place: Partial<Place> = {}, ends: Readonly<Record<string, StageExit | "never">> = {}) {
    this.place = { ...machine, ...place };
    this.ends = ends;
  }

  get started(): string[] {
    return this.asked.start.map(({ stage }) => stage.name);
  }

  async occupancy(_: string, stage: PlannedStage) {
    await this.onOccupancy(stage);
    return this.occupied[stage.name]?.shift() ?? "free";
  }

  async start(request: StageRequest): Promise<StageJob> {
    await this.beforeStart(request);
    const { name } = request.stage;
    this.asked.start.push(request);
    this.running.set(name, request.share);
    this.onChange();
    let resolve: (how: StageExit) => void = () => {};
    const exit = new Promise<StageExit>((done) => {
      resolve = done;
    });
    const end = (how: StageExit) => {
      if (!this.running.delete(name)) return;
      this.onChange();
      resolve(how);
    };
    const how = this.ends[name] ?? { status: "done" };
    if (how !== "never") void this.#work(request, how).then(() => setTimeout(end, 1 + (name.length % 5), how));
    return {
      exit,
      stop: async () => {
        this.asked.stop.push(name);
        end({ status: "stopped" });
      },
      kill: () => {
        this.asked.kill.push(name);
        end({ status: "stopped" });
      },
    };
  }

  /** Leaves behind what the runner looks at; where another is busy, that one's work. */
  async #work({ root, stage }: StageRequest, { status }: StageExit): Promise<void> {
    if (status === "done" || status === "busy") await leaveDone(root, stage);
  }
}

/** A stage as one that is done, with the configuration of a model. */
export async function leaveDone(root: string, stage: PlannedStage): Promise<void> {
  const paths = stagePaths(root, stage.key);
  mkdirSync(paths.checkpoint, { recursive: true });
  writeFileSync(join(paths.checkpoint, "config.json"), JSON.stringify(configToHuggingFace(dense)));
  await writeStage(paths, record(stage));
}
