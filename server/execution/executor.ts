import type { DeviceReference } from "../protocol/devices.ts";
import type { PlannedStage } from "../protocol/stage.ts";
import type { StageOptions } from "../stages/process.ts";

/**
 * Runs stages for the runner: as processes of this machine (`local.ts`), or on a cluster. A stage's results are read
 * from its folder; an executor only starts it, stops it and reports its end.
 */
export interface Executor {
  readonly place: Place;
  /**
   * Whether a process works on a stage, whoever started it: "ending" if it will soon stop by itself because the runner
   * that started it is gone.
   */
  occupancy(root: string, stage: PlannedStage): Promise<"free" | "busy" | "ending">;
  /** Starts a free stage. @throws UserError if it cannot be started */
  start(request: StageRequest): Promise<StageJob>;
}

/** Resources that stages share. */
export interface Place {
  /** CPU cores. */
  cores: number;
  /** Memory for all stages that train at the same time, bytes. */
  memory: number;
  /** Devices that models run on, with names for people; at least one. */
  devices: readonly (DeviceReference & { name: string })[];
  /** Why these devices were chosen: for a stage's record, and as a sentence that names them. */
  why: string;
  text: string;
}

/** Resources of a running stage. */
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

/** A started stage. */
export interface StageJob {
  /** Resolves when the stage has ended; never rejects. */
  readonly exit: Promise<StageExit>;
  /**
   * Asks it to stop after a checkpoint: by a signal or, where that does not work, by the `stop` file in its folder.
   *
   * @throws UserError if that file cannot be written
   */
  stop(): Promise<void>;
  /** Ends it at once; it can be resumed from its last checkpoint. */
  kill(): void;
}

/** How a stage ended. */
export interface StageExit {
  /** "busy": another run's process does the work or has done it. */
  status: "done" | "stopped" | "failed" | "busy";
  /** Error message for people. */
  error?: string;
}

/** Whether two references mean the same device. */
export const sameDevice = (a: DeviceReference, b: DeviceReference): boolean =>
  a.engine === b.engine && a.device === b.device;

/** The options of a stage's process. */
export function stageOptions({ devices, why }: Place, { threads, device: { engine, device } }: Share): StageOptions {
  const chosen = devices.find((one) => sameDevice(one, { engine, device }));
  return {
    threads,
    device: { engine, device },
    name: chosen?.name ?? "the CPU",
    why: chosen ? why : "the stage runs no model",
  };
}
