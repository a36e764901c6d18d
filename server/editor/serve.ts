import type { Connection } from "vscode-languageserver/node";
import type { Inspector } from "../inspect/client.ts";
import { answersOver } from "./answers.ts";
import { serveDevices } from "./devices.ts";
import { serveInspection } from "./inspect.ts";
import { serveModels } from "./models.ts";
import { serveRemoval } from "./removal.ts";
import { serveRuns } from "./runs.ts";
import { RunWatch } from "./watch.ts";

/**
 * Answers the editor's own requests. It computes nothing and keeps no run alive.
 *
 * @returns whether the editor has said that its workspace is trusted.
 */
export function serveEditor(connection: Connection, inspector: Inspector): () => boolean {
  const answers = answersOver(connection);
  const watch = new RunWatch({
    runs: (changed) => answers.tell("btx/runsChanged", changed),
    stages: (changed) => answers.tell("btx/stagesChanged", changed),
  });
  answers.onEnd(() => watch.stop());
  serveRuns(answers, watch);
  serveRemoval(answers, watch);
  serveModels(answers);
  serveDevices(answers, watch);
  serveInspection(answers, inspector);
  return answers.trusted;
}
