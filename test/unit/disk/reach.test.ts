import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openRegular, openRegularSync, readBounded, statsOf } from "../../../server/disk/open.ts";
import { assertInReach, assertInReachSync, limitReach, OutOfReachError } from "../../../server/disk/reach.ts";

let folder: string;
let workspace: string;
beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), "btx-reach-")));
  workspace = join(folder, "workspace");
  mkdirSync(join(workspace, "sub"), { recursive: true });
  mkdirSync(join(folder, "workspace-2"));
  writeFileSync(join(workspace, "sub", "a.txt"), "a");
  writeFileSync(join(folder, "b.txt"), "b");
  limitReach(() => [workspace]);
});
afterEach(() => {
  limitReach(() => undefined);
  rmSync(folder, { recursive: true });
});

async function isInReach(path: string): Promise<boolean> {
  const kept = (error: unknown): boolean => {
    if (error instanceof OutOfReachError) return false;
    throw error;
  };
  const later = await assertInReach(path).then(() => true, kept);
  let now = true;
  try {
    assertInReachSync(path);
  } catch (error) {
    now = kept(error);
  }
  expect(now).toBe(later);
  return now;
}

test("paths in the folders are in reach, whether they exist or not, and others are not", async () => {
  for (const path of ["", "sub/a.txt", "missing/deep/x", "sub/../sub", "..a"])
    expect(await isInReach(join(workspace, path))).toBe(true);
  for (const path of ["/", "/etc/passwd", folder, `${workspace}-2`, join(workspace, ".."), join(workspace, "../b.txt")])
    expect(await isInReach(path)).toBe(false);
});

test("a link that leads out of the folders is out of reach, also a broken one and what is behind it", async () => {
  symlinkSync(folder, join(workspace, "up"));
  symlinkSync(join(folder, "b.txt"), join(workspace, "b"));
  symlinkSync(join(folder, "missing"), join(workspace, "broken"));
  symlinkSync("broken", join(workspace, "chain"));
  symlinkSync("loop", join(workspace, "loop"));
  symlinkSync("sub", join(workspace, "inside"));
  for (const path of ["up", "up/b.txt", "up/missing/x", "b", "broken", "chain"])
    expect(await isInReach(join(workspace, path))).toBe(false);
  for (const path of ["inside/a.txt", "up/workspace/sub", "loop"])
    expect(await isInReach(join(workspace, path))).toBe(true);
});

test("a workspace that is a link is itself and what it leads to", async () => {
  symlinkSync(workspace, join(folder, "alias"));
  limitReach(() => [join(folder, "alias")]);
  expect(await isInReach(join(folder, "alias", "sub", "a.txt"))).toBe(true);
  expect(await isInReach(join(workspace, "sub"))).toBe(true);
  expect(await isInReach(join(folder, "b.txt"))).toBe(false);
});

test("nothing out of reach is opened or looked at, until all is in reach", async () => {
  const outside = join(folder, "b.txt");
  await expect(openRegular(outside)).rejects.toThrow(OutOfReachError);
  await expect(readBounded(outside, 10)).rejects.toThrow(OutOfReachError);
  await expect(statsOf(outside)).rejects.toThrow(OutOfReachError);
  expect(() => openRegularSync(outside)).toThrow(OutOfReachError);
  expect(() => openRegularSync(outside)).toThrow(
    `${outside} is outside the workspace: it is checked once the workspace is trusted`,
  );
  limitReach(() => undefined);
  expect((await readBounded(outside, 10)).toString()).toBe("b");
  expect((await statsOf(outside))?.size).toBe(1);
});
