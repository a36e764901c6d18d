import type { GrownFile } from "../../disk/append.ts";
import type { Store } from "../../engine/store.ts";
import type { PendingRouting } from "../../routing/recorder.ts";
import type { StepResult } from "./stepResult.ts";

/** Watches training and records what it sees. Does not affect training. */
export interface TrainingObserver {
  /** Returns to the state after `step` steps, with the data that was pending then. */
  restore(step: number, saved: PendingRouting): void;
  /** Called after step `step` with its result, and before the first with 0 and no result. `store`: the parameters. */
  after(step: number, result: StepResult | undefined, store: Store): void | Promise<void>;
  /** Data that is not yet written; it is saved with the training state. */
  pending?(): PendingRouting;
  /** The files that grow with training. */
  grown(): readonly GrownFile[];
  /** Flushes everything written so far to disk. */
  sync(): void;
  /** Called when training has ended after this step. */
  finish?(step: number): void;
  close(): void | Promise<void>;
}
