import { chmodSync, existsSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { experimentText } from "../fixtures/experiment.ts";
import { type BtxOptions, btx, said } from "./btx.ts";
import { scratchFolder, tinyExperiment } from "./scratch.ts";

/** Runs `btx` and expects it to say just this on standard error, each line a sentence. */
async function expectRefusal(args: string[], code: number, lines: (string | RegExp)[], options?: BtxOptions) {
  const ended = await btx(args, options);
  expect(ended.code, said(ended)).toBe(code);
  const found = ended.stderr.trimEnd().split("\n");
  expect(found, said(ended)).toEqual(
    lines.map((line) => (typeof line === "string" ? line : expect.stringMatching(line))),
  );
  expect(ended.stdout).toBe("");
}

describe("a mistake in the experiment file is told with its line and column before anything is run", () => {
  const text = experimentText();
  const bomb = [
    "a: &a [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]",
    ...["b", "c", "d", "e", "f", "g", "h", "i", "j"].map(
      (name, i) => `${name}: &${name} [${Array(10).fill(`*${"abcdefghi"[i]}`).join(", ")}]`,
    ),
  ].join("\n");

  it.each([
    [
      "an unknown key",
      text.replace("experts:", "exprts:"),
      ["tiny.btx.yaml:8:1: error: unknown key `exprts`, did you mean `experts`?"],
    ],
    [
      "an unknown key inside",
      text.replace("learningRate", "learningRat"),
      ["tiny.btx.yaml:3:22: error: unknown key `learningRat`, did you mean `learningRate`?"],
    ],
    [
      "a duplicate key",
      `${text}seed: {tokens: 5}\n`,
      ["tiny.btx.yaml:14:1: error: the key `seed` is given twice, first on line 7"],
    ],
    [
      "a tab",
      "domains:\n\twords: {files: words}\n",
      ["tiny.btx.yaml:2:1: error: this line is indented with a tab: use spaces"],
    ],
    [
      "anchors that explode",
      `${bomb}\n${text}`,
      ["tiny.btx.yaml:2:32: error: the file uses more than 50 aliases (`*a`): write the values out"],
    ],
    ["an empty file", "", ["tiny.btx.yaml:1:1: error: the file is empty: add at least the key `domains`"]],
    ["a binary file", "domains:\n  a\0b: 1\n", ["tiny.btx.yaml:2:4: error: the file is not UTF-8 text"]],
    [
      "a glob that matches nothing",
      text.replace("words/*.txt", "words/*.md"),
      [/^tiny\.btx\.yaml:5:18: error: .*no file matches "words\/\*\.md" in \S+$/],
    ],
    [
      "hidden that heads do not divide",
      text.replace("heads: 2", "heads: 3"),
      [/^tiny\.btx\.yaml:1:\d+: error: .*`?hidden.*heads/],
    ],
    [
      "more experts a token than experts",
      text.replace("{k: 2}", "{k: 4}"),
      ["tiny.btx.yaml:9:19: error: `mix.router.k` is 4, but only 3 models are mixed: it must be at most 3"],
    ],
    [
      "a key of another router",
      text.replace("{k: 2}", "{k: 2, capacity: 1.5}"),
      [
        "tiny.btx.yaml:9:22: error: `mix.router.capacity` is a key of the router `switch`, but `mix.router.type` is `top-k`: remove the key, or set the type to `switch`",
      ],
    ],
    [
      "a split that does not divide the width",
      text.replace("{router: {k: 2}}", "{split: 3}"),
      [
        "tiny.btx.yaml:9:14: error: `mix.split` is 3, which does not divide `model.ffn`, 32: make it 2 or 4, or change `model.ffn`",
      ],
    ],
    [
      "an unknown baseline",
      text.replace("upcycling]", "upcyling]"),
      [/^tiny\.btx\.yaml:13:32: error: `compare\[3\]` must be one of .*, did you mean `upcycling`\?$/],
    ],
  ])("%s", async (_, content, lines) => {
    const { file, root } = tinyExperiment();
    writeFileSync(file, content);
    await expectRefusal(["run", file], 2, [...lines, "btx: tiny.btx.yaml has mistakes, see above: nothing was run"]);
    expect(existsSync(root)).toBe(false);
    const checked = await btx(["check", file]);
    expect([checked.code, checked.stderr]).toEqual([2, ""]);
    expect(checked.stdout.trimEnd().split("\n")).toEqual(
      lines.map((line) => (typeof line === "string" ? line : expect.stringMatching(line))),
    );
  });
});

describe("a mistake on the command line is one sentence and exit code 2", () => {
  const { file, folder } = tinyExperiment();
  it.each([
    [["frobnicate"], 'btx: there is no command "frobnicate": `btx help` lists them'],
    [["help", "frobnicate"], 'btx: there is no command "frobnicate": `btx help` lists them'],
    [["constructor"], 'btx: there is no command "constructor": `btx help` lists them'],
    [["run"], "btx: name an experiment file (*.btx.yaml)"],
    [["run", "nowhere.btx.yaml"], "btx: there is no file nowhere.btx.yaml"],
    [["run", "words"], "btx: words is not a file: name an experiment file (*.btx.yaml)"],
    [["run", file, "--frob"], "btx: unknown option '--frob' (`btx help` lists commands and options)"],
    [["run", file, "--cores", "zero"], 'btx: --cores takes a whole number of at least 1, not "zero"'],
    [["run", file, "--cores", "0"], 'btx: --cores takes a whole number of at least 1, not "0"'],
    [["run", file, "--random-seed", "1.5"], 'btx: --random-seed takes a whole number of at least 0, not "1.5"'],
    [["run", file, "--random-seed", "1e300"], 'btx: --random-seed takes a whole number of at least 0, not "1e300"'],
    [["resume", "--random-seed", "1"], "btx: unknown option '--random-seed' (`btx help` lists commands and options)"],
    [["status", "a", "b"], 'btx: unexpected argument "b" (`btx help` lists commands and options)'],
  ])("btx %j", async (args, sentence) => {
    await expectRefusal(args, 2, [sentence], { cwd: folder });
    expect(existsSync(join(folder, ".btx"))).toBe(false);
  });
});

describe("a place that cannot be used is one sentence and exit code 1", () => {
  it.each(["resume", "status", "show", "list", "stop", "sample"])("btx %s where there is no run", async (command) => {
    const folder = scratchFolder();
    const none = `btx: there is no folder .btx in ${folder}: use --in FOLDER to say where the experiment file is`;
    await expectRefusal([command], 1, [none], { cwd: folder });
    if (command === "list") return;
    mkdirSync(join(folder, ".btx"));
    const empty = `btx: there is no run in ${join(folder, ".btx")}: start one with \`btx run FILE\``;
    await expectRefusal([command], 1, [empty], { cwd: folder });
  });

  it.skipIf(process.getuid?.() !== 0)("a run folder without write permission", async () => {
    const { file, folder, root } = tinyExperiment();
    for (const path of [folder, dirname(folder)]) chmodSync(path, 0o755);
    const nobody = { uid: 65_534 };
    const remedy = "change the folder's permissions, or move the experiment elsewhere";
    await expectRefusal(["run", file], 1, [`btx: no permission to write ${root}: ${remedy}`], nobody);
    expect(existsSync(root)).toBe(false);
    mkdirSync(join(root, "stages"), { recursive: true });
    mkdirSync(join(root, "runs"));
    const refused = new RegExp(`^btx: no permission to write ${root}\\S*: ${remedy}$`);
    await expectRefusal(["run", file], 1, [refused], nobody);
  });
});
