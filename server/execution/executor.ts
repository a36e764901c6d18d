import type { DeviceReference } from "../protocol/devices.ts";
import type { PlannedStage } from "../protocol/stage.ts";
import type { StageAsked } from "../stages/process.ts";

/**
 * What the runner needs of whatever runs stages: the processes of this machine (`local.ts`), or a cluster. A stage's
 * results come through its folder alone; an executor only starts it, stops it and reports its end.
 */
export interface Executor {
  readonly place: Place;
  /**
   * Whether a process works on a stage, whoever started it: "ending" if it will soon stop by itself because the runner
   * that started it is gone.
   */
  occupancy(root: string, stage: PlannedStage): Promise<"free" | "busy" | "ending">;
  /** Starts a stage that is free. @throws UserError when the place refuses it. */
  start(request: StageRequest): Promise<StageJob>;
}

/** What there is to share out among stages. */
export interface Place {
  /** CPU cores. */
  cores: number;
  /** Bytes of memory for all stages that are trained at once. */
  memory: number;
  /** What models run on, with names for people; at least one. */
  devices: readonly (DeviceReference & { name: string })[];
  /** Why these devices, for people: in a stage's record, and as a sentence that names them. */
  why: string;
  text: string;
}

/** What a running stage takes of a place. */
export interface Share {
  threads: number;
  device: DeviceReference;
  /** Estimated memory, not counting GPU memory, bytes. */
  memory: number;
}

export interface StageRequest {
  root: string;
  run: string;
  stage: PlannedStage;
  share: Share;
}

/** A stage that was started. */
export interface StageJob {
  /** Resolves when it has ended, and does not reject. */
  readonly exit: Promise<StageExit>;
  /**
   * Asks it to stop after a checkpoint: by a signal, or where none reaches it by the `stop` file in its folder.
   *
   * @throws UserError when that file cannot be written.
   */
  stop(): Promise<void>;
  /** Ends it at once; it can be resumed from its last checkpoint. */
  kill(): void;
}

/** How a stage ended. */
export interface StageExit {
  /** "busy": another run's process does the work or has done it. */
  status: "done" | "stopped" | "failed" | "busy";
  /** What went wrong, for people. */
  error?: string;
}

/** Whether two references mean the same device. */
export const sameDevice = (a: DeviceReference, b: DeviceReference): boolean =>
  a.engine === b.engine && a.device === b.device;

/** What a stage's process is started with. */
export function stageAsked({ devices, why }: Place, { threads, device: { engine, device } }: Share): StageAsked {
  const chosen = devices.find((one) => sameDevice(one, { engine, device }));
  return {
    threads,
    device: { engine, device },
    name: chosen?.name ?? "the CPU",
    why: chosen ? why : "the stage runs no model",
  };
}
