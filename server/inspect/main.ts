import { availableParallelism } from "node:os";
import { openEngine } from "../engine/open.ts";
import { UserError } from "../protocol/errors.ts";
import { type FromInspector, type ToInspector, toInspectorSchema } from "../protocol/inspect.ts";
import { explainDamage } from "../runs/damage.ts";
import { answer } from "./answer.ts";
import { WarmModels } from "./warmModels.ts";

/**
 * The inspector's process, `inspect.js`. `Inspector` (client.ts) talks to it over IPC. It answers one question at a
 * time, stops when a question is cancelled, and ends with its parent.
 */

const engine = await openEngine({ engine: "onnx", device: "cpu" }, { threads: availableParallelism() });
const models = new WarmModels(engine);
const working = new Map<number, AbortController>();
let last: Promise<void> = Promise.resolve();

const send = (message: FromInspector): void => {
  // The parent may already have closed the channel.
  if (process.connected) process.send!(message, undefined, {}, () => {});
};

async function work({ id, inspection, params }: Extract<ToInspector, { type: "ask" }>): Promise<void> {
  const { signal } = working.get(id)!;
  try {
    signal.throwIfAborted();
    const report = (news: unknown): void => send({ type: "news", id, news });
    send({ type: "answer", id, answer: await answer(inspection, params, { models, signal, report }) });
  } catch (thrown) {
    const error = explainDamage(thrown);
    const forUser = error instanceof UserError || signal.aborted;
    const message = error instanceof Error ? ((forUser ? error.message : error.stack) ?? error.message) : `${error}`;
    send({ type: "failed", id, message, forUser });
  } finally {
    working.delete(id);
  }
}

process.on("message", (given: unknown) => {
  const message = toInspectorSchema.parse(given);
  if (message.type === "cancel") {
    working.get(message.id)?.abort(new UserError("the inspection was cancelled"));
    return;
  }
  working.set(message.id, new AbortController());
  last = last.then(() => work(message));
});
process.on("disconnect", () => process.exit());
process.setSourceMapsEnabled(true);
