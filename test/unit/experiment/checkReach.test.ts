import { spawnSync } from "node:child_process";
import { mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { limitReach } from "../../../server/disk/reach.ts";
import { checkExperiment } from "../../../server/experiment/check.ts";
import { type Files, folderWith, llamaFiles, long, parsed } from "./folder.ts";

/** Problems as "severity message", with the folder's path as `DIR`. */
async function checked(folder: string, text: string, signal?: AbortSignal): Promise<string[]> {
  const machine = { memory: 64e9, free: 64e9 };
  const problems = await checkExperiment(parsed(text), join(folder, "project", "a.btx.yaml"), machine, { signal });
  return problems.map(({ severity, message }) => `${severity} ${message.replaceAll(folder, "DIR")}`);
}

const files: Files = { "project/a.txt": long, "b.txt": long, ...llamaFiles() };
const domain = "domains: {code: {files: a.txt}}\n";

describe("checkExperiment, where only the workspace may be read", () => {
  it("says of every path outside that it is checked once the workspace is trusted, and finds nothing else", async () => {
    const folder = await folderWith(files);
    limitReach(() => [join(folder, "project")]);
    onTestFinished(() => limitReach(() => undefined));
    mkdirSync(join(folder, "project", "inside"));
    symlinkSync(join(folder, "llama"), join(folder, "project", "seed"));
    for (const name of ["config.json", "model.safetensors", "tokenizer.json"])
      symlinkSync(join(folder, "llama", name), join(folder, "project", "inside", name));
    const later = (path: string): string =>
      `${path} is outside the workspace: it is checked once the workspace is trusted`;
    const cases: [text: string, problems: string[]][] = [
      [domain, []],
      ["domains: {code: {files: ../b.txt}}\n", [`domain \`code\`: ${later("DIR/b.txt")}`]],
      ["domains: {code: {files: /**}}\n", [`domain \`code\`: ${later("/")}`]],
      ["domains: {code: {files: ../missing/*.txt}}\n", [`domain \`code\`: ${later("DIR/missing")}`]],
      [`${domain}tokenizer: {type: file, path: ../llama}\n`, [later("DIR/llama")]],
      [`${domain}tokenizer: {type: file, path: seed/tokenizer.json}\n`, [later("DIR/project/seed/tokenizer.json")]],
      [`${domain}tokenizer: {type: file, path: inside}\n`, [later("DIR/project/inside/tokenizer.json")]],
      [`${domain}tokenizer: {type: bytes}\nseed: {from: ../llama}\n`, [`\`seed.from\`: ${later("DIR/llama")}`]],
      [`${domain}tokenizer: {type: bytes}\nseed: {from: seed}\n`, [`\`seed.from\`: ${later("DIR/project/seed")}`]],
      [
        `${domain}tokenizer: {type: bytes}\nseed: {from: inside}\n`,
        [`\`seed.from\`: ${later("DIR/project/inside/config.json")}`],
      ],
    ];
    for (const [text, problems] of cases)
      expect(await checked(folder, text)).toEqual(problems.map((problem) => `information ${problem}`));
    limitReach(() => undefined);
    expect(await checked(folder, `${domain}seed: {from: ../llama}\n`)).toEqual([]);
    expect(await checked(folder, `${domain}tokenizer: {type: file, path: inside}\n`)).toEqual([]);
  });
});

describe("checkExperiment", () => {
  it.skipIf(process.platform === "win32")("refuses named pipes in the place of files, and ends", async () => {
    const folder = await folderWith(files);
    const pipe = (path: string) => expect(spawnSync("mkfifo", [join(folder, "project", path)]).status).toBe(0);
    pipe("pipe");
    mkdirSync(join(folder, "project", "seed"));
    pipe("seed/config.json");
    mkdirSync(join(folder, "project", "tokenizer"));
    pipe("tokenizer/tokenizer.json");
    const refused = "is a named pipe, but must be a regular file: remove or replace it";
    expect(await checked(folder, `${domain}tokenizer: {type: file, path: pipe}\n`)).toEqual([
      `error DIR/project/pipe ${refused}`,
    ]);
    expect(await checked(folder, `${domain}tokenizer: {type: file, path: tokenizer}\n`)).toEqual([
      `error DIR/project/tokenizer/tokenizer.json ${refused}`,
    ]);
    expect(await checked(folder, `${domain}tokenizer: {type: bytes}\nseed: {from: seed}\n`)).toEqual([
      `error \`seed.from\`: DIR/project/seed/config.json ${refused}`,
    ]);
    expect(await checked(folder, `${domain}tokenizer: {type: bytes}\nseed: {from: pipe}\n`)).toEqual([
      "error `seed.from`: DIR/project/pipe is not a folder",
    ]);
  });

  it("is ended by its signal", async () => {
    const folder = await folderWith(files);
    const reason = new Error("cancelled");
    await expect(checked(folder, domain, AbortSignal.abort(reason))).rejects.toBe(reason);
  });
});
