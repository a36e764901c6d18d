import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { CompletionItem } from "vscode-languageserver";
import { complete } from "../../../../server/language/features/completion.ts";
import { ask, cursor, edited, folderWith } from "../support.ts";

const completed = (marked: string, { snippets = false, file }: { snippets?: boolean; file?: string } = {}) => {
  const { snapshot, position } = cursor(marked, file);
  return complete(snapshot, position, snippets, ask).then((items) => ({ snapshot, items }));
};
const labels = async (marked: string, file?: string): Promise<string[]> =>
  (await completed(marked, file === undefined ? {} : { file })).items.map(({ label }) => label);

/** The text after the item of this name was taken. */
async function taken(marked: string, label: string, options: { snippets?: boolean; file?: string } = {}) {
  const { snapshot, items } = await completed(marked, options);
  const item = items.find((candidate) => candidate.label === label);
  expect(item, `${label} among ${items.map((candidate) => candidate.label)}`).toBeDefined();
  return edited(snapshot, [item!.textEdit as Exclude<CompletionItem["textEdit"], undefined> & { range: never }]);
}

describe("completion of keys", () => {
  it("offers what may stand there and does not yet, with what it does", async () => {
    expect(await labels("domains: {a: {files: x}}\nmo|\nseed: {}\n")).toEqual([
      "name",
      "model",
      "tokenizer",
      "training",
      "experts",
      "mix",
      "finetune",
      "evaluate",
      "compare",
      "engine",
      "devices",
      "heldOut",
      "randomSeed",
    ]);
    const { items } = await completed("model: {con|}");
    const item = items.find(({ label }) => label === "context")!;
    expect(item.detail).toBe("a whole number of at least 1");
    expect(item.documentation).toMatchObject({ kind: "markdown", value: expect.stringContaining("Longest sequence") });
  });

  it("knows the keys below the one that is typed", async () => {
    expect(await labels("mix:\n  router:\n    ca|\n    type: switch\n    zLoss: 1\n")).toContain("capacity");
    expect(await labels("mix:\n  router:\n    z|\n    type: switch\n    zLoss: 1\n")).not.toContain("zLoss");
  });

  it("puts keys first that must be there", async () => {
    const { items } = await completed("domains:\n  a:\n    |");
    expect(items.toSorted((a, b) => (a.sortText! < b.sortText! ? -1 : 1))[0]!.label).toBe("files");
  });

  it("begins sections on a new line in a block, and in braces inside brackets", async () => {
    expect(await taken("mo|", "model")).toBe("model:\n  ");
    expect(await taken("mix:\n  ro|", "router")).toBe("mix:\n  router:\n    ");
    expect(await taken("mix: {ro|}", "router", { snippets: true })).toBe("mix: {router: {$0}}");
    expect(await taken("co|", "compare", { snippets: true })).toBe("compare: [$0]");
    expect(await taken("model: {la|}", "layers")).toBe("model: {layers: }");
  });

  it("replaces a whole key and leaves its colon", async () => {
    expect(await taken("model: {la|yrs: 4}", "layers")).toBe("model: {layers: 4}");
    expect(await taken('model: {"la|": 4}', "layers")).toBe('model: {"layers": 4}');
  });

  it("offers the router's keys that its type has", async () => {
    expect(await labels("mix: {router: {type: switch, |}}")).toContain("capacity");
    expect(await labels("mix: {router: {type: switch, |}}")).not.toContain("k");
    expect(await labels("mix: {router: {|}}")).toContain("k");
    expect(await labels("mix: {router: {|}}")).not.toContain("capacity");
  });

  it("offers domains in a mixture, and those that are used and not yet defined under `domains`", async () => {
    const text = "domains: {a: {files: x}, b: {files: y}}\nfinetune:\n  mixture: {a: 1, |}\n";
    expect(await labels(text)).toEqual(["b"]);
    expect(await taken(text, "b")).toContain("mixture: {a: 1, b: 1}");
    expect(await labels("mix: {experts: [a, b, seed]}\ndomains:\n  a: {files: x}\n  |")).toEqual(["b"]);
  });
});

describe("completion of what is frozen", () => {
  const groups = ["experts", "attention", "router", "embeddings", "norms", "dense"];

  it("offers groups and experts that are not there yet", async () => {
    const mixed = "mix: {experts: [code, seed]}\n";
    const experts = ["expert:code", "expert:seed"];
    expect(await labels(`${mixed}finetune: {freeze: [|]}`)).toEqual([...groups, ...experts]);
    expect(await labels(`${mixed}finetune: {freeze: [norms, |]}`)).toEqual(
      [...groups, ...experts].filter((name) => name !== "norms"),
    );
    expect(await labels("domains: {a: {files: x}}\nfinetune: {freeze: {all-but: [|]}}")).toEqual([
      ...groups,
      "expert:a",
      "expert:seed",
    ]);
  });

  it("offers the key all-but in a mapping, and brackets where a list begins", async () => {
    expect(await labels("finetune: {freeze: {|}}")).toEqual(["all-but"]);
    expect(await taken("finetune: {freeze: |}", "norms")).toBe("finetune: {freeze: [norms]}");
    expect(await taken("finetune:\n  freeze:\n    |", "norms")).toBe("finetune:\n  freeze:\n    - norms");
  });
});

describe("completion of values", () => {
  it("offers the values of a list of choices, with what they mean and which is the default", async () => {
    const { items } = await completed("mix: {router: {type: |}}");
    expect(items.map(({ label }) => label)).toEqual(["top-k", "switch", "soft", "sample-top-1"]);
    expect(items[0]).toMatchObject({ detail: "default", documentation: { value: expect.stringContaining("largest") } });
  });

  it("offers true and false, and the default of a number", async () => {
    expect(await labels("model: {tiedEmbeddings: |}")).toEqual(["true", "false"]);
    expect(await labels("model:\n  layers: |\n")).toEqual(["4"]);
  });

  it("offers baselines that are not listed yet, and begins the list where there is none", async () => {
    expect(await labels("compare: [dense, |]")).toContain("btm");
    expect(await labels("compare: [dense, |]")).not.toContain("dense");
    expect(await taken("compare: |", "btm")).toBe("compare: [btm]");
    expect(await taken("compare:\n  |", "btm")).toBe("compare:\n  - btm");
    expect(await taken("compare:\n  - dense\n  - b|", "btm")).toBe("compare:\n  - dense\n  - btm");
  });

  it("offers domains and the seed as experts, each once", async () => {
    expect(await labels("domains: {a: {files: x}, b: {files: y}}\nmix: {experts: [b, |]}\n")).toEqual(["a", "seed"]);
  });

  it("offers nothing in comments, in texts and under unknown keys", async () => {
    expect(await labels("# mo|")).toEqual([]);
    expect(await labels("name: a|")).toEqual([]);
    expect(await labels("unknown: {x|}")).toEqual([]);
  });
});

describe("completion of paths", () => {
  const folder = folderWith(
    Object.fromEntries(
      ["text/a.md", "text/b.md", "text/c, d.txt", "code/x.py", ".git/x", "seed/config.json"].map((name) => [name, "x"]),
    ),
  );
  const file = join(folder, "a.btx.yaml");

  it("offers what lies beside the file, folders to go on from, and globs of files of a kind", async () => {
    expect(await labels("domains: {a: {files: |}}", file)).toEqual(["code/", "seed/", "text/"]);
    expect(await labels("domains: {a: {files: text/|}}", file)).toEqual(["*.md", "a.md", "b.md", "c, d.txt"]);
    expect(await labels("domains: {a: {files: ../|}}", file)).toContain(`${folder.split("/").at(-1)}/`);
    expect(await labels("domains: {a: {files: .|}}", file)).toEqual([".git/"]);
  });

  it("puts paths in quotes where YAML needs them", async () => {
    const inText = join(folder, "text/a.btx.yaml");
    expect(await taken("domains: {a: {files: text/|}}", "c, d.txt", { file })).toBe(
      'domains: {a: {files: "text/c, d.txt"}}',
    );
    expect(await taken("domains: {a: {files: |}}", "*.md", { file: inText })).toBe('domains: {a: {files: "*.md"}}');
    expect(await taken('domains: {a: {files: "te|"}}', "text/", { file })).toBe('domains: {a: {files: "text/"}}');
    expect(await taken("domains:\n  a:\n    files:\n      - text/a|", "a.md", { file })).toMatch(/ {6}- text\/a\.md$/);
  });

  it("offers folders alone for a seed, and files of tokenizers", async () => {
    expect(await labels("seed: {from: |}", file)).toEqual(["code/", "seed/", "text/"]);
    expect(await labels("seed: {from: seed/|}", file)).toEqual([]);
    expect(await labels("tokenizer: {type: file, path: seed/|}", file)).toEqual(["config.json"]);
  });

  it("offers nothing for a folder that is not there", async () => {
    expect(await labels("domains: {a: {files: nowhere/|}}", file)).toEqual([]);
  });
});
