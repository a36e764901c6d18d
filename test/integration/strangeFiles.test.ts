import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, readlinkSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { CompletionRequest, DiagnosticSeverity, HoverRequest } from "vscode-languageserver/node";
import { runPaths, stagePaths } from "../../server/runs/layout.ts";
import { writeRun } from "../fixtures/runFolder.ts";
import { btx } from "./btx.ts";
import { type LanguageClient, startLanguageServer } from "./languageClient.ts";
import { scratchFolder, tinyExperiment } from "./scratch.ts";

/** Paths that lead to named pipes, devices, the kernel's files or the whole disk: nothing hangs and nothing grows. */

const soon = { timeout: 60_000 };
const linux = process.platform === "linux";

function pipe(path: string): string {
  mkdirSync(dirname(path), { recursive: true });
  expect(spawnSync("mkfifo", [path]).status).toBe(0);
  return path;
}

/** An experiment that is right but for these sections, in a folder of its own. */
function experiment(sections: Record<string, string>): string {
  return tinyExperiment(sections).file;
}

describe.skipIf(!linux)("btx check", () => {
  it("refuses a named pipe as the experiment file, tokenizer or part of a seed", async () => {
    const file = experiment({ tokenizer: "{type: file, path: pipe}" });
    pipe(join(dirname(file), "pipe"));
    expect((await btx(["check", file])).stdout).toContain("is a named pipe, but must be a regular file");
    const seeded = experiment({ seed: "{from: seed}" });
    pipe(join(dirname(seeded), "seed", "config.json"));
    expect((await btx(["check", seeded])).stdout).toContain("is a named pipe, but must be a regular file");
    const ended = await btx(["check", pipe(join(dirname(file), "b.btx.yaml"))]);
    expect(ended.code).toBe(2);
  });

  it("refuses what the kernel makes up", async () => {
    const file = experiment({ domains: "{a: {files: /proc/**}, b: {files: /sys}}" });
    const { stdout } = await btx(["check", file]);
    expect(stdout).toContain('"/proc/**" names files that the kernel makes up (proc), not text');
    expect(stdout).toContain('"/sys" names files that the kernel makes up (sysfs), not text');
  });
});

describe.skipIf(!linux)("btx list and btx status", () => {
  it("name the file of a run folder that is a named pipe or leads to a device", async () => {
    const { root, run, keyOf } = writeRun(scratchFolder());
    const cwd = dirname(root);
    const stage = stagePaths(root, keyOf("seed"));
    const message = "must be a regular file";
    const lock = pipe(join(runPaths(root, run).folder, "lock.7"));
    expect((await btx(["list"], { cwd })).stderr).toContain(`${lock} is a named pipe, but ${message}`);
    spawnSync("rm", [lock]);
    for (const path of [stage.record, stage.metrics]) {
      const text = readFileSync(path);
      spawnSync("rm", [path]);
      pipe(path);
      const { code, stdout, stderr } = await btx(["status"], { cwd });
      expect([path, code, `${stdout}${stderr}`.includes("    at ")]).toEqual([path, expect.any(Number), false]);
      spawnSync("rm", [path]);
      writeFileSync(path, text);
    }
    const record = runPaths(root, run).record;
    spawnSync("rm", [record]);
    symlinkSync("/dev/zero", record);
    expect((await btx(["list"], { cwd })).stderr).toContain(`${record} is a device, but ${message}`);
    const status = await btx(["status"], { cwd });
    expect(status.stderr).toContain(`${record} is a device, but ${message}`);
    expect(status.stderr).not.toContain("    at ");
  });
});

/** What a process has open. */
const openedBy = (pid: number): string[] =>
  readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
    try {
      return readlinkSync(`/proc/${pid}/fd/${fd}`);
    } catch {
      return [];
    }
  });

describe.skipIf(!linux)("the language server", () => {
  let client: LanguageClient;
  afterEach(async () => {
    expect(await client.stop()).toBe(0);
  });

  it("answers about other files while the worst are open, and reads none of theirs itself", async () => {
    client = await startLanguageServer();
    client.trust(true);
    const worst = [
      experiment({ domains: "{a: {files: /**}}" }),
      experiment({ domains: "{a: {files: /}}" }),
      experiment({ domains: "{a: {files: /proc/**}}" }),
      experiment({ domains: "{a: {files: /sys}}" }),
      ...Array.from({ length: 6 }, () => experiment({ tokenizer: "{type: file, path: pipe}" })),
    ];
    for (const file of worst.slice(4)) pipe(join(dirname(file), "pipe"));
    for (const file of worst) client.open(file, readFileSync(file, "utf8"));
    const good = experiment({ domains: "{code: {files: missing.txt}}" });
    const { uri } = client.open(good, readFileSync(good, "utf8"));
    const textDocument = { uri };
    const line = readFileSync(good, "utf8")
      .split("\n")
      .findIndex((text) => text.startsWith("domains"));
    for (let round = 0; round < 20; round++) {
      const hover = await client.connection.sendRequest(HoverRequest.type, {
        textDocument,
        position: { line, character: 2 },
      });
      expect(hover).not.toBeNull();
      const items = await client.connection.sendRequest(CompletionRequest.type, {
        textDocument,
        position: { line: 0, character: 0 },
      });
      expect(items).not.toBeNull();
      expect(openedBy(client.pid).filter((path) => path.endsWith("/pipe") || /^\/(sys|proc)\//.test(path))).toEqual([]);
    }
    await expect.poll(() => client.diagnostics(good)?.[0]?.message, soon).toContain("missing.txt does not exist");
    for (const file of worst.slice(4))
      await expect.poll(() => client.diagnostics(file)?.[0]?.message, soon).toContain("is a named pipe");
  });

  it("looks at nothing outside the workspace until it is trusted", async () => {
    const outside = scratchFolder();
    writeFileSync(join(outside, "a.txt"), "text\n".repeat(1000));
    const file = experiment({
      domains: `{code: {files: [${outside}/*.txt, link/*.txt]}}`,
      mix: "{experts: [code, seed]}",
    });
    symlinkSync(outside, join(dirname(file), "link"));
    client = await startLanguageServer(undefined, [dirname(file)]);
    client.open(file, readFileSync(file, "utf8"));
    const later = "is outside the workspace: it is checked once the workspace is trusted";
    await expect
      .poll(() => client.diagnostics(file)?.map(({ severity, message }) => [severity, message]), soon)
      .toEqual([
        [DiagnosticSeverity.Information, `domain \`code\`: ${outside} ${later}`],
        [DiagnosticSeverity.Information, `domain \`code\`: ${join(dirname(file), "link")} ${later}`],
      ]);
    client.trust(true);
    await expect.poll(() => client.diagnostics(file), soon).toEqual([]);
    client.trust(false);
    await expect.poll(() => client.diagnostics(file)?.length, soon).toBe(2);
  });
});
