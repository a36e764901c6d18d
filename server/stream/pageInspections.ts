import type { Inspector } from "../inspect/client.ts";
import { UserError } from "../protocol/errors.ts";
import { type Inspection, type InspectionParams, inspections } from "../protocol/inspect.ts";
import type { Question } from "../protocol/stream.ts";
import type { Reply } from "./reply.ts";

/** What inspects models for pages. */
export type PageInspector = Pick<Inspector, "ask">;

/**
 * Asks the inspector for a page.
 *
 * @param check throws a UserError for a run folder that may not be read.
 * @throws UserError when there is no inspector, the question is malformed, or the inspector refuses it.
 */
export async function answerInspection(
  { id, inspection, params }: Extract<Question, { type: "inspect" }>,
  inspector: PageInspector | undefined,
  check: (root: string) => void,
  { send, signal }: Reply,
): Promise<void> {
  if (!inspector) throw new UserError("Models are not inspected here.");
  const answer = await inspector.ask(inspection, checked(inspection, params, check), {
    signal,
    onNews: (news) => void send({ type: "inspectionNews", id, news }),
  });
  await send({ type: "inspected", id, answer });
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
