import type { Inspector } from "../inspect/client.ts";
import { UserError } from "../protocol/errors.ts";
import { type Inspection, type InspectionParams, inspections } from "../protocol/inspect.ts";
import type { Question } from "../protocol/stream.ts";
import type { Reply } from "./reply.ts";

/** Inspects models for pages. */
export interface Inspecting {
  inspector: Pick<Inspector, "ask">;
  /** Whether models may be run: not in an untrusted workspace. */
  trusted(): boolean;
}

/**
 * Asks the inspector for a page.
 *
 * @param check throws a UserError for a run folder that may not be read.
 * @throws UserError when models may not be run here, the question is malformed, or the inspector refuses it.
 */
export async function answerInspection(
  { id, inspection, params }: Extract<Question, { type: "inspect" }>,
  inspecting: Inspecting | undefined,
  check: (root: string) => void,
  { send, signal }: Reply,
): Promise<void> {
  if (!inspecting) throw new UserError("Models are not inspected here.");
  if (!inspecting.trusted())
    throw new UserError(
      "Models are run in a trusted workspace only: choose Manage Workspace Trust and trust this one.",
    );
  const answer = await inspecting.inspector.ask(inspection, checked(inspection, params, check), {
    signal,
    onNews: (news) => send({ type: "inspectionNews", id, news }),
  });
  send({ type: "inspected", id, answer });
}

function checked<I extends Inspection>(
  inspection: I,
  given: unknown,
  check: (root: string) => void,
): InspectionParams<I> {
  const { success, data, error } = inspections[inspection].params.safeParse(given);
  if (!success) {
    const [issue] = error.issues;
    throw new UserError(`${inspection}: ${issue?.path.join(".")} ${issue?.message}`);
  }
  check(data.model.root);
  if ("other" in data) check(data.other.root);
  return data as InspectionParams<I>;
}
