import { rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { afterEach, describe, expect, it, vi } from "vitest";
import { Checker } from "../../../server/language/checker.ts";
import type { Ask, AskOptions } from "../../../server/language/lookups/questions.ts";
import { Snapshot } from "../../../server/language/snapshot.ts";
import { UserError } from "../../../server/protocol/errors.ts";
import { ask, folderWith, opened, soon } from "./support.ts";

const folder = folderWith({ "x.txt": "x".repeat(4000) });
const file = join(folder, "a.btx.yaml");
const valid = "domains: {a: {files: x.txt}}\nmix: {experts: [a, seed]}\n";
const version = (text: string, number: number) => new Snapshot(opened(text, file).uri, number, text);

/** A checker, and what it has published: versions with their messages. */
function checked(look: Ask = ask) {
  const published: [number, string[]][] = [];
  const checker = new Checker(
    (snapshot, problems) => published.push([snapshot.version, problems.map(({ message }) => message)]),
    look,
  );
  return { checker, published };
}

afterEach(() => void vi.useRealTimers());

describe("checking while one types", () => {
  it("finds mistakes of the text and of what it names", async () => {
    const { checker, published } = checked();
    checker.update(version("exprts: 1\n", 1), 0);
    await expect.poll(() => published.at(-1)?.[1].join(), soon).toContain("`domains` is missing");
    checker.update(version(valid.replace("x.txt", "y.txt"), 2), 0);
    await expect.poll(() => published.at(-1)?.[1].join(), soon).toContain("y.txt does not exist");
    checker.update(version(valid, 3), 0);
    await expect.poll(() => published.at(-1), soon).toEqual([3, []]);
  });

  it("checks the newest version only", async () => {
    const { checker, published } = checked();
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    for (let number = 1; number <= 20; number++) {
      checker.update(version(`${valid}# ${number}\n`, number));
      vi.advanceTimersByTime(5);
    }
    expect(published).toEqual([]);
    // The pause after the last of them, and not yet the time that a look at the disk may take.
    vi.advanceTimersByTime(200);
    vi.useRealTimers();
    await expect.poll(() => published, soon).toEqual([[20, []]]);
  });

  it("drops what it has found of a version that is gone", async () => {
    const { checker, published } = checked();
    // Fifty looks at the disk, one after the other.
    const missing = Array.from({ length: 50 }, (_, i) => `${i}.txt`).join(", ");
    checker.update(version(valid.replace("x.txt", `[${missing}]`), 1), 0);
    await setTimeout(1);
    checker.update(version(valid, 2), 0);
    await expect.poll(() => published.length, soon).toBeGreaterThan(0);
    await setTimeout(50);
    expect(published.filter(([number]) => number === 1)).toEqual([]);
  });

  it("says nothing more of a file that is closed", async () => {
    const { checker, published } = checked();
    checker.update(version(valid, 1), 10);
    checker.forget(version(valid, 1).uri);
    await setTimeout(60);
    expect(published).toEqual([]);
  });

  it("looks again when asked to, at the same text", async () => {
    const { checker, published } = checked();
    const other = folderWith({ "x.txt": "x".repeat(4000) });
    const snapshot = opened(valid, join(other, "a.btx.yaml"));
    checker.update(snapshot, 0);
    await expect.poll(() => published.length, soon).toBe(1);
    rmSync(join(other, "x.txt"));
    checker.update(snapshot, 0);
    await expect.poll(() => published.at(-1)?.[1].join(), soon).toContain("does not exist");
  });

  it("drops the lookup of a version that is gone, and of a file that is closed", async () => {
    const asked: AskOptions[] = [];
    const { checker, published } = checked((_, __, options) => {
      asked.push(options);
      return new Promise((__, reject) => options.signal?.addEventListener("abort", () => reject(new Error("dropped"))));
    });
    checker.update(version(valid, 1), 0);
    await expect.poll(() => asked.length, soon).toBe(1);
    checker.update(version(`${valid}# 2\n`, 2), 0);
    expect(asked[0]?.signal?.aborted).toBe(true);
    await expect.poll(() => asked.length, soon).toBe(2);
    checker.forget(version(valid, 2).uri);
    expect(asked[1]?.signal?.aborted).toBe(true);
    expect(asked.map(({ owner }) => owner)).toEqual([file, file]);
    expect(published).toEqual([]);
  });

  it("warns where the files that a text names could not be looked at", async () => {
    const { checker, published } = checked(() => Promise.reject(new UserError("looking took longer than 30 seconds")));
    checker.update(version(valid, 1), 0);
    await expect
      .poll(() => published.at(-1), soon)
      .toEqual([
        1,
        [
          "looking took longer than 30 seconds: name fewer files under `domains`, or check the experiment with `btx check`",
        ],
      ]);
  });

  it("shows mistakes of the text while the files that it names are looked at without end", async () => {
    const unused = valid.replace("domains:", "seed: {from: x, tokens: 1k}\ndomains:");
    const { checker, published } = checked(() => new Promise(() => {}));
    checker.update(version(unused, 1), 0);
    await expect.poll(() => published.length, soon).toBe(1);
  });
});
