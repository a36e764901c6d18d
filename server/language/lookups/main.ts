import { limitReach } from "../../disk/reach.ts";
import { UserError } from "../../protocol/errors.ts";
import { answerLookup } from "./answers.ts";
import type { Asked, FromLookup, Lookup, ToLookup } from "./questions.ts";

/**
 * A process that looks things up for the language server, `lookup.js`. `LookupProcesses` (processes.ts) talks to it
 * over IPC, with one question at a time. It ends with its parent.
 */

let folders: readonly string[] | undefined;
limitReach(() => folders);
let asked: { id: number; controller: AbortController } | undefined;

const send = (message: FromLookup): void => {
  // The parent may already have closed the channel.
  if (process.connected) process.send!(message, undefined, {}, () => {});
};

process.on("message", async (message: ToLookup) => {
  if (message.type === "cancel") {
    if (asked?.id === message.id) asked.controller.abort(new UserError("the question was dropped"));
    return;
  }
  const { id, lookup } = message;
  const controller = new AbortController();
  asked = { id, controller };
  folders = message.folders;
  try {
    send({ type: "answer", id, answer: await answerLookup(lookup, message.asked as Asked<Lookup>, controller.signal) });
  } catch (error) {
    const forUser = error instanceof UserError;
    const text = error instanceof Error ? ((forUser ? error.message : error.stack) ?? error.message) : `${error}`;
    send({ type: "failed", id, message: text, forUser });
  }
});
process.on("disconnect", () => process.exit());
process.setSourceMapsEnabled(true);
send({ type: "ready" });
