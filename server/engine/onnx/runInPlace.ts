import type { InferenceSession, Tensor } from "onnxruntime-node";

/** The binding's error when it comes to an output that is not a tensor. */
const notATensor = /non tensor type/i;

/**
 * Runs `session` and leaves the outputs where `fetches` has room for them.
 *
 * After a run, the binding copies every output once more into its own memory, in the order of the graph's outputs (12
 * bytes per parameter and step). No option disables this, but it stops at the first output that is not a tensor:
 * `done`, which the graph has for this purpose. By then the run is over and all outputs are in place. A binding that
 * can return `done` would copy, and nothing else would change.
 */
export async function runInPlace(
  session: InferenceSession,
  feeds: Record<string, Tensor>,
  fetches: Record<string, Tensor>,
  done: string,
): Promise<void> {
  try {
    await session.run(feeds, { [done]: null, ...fetches });
  } catch (error) {
    if (!notATensor.test(String(error))) throw error;
  }
}
