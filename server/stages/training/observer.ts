import type { Store } from "../../engine/store.ts";
import type { PendingRouting } from "../../routing/recorder.ts";
import type { StepResult } from "./stepResult.ts";

/** Looks on while a model is trained, and writes down what it sees. It changes nothing. */
export interface TrainingObserver {
  /** Goes back to where `step` steps were taken, and takes up what was pending there. */
  restore(step: number, saved: PendingRouting): void;
  /** After step `step`, with what the step reports; 0, without a result, before the first. `store` has the parameters. */
  after(step: number, result: StepResult | undefined, store: Store): void | Promise<void>;
  /** What it has seen and not yet written: it is saved with the training's state. */
  pending?(): PendingRouting;
  /** Makes sure that what it has written is on the disk. */
  sync(): void;
  /** Training ended with this step. */
  finish?(step: number): void;
  close(): void | Promise<void>;
}
