import { UserError } from "../../protocol/errors.ts";
import type { Answer, Ask, Asked, Lookup } from "./questions.ts";

/**
 * Looks something up for a person who is waiting: undefined if there is no answer within `ms`, including the time spent
 * waiting for other lookups, or if the lookup fails.
 *
 * @param owner the experiment file that it is asked for.
 */
export async function askSoon<L extends Lookup>(
  ask: Ask,
  lookup: L,
  asked: Asked<L>,
  { owner, ms }: { owner: string; ms: number },
): Promise<Answer<L> | undefined> {
  const signal = AbortSignal.timeout(ms);
  try {
    return await ask(lookup, asked, { owner, ms, signal });
  } catch (error) {
    if (signal.aborted || error instanceof UserError) return undefined;
    throw error;
  }
}
