import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestProject } from "vitest/node";
import { writeExperiment } from "../fixtures/experiment.ts";
import { btx, node, said } from "./btx.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** Folder of a finished tiny experiment, and why it could not be finished. */
    finished: { folder: string; error?: string };
  }
}

/** Once before all integration tests: builds the command and runs the tiny experiment, undisturbed. */
export default async function setup(project: TestProject): Promise<() => void> {
  const { status, stderr } = spawnSync(node, ["esbuild.mjs"], {
    cwd: new URL("../..", import.meta.url),
    encoding: "utf8",
  });
  if (status !== 0) throw new Error(`esbuild.mjs failed:\n${stderr}`);
  const folder = mkdtempSync(join(tmpdir(), "btx-finished-"));
  const { file } = writeExperiment(folder);
  const ended = await btx(["run", file, "--json"]);
  project.provide("finished", ended.code === 0 ? { folder } : { folder, error: `btx run failed:\n${said(ended)}` });
  return () => rmSync(folder, { recursive: true, force: true });
}
