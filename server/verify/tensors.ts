import type { TypedArray } from "../checkpoint/dtypes.ts";
import { openSafetensors } from "../checkpoint/safetensors.ts";
import type { Reading } from "./reading.ts";

/**
 * Reads all tensors of a safetensors file, which are compared with their digests.
 *
 * @returns whether the file has digests.
 * @throws DamagedError, UserError
 */
export async function readTensors(
  path: string,
  reading: Reading,
  visit: (name: string, values: TypedArray) => void = () => {},
): Promise<boolean> {
  const file = await openSafetensors(path);
  try {
    for (const name of file.names) {
      const values = await file.read(name);
      visit(name, values);
      reading.read(values.byteLength);
    }
    return file.hasDigests;
  } finally {
    await file.close();
  }
}
