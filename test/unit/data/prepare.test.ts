import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { openData } from "../../../server/data/dataset.ts";
import { prepareData } from "../../../server/data/prepare.ts";
import { problemOf } from "../../../server/data/problems.ts";
import { byteLevelFiles } from "../../../server/data/tokenizers/build.ts";
import { removeLeftovers } from "../../../server/disk/atomic.ts";
import { parseSealed } from "../../../server/disk/seal.ts";
import { dataIndexSchema } from "../../../server/protocol/data.ts";
import { StopRequested, UserError } from "../../../server/protocol/errors.ts";
import type { DataSpec } from "../../../server/protocol/stage.ts";
import { domainOf, folderWith, prose } from "./support.ts";

async function specOf(more: Partial<DataSpec> = {}): Promise<DataSpec> {
  const problems = Array.from({ length: 120 }, (_, i) => ({
    question: `What is ${i} + ${i}?`,
    answer: `add\n#### ${2 * i}`,
  }));
  const folder = folderWith({
    "prose/a.txt": prose(1, 12_000),
    "prose/b.md": prose(2, 9_000),
    "math.jsonl": problems.map((problem) => `${JSON.stringify(problem)}\n`).join(""),
  });
  return {
    kind: "data",
    tokenizer: { type: "bpe", vocab: 400 },
    domains: {
      prose: await domainOf([join(folder, "prose/a.txt"), join(folder, "prose/b.md")]),
      math: await domainOf([join(folder, "math.jsonl")], { text: "{question}\n{answer}", answerAfter: "####" }),
    },
    heldOut: 0.1,
    ...more,
  };
}

/** All files below a folder. */
function contents(folder: string): Map<string, string> {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const paths = files.map((entry) => join(entry.parentPath, entry.name));
  return new Map(paths.sort().map((path) => [path.slice(folder.length), readFileSync(path, "latin1")]));
}

test("every document is encoded once, followed by end-of-text, and the index counts them", async () => {
  const spec = await specOf();
  const folder = folderWith();
  const index = await prepareData(spec, folder);
  expect(
    parseSealed(readFileSync(join(folder, "index.json"), "utf8"), dataIndexSchema, join(folder, "index.json")),
  ).toEqual(index);
  expect(index).toMatchObject({ vocab: 400, endOfText: 399, dtype: "u16" });
  const data = await openData(folder);
  for (const [domain, { files }] of Object.entries(spec.domains)) {
    const seen: string[] = [];
    for (const split of ["train", "heldout"] as const) {
      const file = data.split(domain, split);
      const counted = index.domains[domain]![split];
      const ids = Array.from(file.read(0, file.length));
      expect(ids.at(-1)).toBe(index.endOfText);
      let document: number[] = [];
      const texts: string[] = [];
      for (const id of ids) {
        if (id !== index.endOfText) document.push(id);
        else {
          texts.push(data.tokenizer.decode(document));
          document = [];
        }
      }
      expect(counted).toEqual({
        tokens: ids.length,
        documents: texts.length,
        bytes: Buffer.byteLength(texts.join("")),
      });
      seen.push(...texts);
    }
    expect(new Set(seen).size).toBe(seen.length);
    if (domain === "prose") {
      const size = files.reduce((sum, file) => sum + readFileSync(file, "utf8").length, 0);
      expect(seen.join("").length).toBe(size);
    } else expect(seen.length).toBe(120);
  }
  data.close();
});

test("held-out problems are written as question, solution and answer, and only held-out ones", async () => {
  const spec = await specOf();
  const folder = folderWith();
  const index = await prepareData(spec, folder);
  const data = await openData(folder);
  const answers = data.answers("math");
  expect(answers.length).toBe(index.domains.math!.heldout.documents);
  expect(answers.length).toBeGreaterThan(0);
  const heldOut = data.split("math", "heldout");
  const text = data.tokenizer.decode(heldOut.read(0, heldOut.length));
  for (const { prompt, solution, answer, marker } of answers) {
    expect(prompt).toMatch(/^What is \d+ \+ \d+\?\n$/);
    expect(solution).toBe(`add\n#### ${answer}`);
    expect(marker).toBe("####");
    expect(text).toContain(prompt + solution);
  }
  expect(data.answers("prose")).toEqual([]);
  expect(existsSync(join(folder, "prose", "answers.jsonl"))).toBe(false);
  data.close();
});

test("stopped at any moment and started again, it gives the same bytes as in one go", async () => {
  const spec = await specOf({ tokenizer: { type: "bpe", vocab: 600 } });
  const whole = folderWith();
  let looks = 0;
  await prepareData(spec, whole, { onProgress: () => looks++ });
  const folder = folderWith();
  for (const share of [0, 0.1, 0.4, 0.6, 0.8, 0.95]) {
    let seen = 0;
    const killed = new Error("killed");
    const work = prepareData(spec, folder, {
      onProgress: () => {
        if (++seen > share * looks) throw killed;
      },
    });
    await work.catch((error: unknown) => expect(error).toBe(killed));
    for (const domain of ["prose", "math"]) {
      const unfinished = existsSync(join(folder, domain)) && !existsSync(join(folder, domain, "heldout.tokens"));
      if (unfinished) writeFileSync(join(folder, domain, "heldout.tokens.tmp-1-00000000"), "torn");
    }
  }
  // As every stage does first, under its lock.
  await removeLeftovers(folder);
  await prepareData(spec, folder);
  expect(contents(folder)).toEqual(contents(whole));
});

test("a request to stop ends it with StopRequested, and a finished domain is not done again", async () => {
  const spec = await specOf();
  const folder = folderWith();
  await expect(prepareData(spec, folder, { stopRequested: () => true })).rejects.toThrow(StopRequested);
  const stop = new Error("stop");
  const interrupted = prepareData(spec, folder, {
    onProgress: (_done, _total, label) => {
      if (label === "encoding math") throw stop;
    },
  });
  await expect(interrupted).rejects.toBe(stop);
  expect(existsSync(join(folder, "index.json"))).toBe(false);
  await expect(openData(folder)).rejects.toThrow(UserError);
  const labels = new Set<string>();
  await prepareData(spec, folder, { onProgress: (_done, _total, label) => labels.add(label) });
  expect([...labels]).toEqual(["reading math", "encoding math"]);
  await prepareData(spec, folder, { onProgress: () => expect.fail("a finished folder needs no work") });
});

test("an existing tokenizer is copied as it is", async () => {
  const files = byteLevelFiles([["a", "b"]]);
  const source = folderWith({ "tokenizer.json": files.tokenizer, "tokenizer_config.json": files.config });
  const folder = folderWith();
  const index = await prepareData(await specOf({ tokenizer: { type: "file", path: source, sha256: "" } }), folder);
  expect(index.vocab).toBe(258);
  expect(readFileSync(join(folder, "tokenizer.json"), "utf8")).toBe(files.tokenizer);
  expect(readFileSync(join(folder, "tokenizer_config.json"), "utf8")).toBe(files.config);
});

test("a vocabulary of more than 65,536 ids is written in 32 bits", async () => {
  const files = byteLevelFiles([["W", "h"]]);
  const json = JSON.parse(files.tokenizer);
  json.added_tokens[0].id = 70_000;
  const source = folderWith({ "tokenizer.json": JSON.stringify(json), "tokenizer_config.json": files.config });
  const spec = await specOf({ tokenizer: { type: "file", path: source, sha256: "" } });
  const folder = folderWith();
  const index = await prepareData(spec, folder);
  expect(index.vocab).toBe(70_001);
  expect(index.dtype).toBe("u32");
  const data = await openData(folder);
  const math = data.split("math", "train");
  expect(math.read(math.length - 1, 1)[0]).toBe(70_000);
  expect(data.tokenizer.decode(math.read(0, 40))).toMatch(/^What is \d+/);
  data.close();
});

test("what is wrong with a corpus is said in a sentence, and nothing finished is left behind", async () => {
  const good = await specOf();
  const failing = async (domains: DataSpec["domains"]): Promise<string> => {
    const folder = folderWith();
    const error = await prepareData({ ...good, domains }, folder).catch((error: unknown) => error);
    expect(error).toBeInstanceOf(UserError);
    expect(existsSync(join(folder, "index.json"))).toBe(false);
    return (error as UserError).message;
  };
  const math = good.domains.math!;
  expect(await failing({ math: { ...math, answerAfter: "Answer:" } })).toContain('has text after "Answer:"');
  const wrongField = await failing({ math: { ...math, text: "{question}\n#### {answer}\n{question}" } });
  expect(wrongField).toContain('has text after "####" in the last field of its template');
  expect(await failing({ math: { ...math, text: "{question}\n{anser}" } })).toContain('did you mean "answer"?');
  const binary = join(folderWith({ "x.txt": Buffer.from([1, 0, 2]) }), "x.txt");
  expect(await failing({ prose: await domainOf([binary]) })).toContain("binary file");
  const changed = join(folderWith({ "y.txt": "before" }), "y.txt");
  const prose = await domainOf([changed]);
  writeFileSync(changed, "after");
  expect(await failing({ prose })).toContain('files of the domain "prose" changed');
});

test("a token file that is not as long as its index says is refused", async () => {
  const folder = folderWith();
  await prepareData(await specOf({ tokenizer: { type: "bytes" } }), folder);
  const path = join(folder, "prose", "train.tokens");
  writeFileSync(path, readFileSync(path).subarray(0, -2));
  const data = await openData(folder);
  expect(() => data.split("prose", "train")).toThrow("is damaged");
  expect(() => data.split("constructor", "train")).toThrow('no data of the domain "constructor"');
  data.close();
});

test("the prompt of a plain document ends with its last marker, and its solution with the line", () => {
  const text = "q #### 1\nr #### 2 \nend";
  expect(problemOf({ text }, "####")).toEqual({ prompt: "q #### 1\nr ####", solution: " 2 ", answer: "2" });
  expect(problemOf({ text: "q ####" }, "####")).toBeUndefined();
  expect(problemOf({ text: "q" }, "####")).toBeUndefined();
  expect(problemOf({ text, piece: true }, "####")).toBeUndefined();
});

test("the prompt of a template's document holds nothing of the last field, where the marker must be", () => {
  const text = "q #### 7\n1 #### 1\nso #### 2 \nend";
  expect(problemOf({ text, promptEnd: 9 }, "####")).toEqual({
    prompt: "q #### 7\n",
    solution: "1 #### 1\nso #### 2 ",
    answer: "2",
    marker: "####",
  });
  expect(problemOf({ text: "q #### 7\nno", promptEnd: 9 }, "####")).toBeUndefined();
  expect(problemOf({ text: "q\n#### ", promptEnd: 2 }, "####")).toBeUndefined();
});

test("damage to what an unfinished folder holds costs its work, and changes nothing in the result", async () => {
  const spec = await specOf({ tokenizer: { type: "bpe", vocab: 600 } });
  const whole = folderWith();
  await prepareData(spec, whole);
  for (const name of ["tokenizer.json", "progress.json", "prose/train.tokens.digests"]) {
    const folder = folderWith();
    const stop = new Error("stop");
    const interrupted = prepareData(spec, folder, {
      onProgress: (_done, _total, label) => {
        if (label === "encoding math") throw stop;
      },
    });
    await expect(interrupted).rejects.toBe(stop);
    const path = join(folder, name);
    const bytes = readFileSync(path);
    bytes[bytes.length >> 1]! ^= 1;
    writeFileSync(path, bytes);
    await prepareData(spec, folder);
    expect(contents(folder)).toEqual(contents(whole));
  }
});
