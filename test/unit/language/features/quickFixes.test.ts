import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { checkExperiment } from "../../../../server/experiment/check.ts";
import { diagnosticsOf } from "../../../../server/language/features/diagnostics.ts";
import { quickFixes } from "../../../../server/language/features/quickFixes.ts";
import { edited, folderWith, opened } from "../support.ts";

const folder = folderWith({ "x.txt": "x".repeat(4000), "text/y.txt": "y".repeat(4000) });
const file = join(folder, "a.btx.yaml");
const domains = "domains: {code: {files: x.txt}, prose: {files: text}}\n";

/** All quick fixes of a text by title, each with the text after it. */
async function fixes(text: string): Promise<Record<string, string>> {
  const snapshot = opened(text, file);
  const { experiment, problems } = snapshot.parsed;
  const found = experiment ? [...problems, ...(await checkExperiment(experiment, file))] : problems;
  const actions = await quickFixes(snapshot, diagnosticsOf(snapshot, found));
  return Object.fromEntries(
    actions.map(({ title, edit, command }) => {
      if (command) return [title, `${command.command} ${JSON.stringify(command.arguments)}`];
      const [create] = edit?.documentChanges ?? [];
      if (create) return [title, JSON.stringify(create)];
      return [title, edited(snapshot, edit!.changes![snapshot.uri]!)];
    }),
  );
}

describe("quick fixes", () => {
  it("change a key to the nearest, or take it out", async () => {
    expect(await fixes(`${domains}exprts: {tokens: 5k}\n`)).toEqual({
      "Change to `experts`": `${domains}experts: {tokens: 5k}\n`,
      "Remove `exprts`": domains,
    });
    expect(await fixes(`${domains}model: {layers: 2, "hiden": 64}\n`)).toEqual({
      "Change to `hidden`": `${domains}model: {layers: 2, "hidden": 64}\n`,
      "Remove `hiden`": `${domains}model: {layers: 2}\n`,
    });
  });

  it("do not change a key to one that is there", async () => {
    expect(Object.keys(await fixes(`${domains}model: {layers: 2, layer: 3}\n`))).toEqual(["Remove `layer`"]);
  });

  it("change a value to the nearest", async () => {
    expect(await fixes(`${domains}compare: [dens]\n`)).toMatchObject({
      "Change to `dense`": `${domains}compare: [dense]\n`,
    });
    expect(await fixes(`${domains}tokenizer: {type: 'byte'}\n`)).toMatchObject({
      "Change to `bytes`": `${domains}tokenizer: {type: 'bytes'}\n`,
    });
  });

  it("change the name of a domain that is not defined, or take it out", async () => {
    const text = `${domains}mix: {experts: [code, pros, seed]}\nfinetune: {mixture: {cod: 1, prose: 2}}\n`;
    expect(await fixes(text)).toMatchObject({
      "Change to `code`": text.replace("cod:", "code:"),
      "Change to `prose`": text.replace("pros,", "prose,"),
      "Remove `pros`": text.replace(" pros,", ""),
      "Remove `cod`": text.replace("cod: 1, ", ""),
    });
  });

  it("take out the second of two keys of one name", async () => {
    const text = `${domains}model:\n  layers: 2\n  hidden: 64 # wide\n  layers: 3 # deep\n`;
    expect(await fixes(text)).toEqual({ "Remove `layers`": text.replace("  layers: 3 # deep\n", "") });
  });

  it("take out the last key of a section and leave the section valid", async () => {
    expect(await fixes(`${domains}model:\n  layer_s: 2\n`)).toMatchObject({
      "Remove `layer_s`": `${domains}model:\n  {}\n`,
    });
  });

  it("take out keys that have no effect", async () => {
    const text = `${domains}tokenizer: {type: bytes, vocab: 300}\n`;
    expect(await fixes(text)).toEqual({ "Remove `vocab`": text.replace(", vocab: 300", "") });
  });

  it("add keys that must be there", async () => {
    const model = "model: {layers: 2}\n";
    expect(await fixes(model)).toEqual({ "Add `domains`": `${model}domains: {text: {files: text/**/*.txt}}\n` });
    expect(await fixes("domains:\n  code:\n    text: a\n")).toEqual({
      "Add `domains.code.files`": "domains:\n  code:\n    files: code/**/*.txt\n    text: a\n",
    });
    expect(await fixes("domains: {code: {text: a}}\n")).toEqual({
      "Add `domains.code.files`": "domains: {code: {files: code/**/*.txt, text: a}}\n",
    });
    expect(await fixes("domains:\n  code: # soon\n")).toEqual({
      "Add what `domains.code` needs": "domains:\n  code: {files: code/**/*.txt} # soon\n",
    });
  });

  it("make a folder or a file of a domain that is not there", async () => {
    const text = "domains:\n  a: {files: new/**/*.txt}\n  b: {files: [x.txt, other/b.txt]}\n  c: {files: more}\n";
    const found = await fixes(text);
    expect(found["Create the folder new"]).toBe(`btx.createFolder ${JSON.stringify([{ path: join(folder, "new") }])}`);
    expect(found["Create the folder more"]).toContain(join(folder, "more"));
    const { kind, uri } = JSON.parse(found["Create the file b.txt"]!);
    expect([kind, fileURLToPath(uri)]).toEqual(["create", join(folder, "other/b.txt")]);
    expect(await fixes("domains: {a: {files: text/*.md}}\n")).toEqual({});
  });

  it("leave nothing of what they mend", async () => {
    const text = `${domains}exprts: {tokens: 5k}\nmodel: {layers: 2, layers: 3}\ncompare: [dens]\n`;
    for (const [title, after] of Object.entries(await fixes(text)))
      expect(opened(after, file).parsed.problems.length, title).toBe(opened(text, file).parsed.problems.length - 1);
  });

  it("are for this server's diagnostics alone", async () => {
    const snapshot = opened(`${domains}exprts: 1\n`, file);
    const [diagnostic] = diagnosticsOf(snapshot, snapshot.parsed.problems);
    expect(await quickFixes(snapshot, [{ ...diagnostic!, source: "other" }])).toEqual([]);
    expect(await quickFixes(snapshot, [{ ...diagnostic!, data: { path: 3 } }])).toEqual([]);
  });
});
