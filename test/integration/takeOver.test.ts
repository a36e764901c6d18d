import { existsSync, readdirSync, readFileSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { describe, expect, it, onTestFinished } from "vitest";
import { runPaths, stagePaths } from "../../server/runs/layout.ts";
import { randomNumbers } from "../fixtures/run.ts";
import { type Btx, btx, said, startBtx } from "./btx.ts";
import { newestRun, readMetrics, readRunRecord, runBits } from "./results.ts";
import { finishedExperiment, tinyExperiment } from "./scratch.ts";

/** Take-overs of a run by another machine while its processes stand still. More of them by `BTX_TAKE_OVERS`. */
const times = Number(process.env.BTX_TAKE_OVERS ?? 4);

const preload = fileURLToPath(new URL("otherHost.mjs", import.meta.url));
/** Environment of a command that runs on a machine of this name, and saves after every step. */
const on = (host: string) => ({
  BTX_CHECKPOINT_SECONDS: "0",
  BTX_TEST_HOST: host,
  NODE_OPTIONS: `--import=${preload}`,
});

/** Lets all locks of a run look as if nobody had touched them for two minutes. */
function age(root: string, id: string): void {
  const long = new Date(Date.now() - 120_000);
  const folders = readRunRecord(root, id).stages.map(({ key }) => stagePaths(root, key).folder);
  for (const folder of [runPaths(root, id).folder, ...folders].filter((folder) => existsSync(folder))) {
    for (const name of readdirSync(folder, { encoding: "utf8" }).filter((name) => /^lock\.\d+$/.test(name)))
      utimesSync(join(folder, name), long, long);
  }
}

function started(args: string[], host: string, cwd: string): Btx {
  const command = startBtx([...args, "--json"], { env: on(host), cwd });
  onTestFinished(() => command.signalAll("SIGKILL"));
  return command;
}

const takenOver =
  /was taken over by (process \d+ on host-\d+|another process), because this process did not respond for a minute: this one stops/;

describe.skipIf(process.platform === "win32")("a run that another machine takes over", () => {
  it(`ends with the same bits, and no step twice, after ${times} take-overs at random moments`, async () => {
    const expected = finishedExperiment();
    const bits = runBits(expected.root, newestRun(expected.root));
    const random = randomNumbers(40);
    for (let count = 0; count < times; ) {
      const { file, folder, root } = tinyExperiment({ compare: undefined });
      let current = started(["run", file], "host-0", folder);
      await current.line(({ event }) => event === "run");
      const id = newestRun(root);
      const losers: Btx[] = [];
      while (count < times) {
        await setTimeout(random() * 2500);
        if (current.process.exitCode !== null) break;
        current.signalAll("SIGSTOP");
        age(root, id);
        losers.push(current);
        const next = started(["resume"], `host-${++count}`, folder);
        await Promise.race([next.line(({ event }) => event === "run"), next.ended]);
        await setTimeout(random() * 1500);
        current.signalAll("SIGCONT");
        current = next;
      }
      const last = await current.ended;
      expect(last.code, said(last)).toBe(0);
      for (const loser of losers) {
        const { code, stdout, stderr } = await loser.ended;
        expect(stderr).not.toMatch(/^ +at /m);
        // One that had done all its work ends as it would have.
        if (code !== 0) expect(stdout + stderr).toMatch(takenOver);
      }
      for (const [stage, found] of Object.entries(runBits(root, id))) expect(found, stage).toEqual(bits[stage]);
      for (const { key } of readRunRecord(root, id).stages) {
        const steps = readMetrics(root, key).map(({ step }) => step);
        expect(steps).toEqual(steps.map((_, i) => i + 1));
      }
      const left = readdirSync(root, { recursive: true, encoding: "utf8" }).filter((name) => name.includes(".tmp-"));
      expect(left).toEqual([]);
    }
  });

  it("says when it can be taken over, asks before it is, and does so at once", async () => {
    const { file, folder, root } = tinyExperiment({ compare: undefined });
    const command = started(["run", file], "host-0", folder);
    await command.line(({ event }) => event === "stage");
    const id = newestRun(root);
    command.signalAll("SIGKILL");
    await command.ended;
    const refused = await btx(["resume"], { env: on("host-1"), cwd: folder });
    expect(refused.code, said(refused)).toBe(1);
    expect(refused.stderr).toMatch(
      /^btx: run \S+ is being run by process \d+ on host-0, which last showed that it lives \d+ seconds ago: stop it with `btx stop`; if it is gone, try again in \d+ seconds, or take the run over now with `btx resume --take-over`\n$/,
    );
    const unasked = await btx(["resume", "--take-over"], { env: on("host-1"), cwd: folder });
    expect(unasked.code, said(unasked)).toBe(2);
    expect(unasked.stderr).toMatch(
      /^btx: --take-over asks before it takes run \S+ from process \d+ on host-0: add --yes/,
    );
    age(root, id);
    const resumed = await btx(["resume", "--take-over", "--yes"], { env: on("host-1"), cwd: folder });
    expect(resumed.code, said(resumed)).toBe(0);
    expect(JSON.parse(readFileSync(runPaths(root, id).record, "utf8")).status).toBe("done");
  });
});
