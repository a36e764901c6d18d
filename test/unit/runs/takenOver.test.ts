import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout } from "node:timers/promises";
import { expect, it, onTestFinished } from "vitest";
import { randomNumbers } from "../../fixtures/run.ts";
import { childScript } from "./children.ts";
import { temporaryFolder } from "./folder.ts";

const program = childScript(new URL("takenOver.ts", import.meta.url));

function start(folder: string, steps: number, host: string) {
  const child = spawn(process.execPath, [program, folder, String(steps), host], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  return { child, exit: once(child, "exit"), line: async () => String((await lines.next()).value) };
}

/** Lets a stopped process look as if it had been silent for two minutes. */
function age(folder: string): void {
  const long = new Date(Date.now() - 120_000);
  for (const name of readdirSync(folder)) if (/^lock\.\d+$/.test(name)) utimesSync(join(folder, name), long, long);
}

it.skipIf(process.platform === "win32")(
  "taken over forty times at random moments, work ends with the bits it would have had, and no line twice",
  async () => {
    const folder = temporaryFolder();
    const random = randomNumbers(16);
    const steps = 40_000;
    const wait = () => setTimeout(random() * 25);
    let takenOver = 0;
    let current = start(folder, steps, "host-0");
    const ended: Promise<unknown>[] = [];
    for (let n = 1; n <= 40 && !existsSync(join(folder, "result.json")); n++) {
      expect(await current.line()).toMatch(/^(held|done)/);
      await wait();
      current.child.kill("SIGSTOP");
      age(folder);
      const loser = current;
      current = start(folder, steps, `host-${n}`);
      // The loser goes on before, while, or after the other one takes the lock.
      const early = random() < 0.3;
      if (early) await wait();
      else await setTimeout(60 + random() * 60);
      loser.child.kill("SIGCONT");
      ended.push(
        loser.exit.then(async () => {
          const last = await loser.line();
          // One that went on before its lock was taken may have finished its work.
          if (last.startsWith("taken over")) takenOver++;
          expect(last).toMatch(
            /^taken over: UserError: the work was taken over by (process \d+ on host-\d+|another process), because |^done$/,
          );
        }),
      );
    }
    await current.exit;
    await Promise.all(ended);
    // The last one may have been refused, because the one before it was faster; another start ends the work.
    if (!existsSync(join(folder, "result.json"))) await start(folder, steps, "host-end").exit;
    let value = 1;
    const expected = Array.from({ length: steps }, (_, i) => {
      value = (value * 48271) % 2147483647;
      return JSON.stringify({ step: i + 1, value });
    });
    expect(readFileSync(join(folder, "lines.jsonl"), "utf8")).toBe(`${expected.join("\n")}\n`);
    expect(JSON.parse(readFileSync(join(folder, "result.json"), "utf8"))).toMatchObject({ step: steps, value });
    expect(takenOver).toBeGreaterThan(10);
    expect(readdirSync(folder).filter((name) => name.includes(".tmp-"))).toEqual([]);
  },
);
