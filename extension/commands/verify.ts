import { ProgressLocation, window } from "vscode";
import type { Verified } from "../../server/protocol/verify.ts";
import type { Studio } from "../studio.ts";
import { requestId, shareReporter } from "./longRequest.ts";
import { chosenRun } from "./target.ts";

/** Reads all files of a run and compares them with what was written; problems are shown, and listed in the log. */
export async function verifyRun(studio: Studio, argument: unknown): Promise<unknown> {
  const chosen = await chosenRun(studio, argument, () => true, "There is no run yet.");
  if (!chosen) return undefined;
  const { root, run, name } = chosen;
  const id = requestId();
  const title = `Verifying ${name}`;
  const location = ProgressLocation.Notification;
  return window.withProgress({ location, title, cancellable: true }, async (progress, token) => {
    const report = shareReporter(progress);
    const listening = studio.backend.onNotification("btx/verifying", ({ id: of, stage, done, total }) => {
      if (of === id) report(total === 0 ? 0 : done / total, stage);
    });
    try {
      const verified = await studio.backend.request("btx/verifyRun", { root, run, id }, token);
      show(studio, name, verified);
      return verified;
    } catch (error) {
      if (token.isCancellationRequested) return undefined;
      throw error;
    } finally {
      listening.dispose();
    }
  });
}

function show({ backend: { log } }: Studio, name: string, { files, problems, unchecked }: Verified): void {
  for (const { message } of problems) log.error(message);
  for (const sentence of unchecked) log.warn(`not checked: ${sentence}`);
  const [first, ...others] = problems;
  const seeLog = "Show Log";
  const showLog = (choice: string | undefined): void => {
    if (choice === seeLog) log.show();
  };
  if (first) {
    const more = others.length === 0 ? "" : ` (and ${others.length} more)`;
    void window.showErrorMessage(`${first.message}${more}`, seeLog).then(showLog);
  } else if (unchecked.length > 0)
    void window
      .showWarningMessage(`${name}: no problem in ${files} files; some could not be checked.`, seeLog)
      .then(showLog);
  else void window.showInformationMessage(`${name}: no problem in ${files} files.`);
}
