import type { Studio } from "../studio.ts";

/** Removes the colours of experts from all texts. */
export async function clearRouting({ routing }: Studio): Promise<undefined> {
  routing.clear();
  return undefined;
}
