import { describe, expect, it } from "vitest";
import type { RunEvent } from "../../../server/protocol/run.ts";
import { styles, width } from "../../../server/terminal/ansi.ts";
import { barLine } from "../../../server/terminal/bars.ts";
import { createProgress } from "../../../server/terminal/progress.ts";
import { Screen } from "./screen.ts";

const RUN: RunEvent = { event: "run", run: "r1", folder: "/tmp/r1", stages: ["seed", "expert:code", "expert:math"] };
const stage = (name: string, status: string, rest: { reused?: boolean; error?: string } = {}): RunEvent => ({
  event: "stage",
  stage: name,
  status,
  key: "0".repeat(16),
  reused: false,
  ...rest,
});
const step = (name: string, at: number, steps = 100): RunEvent => ({
  event: "progress",
  stage: name,
  step: at,
  steps,
  tokens: at * 1024,
  tokensPerSecond: 3400,
  loss: 3 - at / 100,
  secondsLeft: steps - at,
});

/** Progress on a screen with a clock that the test moves. */
function board({ tty = true, columns = 100, rows = 24, color = false } = {}) {
  const screen = new Screen(columns, rows);
  const clock = { ms: 0 };
  const progress = createProgress(screen, { tty, color, now: () => clock.ms });
  const send = (...events: RunEvent[]) => {
    for (const event of events) {
      clock.ms += 1000;
      progress.event(event);
    }
  };
  return { screen, clock, progress, send };
}

describe("progress on a terminal", () => {
  it("redraws one bar a running stage in place", () => {
    const { screen, progress, send } = board();
    send(RUN, stage("expert:code", "running"), stage("expert:math", "running"));
    for (let at = 1; at <= 50; at++) send(step("expert:code", at), step("expert:math", at * 2));
    expect(screen.shown().length).toBe(3);
    expect(screen.shown()[1]).toMatch(/^expert:code +━+┄+ +50 % +loss +2\.500 +3\.4k tokens\/s +50\.0 s left$/);
    expect(screen.shown()[2]).toMatch(/^expert:math +━+ +100 % +loss +2\.000/);
    progress.close();
  });

  it("lets a finished stage scroll up as one line with its time and last loss", () => {
    const { screen, progress, send } = board();
    send(RUN, stage("seed", "running"), step("seed", 100), stage("seed", "done"), stage("expert:code", "running"));
    expect(screen.shown().slice(1)).toEqual([
      expect.stringMatching(/^✓ seed +2\.0 s {2}loss 2\.000$/),
      expect.stringMatching(/^expert:code +┄+ +0 %$/),
    ]);
    progress.close();
    expect(screen.shown().length).toBe(2);
  });

  it("says that a stage was reused, failed with its reason, or was stopped", () => {
    const { screen, progress, send } = board();
    send(RUN, stage("seed", "done", { reused: true }), stage("expert:code", "running"));
    send(
      stage("expert:code", "failed", { error: "The disk is full.\nFree some space." }),
      stage("expert:math", "stopped"),
    );
    expect(screen.shown().slice(1)).toEqual([
      expect.stringMatching(/^↺ seed +reused$/),
      expect.stringMatching(/^✗ expert:code +1\.0 s +failed: The disk is full\.$/),
      "    Free some space.",
      expect.stringMatching(/^■ expert:math +stopped$/),
    ]);
    progress.close();
  });

  it("leaves no remains of old bars when the terminal becomes narrower or wider", () => {
    const { screen, progress, send } = board();
    send(
      RUN,
      stage("expert:code", "running"),
      stage("expert:math", "running"),
      step("expert:code", 10),
      step("expert:math", 10),
    );
    for (const columns of [40, 25, 12, 60, 100]) {
      screen.resize(columns);
      const bars = screen.shown().filter((line) => /%$|left$|loss/.test(line));
      expect(bars.length).toBe(2);
      for (const line of bars) expect(width(line)).toBeLessThan(columns);
    }
    progress.close();
    expect(screen.shown().some((line) => line.includes("%"))).toBe(false);
  });

  it("takes a terminal that says it has no columns for one of 80", () => {
    const screen = new Screen(0, 0);
    const progress = createProgress(screen, { tty: true, color: false, now: () => 0 });
    progress.event(stage("seed", "running"));
    progress.event(stage("expert:code", "running"));
    expect(screen.output).toContain("\nexpert:code  ┄");
    progress.close();
  });

  it("never draws more lines than the screen has", () => {
    const { screen, progress, send } = board({ rows: 6 });
    const names = Array.from({ length: 9 }, (_, index) => `expert:${index}`);
    send(...names.map((name) => stage(name, "running")), ...names.map((name) => step(name, 10)));
    expect(screen.shown().length).toBe(4);
    expect(screen.shown().at(-1)).toBe("and 6 more");
    progress.close();
  });

  it("hides the cursor while bars are drawn and shows it again, also when the process exits in between", () => {
    const before = process.listenerCount("exit");
    const { screen, progress, send } = board();
    send(RUN, stage("seed", "running"));
    expect(screen.cursorVisible).toBe(false);
    expect(process.listenerCount("exit")).toBe(before + 1);
    progress.close();
    progress.close();
    expect(screen.cursorVisible).toBe(true);
    expect(process.listenerCount("exit")).toBe(before);
    expect(screen.listenerCount("resize")).toBe(0);
  });

  it("draws a burst of events once a frame, not once an event", () => {
    const { screen, clock, progress, send } = board();
    send(RUN, stage("seed", "running"));
    const before = screen.output.length;
    clock.ms += 1000;
    for (let at = 1; at <= 50; at++) progress.event(step("seed", at));
    expect((screen.output.slice(before).match(/loss/g) ?? []).length).toBe(1);
    progress.close();
  });

  it("keeps messages above the bars", () => {
    const { screen, progress, send } = board();
    send(RUN, stage("seed", "running"), { event: "message", text: "stopping after a checkpoint\nplease wait" });
    expect(screen.shown().slice(1)).toEqual([
      "stopping after a checkpoint",
      "please wait",
      expect.stringMatching(/^seed/),
    ]);
    progress.close();
  });

  it("lets no control character of a name, a message or an error reach the terminal", () => {
    const { screen, progress, send } = board();
    const evil = "\u001b[2J\u001b]0;x\u0007";
    send(
      RUN,
      stage(evil, "running"),
      step(evil, 5),
      { event: "message", text: evil },
      stage(evil, "failed", { error: evil }),
    );
    expect(screen.shown().join("")).toContain("␛[2J␛]0;x␇");
    expect(screen.output).not.toContain("\u001b[2J");
    expect(screen.output).not.toContain("\u0007");
    progress.close();
  });
});

describe("barLine", () => {
  const progress = {
    stage: "expert:typescript",
    step: 42,
    steps: 100,
    loss: 2.5,
    tokensPerSecond: 3400,
    secondsLeft: 65,
  };

  it("fits every width and keeps the percentage longest", () => {
    for (let columns = 4; columns <= 130; columns++) {
      const line = barLine(progress, 17, columns, styles(false));
      expect(width(line)).toBeLessThanOrEqual(columns);
      expect(line).toContain("42 %");
    }
    expect(barLine(progress, 17, 100, styles(false))).toContain("1m 05s left");
    expect(barLine(progress, 17, 40, styles(false))).toContain("loss");
  });

  it("gives a stage before its first step a bar as long as that of the others", () => {
    const bar = (line: string) => line.match(/[━┄]+/)?.[0].length;
    for (const columns of [60, 80, 120]) {
      const line = barLine({ stage: "mix" }, 17, columns, styles(false));
      expect(bar(line)).toBe(bar(barLine(progress, 17, columns, styles(false))));
    }
  });

  it("is as wide with colour as without", () => {
    expect(width(barLine(progress, 17, 90, styles(true)))).toBe(width(barLine(progress, 17, 90, styles(false))));
  });

  it("shows no more than all and no less than nothing", () => {
    expect(barLine({ ...progress, step: 120 }, 17, 90, styles(false))).toContain("100 %");
    expect(barLine({ stage: "mix" }, 17, 90, styles(false))).toMatch(/0 %$/);
    expect(barLine({ ...progress, step: 999, steps: 1000 }, 17, 90, styles(false))).toContain("99 %");
  });
});

describe("progress where there is no terminal", () => {
  it("writes plain lines without any escape sequence", () => {
    const { screen, send } = board({ tty: false });
    send(RUN, stage("seed", "running"), step("seed", 50), stage("seed", "done"));
    expect(screen.output).toBe("Run r1, 3 stages, /tmp/r1\nseed: started\n✓ seed  2.0 s  loss 2.500\n");
  });

  it("writes a line for a stage at most every ten seconds, and then only for a tenth of the work or after a minute", () => {
    const { screen, clock, progress } = board({ tty: false });
    progress.event(stage("seed", "running"));
    const lines = () => screen.output.split("\n").filter((line) => line.includes("%"));
    const at = (ms: number, done: number) => {
      clock.ms = ms;
      progress.event(step("seed", done, 1000));
      return lines().length;
    };
    expect(at(5_000, 500)).toBe(0);
    expect(at(10_000, 501)).toBe(1);
    expect(at(19_000, 900)).toBe(1);
    expect(at(21_000, 550)).toBe(1);
    expect(at(69_000, 560)).toBe(1);
    expect(at(71_000, 561)).toBe(2);
    expect(lines()[1]).toBe("seed: 56 %, loss -2.610, 3.4k tokens/s, 7m 19s left");
  });
});
