import { StopRequested } from "../protocol/errors.ts";
import { bytes, percent } from "../protocol/format.ts";
import type { VerifyEvent } from "../protocol/verify.ts";
import { clean } from "../terminal/ansi.ts";
import { verifyRun } from "../verify/verify.ts";
import { exitStatus, namedRun, parse, printJson } from "./command.ts";

/** Shortest time between two reports of progress, ms. */
const progressGap = 250;

/** `btx verify [RUN]`: reads all files of a run and compares them with what was written. */
export async function verify(args: string[]): Promise<number> {
  const { values, positionals } = parse(args, { json: { type: "boolean" }, in: { type: "string" } });
  const { root, run } = await namedRun(positionals[0], values.in);
  const cancel = new AbortController();
  const interrupt = () => cancel.abort(new StopRequested());
  process.on("SIGINT", interrupt);
  process.on("SIGTERM", interrupt);
  const json = values.json === true;
  const line = progressLine(json);
  try {
    const verified = await verifyRun(root, run.record.id, { signal: cancel.signal, onProgress: line.show });
    line.end();
    if (json) printJson({ event: "result", ...verified } satisfies VerifyEvent);
    else {
      const { problems, unchecked, files } = verified;
      for (const { message } of problems) process.stdout.write(`${clean(message)}\n`);
      for (const sentence of unchecked) process.stdout.write(`not checked: ${clean(sentence)}\n`);
      const found =
        problems.length === 0 ? "no problem" : `${problems.length} problem${problems.length > 1 ? "s" : ""}`;
      process.stdout.write(`run ${run.record.id}: ${files} files, ${bytes(verified.bytes)}: ${found}\n`);
    }
    return verified.problems.length === 0 ? exitStatus.done : exitStatus.failed;
  } catch (error) {
    line.end();
    if (error instanceof StopRequested) return exitStatus.stopped;
    throw error;
  } finally {
    process.off("SIGINT", interrupt);
    process.off("SIGTERM", interrupt);
  }
}

/** Progress as JSON lines, or as a line of the terminal that is written over; nothing where there is no terminal. */
function progressLine(json: boolean) {
  const stream = process.stderr;
  let last = performance.now();
  let shown = false;
  return {
    show(done: number, total: number, stage: string): void {
      if (performance.now() - last < progressGap || (!json && !stream.isTTY)) return;
      last = performance.now();
      if (json) printJson({ event: "progress", stage, done, total } satisfies VerifyEvent);
      else stream.write(`\r\u001b[2K${percent(total === 0 ? 1 : done / total)} ${clean(stage)}`);
      shown = !json;
    },
    end(): void {
      if (shown) stream.write("\r\u001b[2K");
      shown = false;
    },
  };
}
