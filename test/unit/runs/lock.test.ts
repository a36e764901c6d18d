import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { describe, expect, it, onTestFinished } from "vitest";
import { writeFileAtomic } from "../../../server/disk/atomic.ts";
import { TakenOver } from "../../../server/disk/fence.ts";
import { acquireLock, LockedError, lockHolder } from "../../../server/runs/lock.ts";
import { isRunning, processSpace, processStart } from "../../../server/runs/process.ts";
import { childScript } from "./children.ts";
import { temporaryFolder } from "./folder.ts";

const contender = childScript(new URL("contender.ts", import.meta.url));
const increment = childScript(new URL("increment.ts", import.meta.url));
const linux = process.platform === "linux";

interface Contender {
  child: ChildProcess;
  lines: AsyncIterator<string>;
}

async function startContender(folder: string): Promise<Contender> {
  const child = spawn(process.execPath, [contender, folder], { stdio: ["pipe", "pipe", "inherit"] });
  onTestFinished(() => void child.kill("SIGKILL"));
  const lines = createInterface(child.stdout!)[Symbol.asyncIterator]();
  expect((await lines.next()).value).toBe("ready");
  return { child, lines };
}

/** Processes that go for the lock at the same moment, and what each says of it. */
async function contend(folder: string, count: number): Promise<{ child: ChildProcess; outcome: string }[]> {
  const contenders = await Promise.all(Array.from({ length: count }, () => startContender(folder)));
  for (const { child } of contenders) child.stdin!.write("go\n");
  return Promise.all(contenders.map(async ({ child, lines }) => ({ child, outcome: (await lines.next()).value })));
}

const refused = /^UserError: stage "seed" is being run by process \d+ on .+: wait for it, or stop it with `btx stop`$/;

describe("acquireLock", () => {
  it("lets exactly one of twenty processes have it, fresh or after a holder that was killed", async () => {
    const folder = temporaryFolder();
    for (const count of [20, 6]) {
      const contenders = await contend(folder, count);
      const winners = contenders.filter(({ outcome }) => outcome === "held");
      expect(winners).toHaveLength(1);
      for (const { outcome } of contenders) if (outcome !== "held") expect(outcome).toMatch(refused);
      expect(lockHolder(folder)).toMatchObject({ pid: winners[0]!.child.pid, runner: process.pid, host: hostname() });
      expect(readdirSync(folder)).toHaveLength(1);
      const ended = contenders.map(({ child }) => once(child, "exit"));
      for (const { child } of contenders) child.kill("SIGKILL");
      await Promise.all(ended);
      expect(lockHolder(folder)).toBeUndefined();
    }
  });

  it("has one holder at a time through releases and retakes by several processes", async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, "counter"), "0");
    const codes = await Promise.all(
      Array.from({ length: 3 }, async () => {
        const child = spawn(process.execPath, [increment, folder, "40"], { stdio: "inherit" });
        return (await once(child, "exit"))[0];
      }),
    );
    expect(codes).toEqual([0, 0, 0]);
    expect(readFileSync(join(folder, "counter"), "utf8")).toBe("120");
    expect(readdirSync(folder)).toHaveLength(2);
  });

  it("refuses while it is held, names the holder, and goes to the next after release", () => {
    const folder = join(temporaryFolder(), "stages", "a");
    const lock = acquireLock(folder, "stage a");
    expect(lockHolder(folder)?.pid).toBe(process.pid);
    expect(() => acquireLock(folder, "stage a")).toThrow(
      `stage a is being run by process ${process.pid} on ${hostname()}: wait for it`,
    );
    lock.check();
    lock.release();
    lock.release();
    expect(lockHolder(folder)).toBeUndefined();
    const next = acquireLock(folder, "stage a");
    expect(readdirSync(folder)).toEqual(["lock.2"]);
    next.release();
  });

  it.runIf(linux)("takes over from a process whose id another process has now", () => {
    const folder = temporaryFolder();
    const holder = { pid: process.pid, start: "1", host: hostname(), space: processSpace };
    writeFileSync(join(folder, "lock.7"), JSON.stringify(holder));
    expect(lockHolder(folder)).toBeUndefined();
    acquireLock(folder, "stage a").release();
    expect(readdirSync(folder)).toEqual(["lock.8"]);
    writeFileSync(join(folder, "lock.9"), JSON.stringify({ ...holder, start: processStart(process.pid) }));
    expect(() => acquireLock(folder, "stage a")).toThrow(/is being run by process/);
  });

  it("believes a holder on another machine for a minute after it last touched its file", () => {
    const folder = temporaryFolder();
    const path = join(folder, "lock.1");
    writeFileSync(path, JSON.stringify({ pid: 1, host: "elsewhere", space: "elsewhere boot" }));
    expect(lockHolder(folder)?.host).toBe("elsewhere");
    expect(() => acquireLock(folder, "stage a")).toThrow(
      /^stage a is being run by process 1 on elsewhere, which last showed that it lives \d seconds ago: stop it with `btx stop`; if it is gone, try again in [56]\d seconds, or take the run over now with `btx resume --take-over`$/,
    );
    const longAgo = new Date(Date.now() - 61_000);
    utimesSync(path, longAgo, longAgo);
    expect(lockHolder(folder)).toBeUndefined();
    acquireLock(folder, "stage a").release();
  });

  it("touches its file, and tells when it was taken over", () => {
    const folder = temporaryFolder();
    const lock = acquireLock(folder, "stage a");
    const path = join(folder, "lock.1");
    const content = readFileSync(path, "utf8");
    const longAgo = new Date(Date.now() - 300_000);
    utimesSync(path, longAgo, longAgo);
    lock.refresh();
    expect(statSync(path).mtimeMs).toBeGreaterThan(longAgo.getTime() + 1000);
    expect(readFileSync(path, "utf8")).toBe(content);
    writeFileSync(join(folder, "lock.2"), JSON.stringify({ pid: 1, host: "elsewhere", space: "elsewhere" }));
    expect(() => lock.check()).toThrow(
      "stage a was taken over by process 1 on elsewhere, because this process did not respond for a minute: this one stops, and nothing that it did since is kept",
    );
    expect(() => lock.check()).toThrow(TakenOver);
    lock.release();
    expect(lockHolder(folder)?.host).toBe("elsewhere");
  });

  it("is taken at once from a process on another machine, but not from one of this machine, when told to", () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, "lock.1"), JSON.stringify({ pid: 1, host: "elsewhere", space: "elsewhere boot" }));
    const lock = acquireLock(folder, "stage a", { takeOver: true });
    expect(lockHolder(folder)?.pid).toBe(process.pid);
    expect(() => acquireLock(folder, "stage a", { takeOver: true })).toThrow(LockedError);
    lock.release();
  });

  it("is taken over, and its folder not moved, where its file is gone and a newer one is not listed yet", () => {
    const folder = temporaryFolder();
    const lock = acquireLock(folder, "stage a");
    rmSync(join(folder, "lock.1"));
    expect(() => lock.check()).toThrow(/^stage a was taken over by another process, because/);
    lock.release();
  });

  it("says where its folder was when that has been removed or moved", async () => {
    const folder = join(temporaryFolder(), "a");
    const lock = acquireLock(folder, "stage a");
    renameSync(folder, `${folder}-moved`);
    expect(() => lock.check()).toThrow(
      `${folder} was removed or moved while stage a was running: put it back, then continue with \`btx resume\``,
    );
    await expect(writeFileAtomic(join(folder, "file"), "text")).rejects.toThrow(/removed or moved/);
    lock.release();
  });

  it("takes a lock file that a power failure emptied or broke for released", () => {
    const folder = temporaryFolder();
    for (const [n, text] of ["", "{", "null", '{"pid":"x"}'].entries()) {
      writeFileSync(join(folder, `lock.${n * 2 + 1}`), text);
      expect(lockHolder(folder)).toBeUndefined();
      acquireLock(folder, "stage a").release();
    }
    for (const stranger of ["lock.x", "lock.007", "lock.", "lock.json"]) writeFileSync(join(folder, stranger), "");
    acquireLock(folder, "stage a").release();
    expect(readdirSync(folder)).toContain("lock.9");
  });
});

describe("isRunning", () => {
  it("knows this process, and one that has ended", async () => {
    expect(isRunning(process.pid)).toBe(true);
    expect(isRunning(process.pid, processStart(process.pid))).toBe(true);
    const child = spawn(process.execPath, ["-e", ""]);
    await once(child, "exit");
    expect(isRunning(child.pid!)).toBe(false);
  });

  it.runIf(linux)("does not take a dead process that nobody has collected for a running one", async () => {
    // The shell starts a process that ends at once and does not wait for it.
    const shell = spawn("bash", ["-c", "sleep 0.01 & echo $!; exec sleep 60"], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    onTestFinished(() => void shell.kill("SIGKILL"));
    const [line] = (await once(createInterface(shell.stdout), "line")) as [string];
    const pid = Number(line);
    await expect.poll(() => readFileSync(`/proc/${pid}/stat`, "utf8")).toContain(") Z ");
    expect(isRunning(pid)).toBe(false);
  });
});
