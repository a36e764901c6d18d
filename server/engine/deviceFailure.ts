import { UserError } from "../protocol/errors.ts";

/**
 * Errors of drivers and libraries when a device is out of memory. WebGPU reports a failed allocation only when the
 * buffer is used, as "invalid".
 */
export const outOfMemory =
  /out of (?:device |host )?memory|OUT_OF_(?:DEVICE_|HOST_)?MEMORY|ALLOC_FAILED|Failed to allocate memory|OOM when allocating|Invalid Buffer|Allocation size too large|exceeds the max buffer size limit/i;
/** Errors that mean that the device is gone, or has stopped working. */
const lost =
  /device (?:is |was |has been )?(?:lost|removed|hung)|DEVICE_(?:LOST|REMOVED|HUNG)|CUDA (?:failure|error)|CUDA_ERROR|CUDNN_STATUS|CUBLAS_STATUS|Failed to download data from buffer/i;

const advice = "the last checkpoint is kept: resume the run with `btx resume`, on another device with `--device`";

/**
 * Turns an error of a failed device into a UserError; returns any other error unchanged.
 * @param device its name in an experiment's `devices`
 */
export function deviceFailure(error: unknown, device: string, description: string): unknown {
  if (error instanceof UserError) return error;
  const text = error instanceof Error ? error.message : String(error);
  const name = `the device ${device} (${description})`;
  if (outOfMemory.test(text))
    return new UserError(`${name} ran out of memory; ${advice}, or lower \`microBatch\` and run again`);
  if (lost.test(text)) return new UserError(`${name} was lost: ${firstLine(text)}; ${advice}`);
  return error;
}

const firstLine = (text: string): string => text.split("\n")[0]!.trim().slice(0, 200);
