import type { Connection } from "vscode-languageserver/node";
import type { Inspector } from "../inspect/client.ts";
import { type Answers, answersOver } from "./answers.ts";
import { serveDevices } from "./devices.ts";
import { serveModels } from "./models.ts";
import { serveRemoval } from "./removal.ts";
import { serveRuns } from "./runs.ts";
import { RunWatch } from "./runWatch.ts";

/**
 * Answers the editor's own requests. It computes nothing and keeps no run alive.
 *
 * @param onTrust is called when the editor says whether its workspace is trusted.
 * @returns what other parts of the backend need to know of the editor.
 */
export function serveEditor(
  connection: Connection,
  inspector: Inspector,
  onTrust: (trusted: boolean) => void,
): Pick<Answers, "trusted" | "onEnd"> {
  const answers = answersOver(connection, onTrust);
  const watch = new RunWatch({
    runs: (changed) => answers.notify("btx/runsChanged", changed),
    stages: (changed) => answers.notify("btx/stagesChanged", changed),
  });
  answers.onEnd(() => watch.stop());
  serveRuns(answers, watch);
  serveRemoval(answers, watch);
  serveModels(answers);
  serveDevices(answers, watch);
  serveInspector(answers, inspector);
  return answers;
}

/** Answers requests that run a model on a text: routing and continuation. */
function serveInspector(answers: Answers, inspector: Inspector): void {
  answers.to("btx/route", (asked, signal) => inspector.ask("route", asked, { signal }));
  answers.to("btx/sampleTokens", ({ id, ...asked }, signal) =>
    inspector.ask("sample", asked, {
      signal,
      onNews: (news) => answers.notify("btx/sampledToken", "layers" in news ? { id, axes: news } : { id, token: news }),
    }),
  );
  answers.onEnd(() => inspector.close());
}
