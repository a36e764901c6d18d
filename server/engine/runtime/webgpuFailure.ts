import { UserError } from "../../protocol/errors.ts";

const gigabytes = (bytes: number): string => `${(bytes / 2 ** 30).toPrecision(3)} GB`;

/** A tensor that may be too large for a GPU. */
export interface Large {
  /** For people. */
  name: string;
  bytes: number;
  /** Whether it shrinks with the batch. */
  ofBatch: boolean;
}

const tooLarge = /Buffer size \((\d+)\) exceeds the max buffer size limit \((\d+)\)/;
/** A buffer that could not be made is "invalid" when it is used; why, the driver says on the way only. */
const outOfMemory =
  /Invalid Buffer|OUT_OF_(DEVICE|HOST)_MEMORY|out of memory|Allocation size too large|bad allocation/i;
const lost = /device (is|was)? ?lost|DeviceLost|DEVICE_LOST|Failed to download data from buffer|device.*destroyed/i;

/** Why the GPU cannot hold a tensor, before training; undefined where an error says something else. */
export function whyNotHeld(error: unknown, { name, bytes, ofBatch }: Large): UserError | undefined {
  const text = String(error);
  const limit = tooLarge.exec(text)?.[2];
  const remedy = ofBatch ? "take a smaller micro-batch or a shorter context" : "take a smaller model";
  if (limit)
    return new UserError(
      `${name} takes ${gigabytes(bytes)}, but a buffer of this GPU holds ${gigabytes(Number(limit))} at most: ${remedy}, or run on the CPU`,
    );
  if (outOfMemory.test(text))
    return new UserError(
      `${name} takes ${gigabytes(bytes)}, which this GPU has no room for: ${remedy}, or run on the CPU`,
    );
  return undefined;
}

/**
 * What a failed run means to people where the device is to blame; the error itself where it is not. What was saved before
 * stays good: the stage can be taken up again.
 */
export function asDeviceFailure(error: unknown): unknown {
  const text = String(error);
  const sizes = tooLarge.exec(text);
  const again = "then run again to go on from the last save";
  if (sizes)
    return new UserError(
      `the GPU failed in mid-run: a tensor takes ${gigabytes(Number(sizes[1]))}, but a buffer holds ${gigabytes(Number(sizes[2]))} at most: take a smaller micro-batch, ${again}`,
    );
  if (lost.test(text))
    return new UserError(
      `the GPU was lost in mid-run (its driver was reset, or the machine slept): run again to go on from the last save`,
    );
  if (outOfMemory.test(text))
    return new UserError(
      `the GPU ran out of memory in mid-run: close what else uses it or take a smaller micro-batch, ${again}`,
    );
  return error;
}
