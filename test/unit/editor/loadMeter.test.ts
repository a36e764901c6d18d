import { describe, expect, it } from "vitest";
import { LoadMeter, type Machine } from "../../../server/editor/loadMeter.ts";
import type { ListedRun, ListedStage } from "../../../server/protocol/editor.ts";

const run: ListedRun = {
  root: "/a/.btx",
  run: "r",
  name: "tiny",
  file: "/a/tiny.btx.yaml",
  state: "running",
  created: "2026-01-01T00:00:00.000Z",
};
const stage = (name: string, change: Partial<ListedStage> = {}): ListedStage => ({
  name,
  kind: "expert",
  key: "0".repeat(16),
  folder: "/a/.btx/stages/0",
  state: "running",
  reused: false,
  work: 1,
  checkpoints: [],
  experts: [],
  pid: 7,
  threads: 2,
  ...change,
});

/** A machine of which a test says how far it is. */
function machine() {
  const at = { idle: 0, all: 0, seconds: 0, now: 0 };
  const fake: Machine = {
    times: () => ({ idle: at.idle, all: at.all }),
    use: (pid) => (pid === 7 ? { seconds: at.seconds, memory: 1e6 } : undefined),
    now: () => at.now,
  };
  return { at, meter: new LoadMeter(fake) };
}

describe("the load of a machine", () => {
  it("is what was used between two looks", () => {
    const { at, meter } = machine();
    const first = meter.measure([{ run, stages: [stage("expert:code")] }]);
    expect(first.busy).toBeUndefined();
    expect(first.stages[0]).toMatchObject({ stage: "expert:code", experiment: "tiny", pid: 7, memory: 1e6 });
    expect(first.stages[0]!.cores).toBeUndefined();
    Object.assign(at, { idle: 1000, all: 4000, seconds: 3, now: 2000 });
    const second = meter.measure([{ run, stages: [stage("expert:code")] }]);
    expect(second.busy).toBe(0.75);
    // Three seconds of processor time in two seconds.
    expect(second.stages[0]!.cores).toBe(1.5);
  });

  it("counts stages that run, each once, and of other machines only where they are", () => {
    const { meter } = machine();
    const stages = [stage("a"), stage("b", { state: "done" }), stage("c", { host: "elsewhere", pid: 7 })];
    const { stages: found } = meter.measure([
      { run, stages },
      { run: { ...run, run: "s" }, stages: [stage("a")] },
    ]);
    expect(found.map(({ stage: name, host, memory }) => [name, host, memory])).toEqual([
      ["a", undefined, 1e6],
      ["c", "elsewhere", undefined],
    ]);
  });

  it("is told of this process by this machine", { skip: process.platform !== "linux" }, () => {
    const { stages, memory, freeMemory } = new LoadMeter().measure([
      { run, stages: [stage("a", { pid: process.pid })] },
    ]);
    expect(stages[0]!.memory).toBeGreaterThan(1e7);
    expect(freeMemory).toBeLessThan(memory);
  });
});
