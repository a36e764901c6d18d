import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { UserError } from "../../server/protocol/errors.ts";
import { type RunSummary, runEventSchema, runSummarySchema } from "../../server/protocol/run.ts";

/** One experiment with one random seed. */
export interface Job {
  name: string;
  file: string;
  randomSeed: number;
  cores: number;
  /** Only this stage and what it needs. */
  stage?: string;
}

const btx = fileURLToPath(new URL("../btx.js", import.meta.url));

/**
 * Runs jobs with `btx run`, as many at once as have room on `cores`, in order. What was done before is reused, so a
 * queue that was stopped goes on.
 * @throws UserError with the words of the first run that fails; the others are stopped after a checkpoint.
 */
export async function runJobs(
  jobs: readonly Job[],
  cores: number,
  onDone: (job: Job, summary: RunSummary, seconds: number) => void,
): Promise<Map<Job, RunSummary>> {
  const summaries = new Map<Job, RunSummary>();
  const children = new Set<ChildProcess>();
  const waiting = [...jobs];
  let free = cores;
  const work = async (job: Job): Promise<void> => {
    const started = performance.now();
    const args = ["run", job.file, "--random-seed", String(job.randomSeed), "--cores", String(job.cores), "--json"];
    if (job.stage) args.push("--stage", job.stage);
    const child = spawn(process.execPath, [btx, ...args], { stdio: ["ignore", "pipe", "pipe"] });
    children.add(child);
    const summary = await lastLine(child).finally(() => children.delete(child));
    summaries.set(job, summary);
    onDone(job, summary, (performance.now() - started) / 1000);
  };
  const running = new Set<Promise<void>>();
  try {
    while (waiting.length > 0 || running.size > 0) {
      while (waiting[0] && (waiting[0].cores <= free || running.size === 0)) {
        const job = waiting.shift()!;
        free -= job.cores;
        const promise = work(job).finally(() => {
          free += job.cores;
          running.delete(promise);
        });
        running.add(promise);
      }
      await Promise.race(running);
    }
  } catch (error) {
    for (const child of children) child.kill("SIGTERM");
    await Promise.allSettled(running);
    throw error;
  }
  return summaries;
}

/** The summary that ends the output of `btx run --json`. */
function lastLine(child: ChildProcess): Promise<RunSummary> {
  let rest = "";
  let last = "";
  let failure: string | undefined;
  let said = "";
  child.stdout!.setEncoding("utf8").on("data", (text: string) => {
    const lines = (rest + text).split("\n");
    rest = lines.pop()!;
    last = lines.at(-1) ?? last;
    for (const line of lines) failure = failureIn(line) ?? failure;
  });
  child.stderr!.setEncoding("utf8").on("data", (text: string) => {
    said = (said + text).slice(-4000);
  });
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => {
      if (code === 0) resolve(runSummarySchema.parse(JSON.parse(last)));
      else reject(new UserError(failure ?? (said.trim().replace(/^btx: /, "") || `btx run ended with code ${code}`)));
    });
  });
}

/** What a line of `btx run --json` says of a stage that failed. */
function failureIn(line: string): string | undefined {
  const event = runEventSchema.safeParse(JSON.parse(line)).data;
  return event?.event === "stage" && event.status === "failed" ? `stage "${event.stage}": ${event.error}` : undefined;
}
