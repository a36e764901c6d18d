import { parentPort } from "node:worker_threads";
import { limitReach } from "../../disk/reach.ts";
import { MetricsReader } from "./reader.ts";
import type { Message, Reply } from "./requests.ts";

/** The thread that reads metrics: what takes long is done here, so that the backend's own loop stays free. */
const port = parentPort!;
const reader = new MetricsReader();

let reachable: Message["folders"];
limitReach(() => reachable);

port.on("message", async ({ id, request, folders }: Message) => {
  reachable = folders;
  const send = (reply: Reply, transferred: ArrayBuffer[] = []) => port.postMessage(reply, transferred);
  try {
    const answer = await reader.answer(request);
    send({ id, answer }, buffersOf(answer));
  } catch (error) {
    send({ id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) });
  }
});

function buffersOf(answer: unknown): ArrayBuffer[] {
  const frame = (answer as { frame?: ArrayBuffer } | undefined)?.frame;
  return frame ? [frame] : [];
}
