import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { byteLevelFiles } from "../../../server/data/tokenizers/build.ts";
import { checkExperiment } from "../../../server/experiment/check.ts";
import type { Machine } from "../../../server/experiment/checkMemory.ts";
import { parameterCount, trainingMemory } from "../../../server/model/size.ts";
import type { RouterConfig } from "../../../server/protocol/model.ts";
import { check, domain, type Files, folderWith, llamaConfig, llamaFiles, long, parsed } from "./folder.ts";

describe("checkExperiment, on names", () => {
  it("finds nothing wrong with an experiment that can be run", async () => {
    expect(await check(domain)).toEqual([]);
  });

  it("names the nearest domain for an expert that does not exist", async () => {
    expect(await check(`${domain}mix: {experts: [cod, xyz, seed]}\n`)).toEqual([
      "2:17 `mix.experts` names `cod`, which is not a domain, did you mean `code`?",
      "2:22 `mix.experts` names `xyz`, which is not a domain: it must be one of `code`, `seed`",
    ]);
  });

  it("refuses an expert that is mixed twice", async () => {
    expect(await check(`${domain}mix:\n  experts:\n    - code\n    - seed\n    - code\n`)).toEqual([
      "6:7 `mix.experts` names `code` twice",
    ]);
  });

  it("names the nearest domain in a mixture", async () => {
    const text = `${domain}seed: {mixture: {cdoe: 1}}\nfinetune: {mixture: {code: 2, zzz: 1}}\n`;
    expect(await check(text)).toEqual([
      "2:18 `seed.mixture` names `cdoe`, which is not a domain, did you mean `code`?",
      "3:31 `finetune.mixture` names `zzz`, which is not a domain: the domains are `code`",
    ]);
  });

  it("warns of a domain that nothing uses but its own expert", async () => {
    const text = `domains:\n  code: {files: a.txt}\n  math: {files: a.txt}\nmix: {experts: [code, seed]}\nseed: {mixture: {code: 1}}\nfinetune: {mixture: {code: 1}}\n`;
    expect(await check(text)).toEqual([
      "3:3 warning the domain `math` is used only by its own expert: add it to `mix.experts` or to a mixture, or remove it",
    ]);
  });
});

describe("checkExperiment, on keys for nothing", () => {
  it("warns of a vocabulary or a path that the tokenizer does not use", async () => {
    expect(await check(`${domain}tokenizer: {type: bytes, vocab: 300, path: x}\n`)).toEqual([
      "2:26 warning `tokenizer.vocab` has no effect because the tokenizer is not of type `bpe`",
      "2:38 warning `tokenizer.path` has no effect because the tokenizer is not of type `file`",
    ]);
  });
});

describe("checkExperiment, on float16", () => {
  it("refuses a device or an engine that trains without it, wherever it is asked for", async () => {
    const [half, cpu] = ["precision: float16", "devices: [webgpu, cpu]"];
    const refused = ["2:19 `cpu` trains in float32 only: name a GPU instead, or set `precision: float32`"];
    for (const section of ["training", "seed", "experts", "finetune"])
      expect(await check(`${domain}${cpu}\n${section}: {${half}}\n`)).toEqual(refused);
    expect(await check(`${domain}engine: tfjs\ntraining: {${half}}\n`)).toEqual([
      "2:9 `tfjs` does not support float16: set `engine: onnx`, or `precision: float32`",
    ]);
  });

  it("finds nothing wrong with it elsewhere, or where every stage is float32 after all", async () => {
    expect(await check(`${domain}training: {precision: float16}\n`)).toEqual([]);
    expect(await check(`${domain}devices: [webgpu]\ntraining: {precision: float16}\n`)).toEqual([]);
    const each = ["seed", "experts", "finetune"].map((section) => `${section}: {precision: float32}\n`).join("");
    expect(await check(`${domain}devices: [cpu]\ntraining: {precision: float16}\n${each}`)).toEqual([]);
  });
});

describe("checkExperiment, on sizes", () => {
  it("refuses a hidden width that the heads do not divide, at whichever of the two is given", async () => {
    const rest = "heads: make it a multiple of `model.heads`, or give `model.headSize`";
    expect(await check(`${domain}model: {hidden: 130}\n`)).toEqual([
      `2:17 \`model.hidden\` is 130, which is not divisible by 4 ${rest}`,
    ]);
    expect(await check(`${domain}model: {heads: 3}\n`)).toEqual([
      `2:16 \`model.hidden\` is 128, which is not divisible by 3 ${rest}`,
    ]);
    expect(await check(`${domain}model: {hidden: 130, headSize: 32}\n`)).toEqual([]);
  });

  it("refuses heads that the heads of keys and values do not divide, and odd heads", async () => {
    expect(await check(`${domain}model: {kvHeads: 3, headSize: 15}\n`)).toEqual([
      "2:18 `model.kvHeads` is 3, which does not divide the 4 heads of `model.heads`",
      "2:31 a head is 15 wide, but rotary embeddings need an even width: change `model.headSize`, or `model.hidden` / `model.heads`",
    ]);
  });

  it("refuses layers for experts that the model does not have", async () => {
    expect(await check(`${domain}model: {moeLayers: [1, 4]}\n`)).toEqual([
      "2:20 `model.moeLayers` names layer 4, but the model's layers are 0 to 3",
    ]);
    expect(await check(`${domain}model: {moeLayers: [1, 1]}\n`)).toEqual([
      "2:20 `model.moeLayers` names layer 1 twice",
    ]);
  });

  it("refuses a micro-batch that does not divide its batch, once at the place where it is given", async () => {
    const text = `domains:\n  code: {files: a.txt, batch: 6}\ntraining: {microBatch: 4}\nfinetune: {microBatch: 5}\n`;
    expect(await check(text)).toEqual([
      "2:31 `microBatch` is 4, which does not divide a `batch` of 6: make it a divisor of `batch`",
      "4:24 `microBatch` is 5, which does not divide a `batch` of 16: make it a divisor of `batch`",
    ]);
    expect(await check(`${domain}training: {microBatch: 3}\n`)).toEqual([
      "2:24 `microBatch` is 3, which does not divide a `batch` of 16: make it a divisor of `batch`",
    ]);
  });
});

describe("checkExperiment, on files", () => {
  it("names files that are missing and globs that match nothing, each at its own place", async () => {
    const text = `domains:\n  code: {files: [a.txt, none.txt, "src/*.ts"]}\n  math: {files: missing}\n`;
    expect(await check(text)).toEqual([
      "2:25 domain `code`: DIR/none.txt does not exist",
      '2:35 domain `code`: no file matches "src/*.ts" in DIR',
      "3:17 domain `math`: DIR/missing does not exist",
    ]);
  });

  it("takes files away with a pattern that begins with !", async () => {
    const files = { "a.txt": long, "b.txt": "b" };
    expect(await check(`domains: {code: {files: ["*.txt", "!b.txt"]}}\n`, files)).toEqual([]);
    expect(await check(`domains: {code: {files: ["*.txt", "!a.txt"]}}\n`, files)).toEqual([
      "1:25 domain `code` has 1 byte of text in 1 file, less than one context of 128 tokens: add text or lower `model.context`",
    ]);
  });

  it("refuses a domain with less text than one context, with both figures", async () => {
    const files = { "a.txt": "x".repeat(60), "b.txt": "y".repeat(67) };
    const text = "domains: {code: {files: '*.txt'}}\nmodel: {context: 128}\n";
    expect(await check(text, files)).toEqual([
      "1:25 domain `code` has 127 bytes of text in 2 files, less than one context of 128 tokens: add text or lower `model.context`",
    ]);
    expect(await check(text.replace("128", "127"), files)).toEqual([]);
  });

  it("asks for the path of a tokenizer of type file, and refuses what is none", async () => {
    const missing = "2:1 `tokenizer.path` is missing: give the path of a `tokenizer.json`";
    expect(await check(`${domain}tokenizer: {type: file}\n`)).toEqual([missing]);
    const files = { "a.txt": long, "t.json": "{}" };
    expect(await check(`${domain}tokenizer: {type: file, path: t.json}\n`, files)).toEqual([
      "2:31 DIR/t.json is not a Hugging Face tokenizer: it has no `model`",
    ]);
    expect(await check(`${domain}tokenizer: {type: file, path: .}\n`, files)).toEqual([
      "2:31 the tokenizer DIR/tokenizer.json does not exist",
    ]);
  });
});

describe("checkExperiment, on a seed that is loaded", () => {
  const files: Files = { "a.txt": long, ...llamaFiles() };
  const from = `${domain}seed: {from: llama}\n`;

  it("finds nothing wrong with a folder that agrees with the model, or a shorter context", async () => {
    expect(await check(from, files)).toEqual([]);
    expect(await check(`${from}model: {layers: 2, context: 64}\n`, files)).toEqual([]);
  });

  it("names the first size in which the checkpoint differs from the model", async () => {
    expect(await check(`${from}model: {layers: 2, kvHeads: 4, ffn: 97}\n`, files)).toEqual([
      "3:29 `model.kvHeads` is 4, but the seed in DIR/llama has 2: remove the key or make it agree",
    ]);
    expect(await check(`${from}model: {context: 512}\n`, { ...files, "a.txt": long.repeat(2) })).toEqual([
      "3:18 `model.context` is 512, but the seed in DIR/llama has 256: lower it",
    ]);
  });

  it("takes the width that is split or blended from the checkpoint", async () => {
    const width = "which does not divide the width of the seed's feed-forward blocks, 96";
    expect(await check(`${from}mix: {split: 5}\n`, files)).toEqual([
      `3:14 \`mix.split\` is 5, ${width}: make it 4 or 6, or remove it`,
    ]);
    const five = "domains: {a: {files: a.txt}, b: {files: a.txt}, c: {files: a.txt}, d: {files: a.txt}}\n";
    expect(await check(`${five}seed: {from: llama}\nmix: {blend: true}\n`, files)).toEqual([
      `3:14 \`mix.blend\` splits each feed-forward block into 5 parts, one per model, ${width}: mix another number of models`,
    ]);
    expect(await check(`${from}mix: {split: 3}\n`, files)).toEqual([]);
  });

  it("refuses a folder that is missing, or has no config.json, weights or tokenizer", async () => {
    expect(await check(from)).toEqual(["2:14 `seed.from`: the folder DIR/llama does not exist"]);
    expect(await check(`${domain}seed: {from: a.txt}\n`)).toEqual(["2:14 `seed.from`: DIR/a.txt is not a folder"]);
    expect(await check(from, { "a.txt": long, "llama/x": "" })).toEqual([
      "2:14 `seed.from`: the folder DIR/llama has no config.json",
      "2:14 the seed has no tokenizer of its own, DIR/llama/tokenizer.json: name one under `tokenizer`",
    ]);
    const { "llama/model.safetensors": _, ...weightless } = files;
    expect(await check(from, weightless)).toEqual([
      "2:14 `seed.from`: the folder DIR/llama has neither model.safetensors nor model.safetensors.index.json: only weights in the safetensors format can be read",
    ]);
  });

  it("refuses a tokenizer of another vocabulary than the seed's, where the tokenizer is named", async () => {
    const refused = (tokens: number) =>
      `the seed in DIR/llama has a vocabulary of 257 tokens, and the tokenizer one of ${tokens}: use the tokenizer that the seed was trained with`;
    expect(await check(`${from}tokenizer: {type: bytes}\n`, files)).toEqual([]);
    expect(await check(`${from}tokenizer: {type: bpe, vocab: 300}\n`, files)).toEqual([`3:12 ${refused(300)}`]);
    const { tokenizer } = byteLevelFiles([["a", "b"]]);
    const own = { ...files, "llama/tokenizer.json": tokenizer };
    expect(await check(from, own)).toEqual([`2:14 ${refused(258)}`]);
    // Rows of the embedding are often rounded up.
    const padded = { ...own, "llama/config.json": JSON.stringify({ ...llamaConfig, vocab_size: 300 }) };
    expect((await check(from, padded)).filter((line) => line.includes("vocabulary"))).toEqual([]);
    const other = { ...files, "t.json": tokenizer };
    expect(await check(`${from}tokenizer: {path: t.json}\n`, other)).toEqual([`3:19 ${refused(258)}`]);
  });

  it("looks again at a tokenizer that has changed", async () => {
    const folder = await folderWith(files);
    const messages = async () =>
      (await checkExperiment(parsed(from), join(folder, "demo.btx.yaml"))).map(({ message }) => message);
    expect(await messages()).toEqual([]);
    await writeFile(join(folder, "llama/tokenizer_config.json"), '{"eos_token": "<none>"}');
    const refused = `the eos_token "<none>" of tokenizer_config.json is not a token of ${folder}/llama/tokenizer.json`;
    expect(await messages()).toEqual([refused]);
    await writeFile(join(folder, "llama/tokenizer_config.json"), "{}");
    expect(await messages()).toEqual([]);
  });

  it("refuses tokens and warns of a mixture, since a loaded seed is not trained", async () => {
    expect(await check(`${domain}seed: {from: llama, tokens: 5k}\n`, files)).toEqual([
      "2:21 `seed` has both `tokens` and `from`, but a seed is either trained or loaded: remove one of them",
    ]);
    expect(await check(`${domain}seed: {from: llama, mixture: {code: 1}, clip: 2}\n`, files)).toEqual([
      "2:21 warning `seed.mixture` has no effect with `seed.from`, because a loaded seed is not trained",
      "2:41 warning `seed.clip` has no effect with `seed.from`, because a loaded seed is not trained",
    ]);
  });
});

describe("checkExperiment, on memory", () => {
  const gigabyte: Machine = { memory: 1e9, free: 1e9 };
  const big = `${domain}model: {hidden: 512, layers: 8, context: 256}\nseed: {batch: 64, microBatch: 16}\nfinetune: {microBatch: 1}\n`;

  const about = (lines: string[], model: string) => lines.filter((line) => line.includes(`training ${model}`));

  it("refuses what is larger than the machine, with both figures and the largest micro-batch that fits", async () => {
    const [problem] = about(await check(big, undefined, gigabyte), "the seed");
    expect(problem).toMatch(
      /^3:31 training the seed needs about \d+(\.\d)? GB of memory, but this machine has 1 GB: lower `microBatch` to \d+, the largest that fits$/,
    );
    const fitting = Number(/microBatch` to (\d+)/.exec(problem!)![1]);
    const withMicroBatch = async (size: number) =>
      about(await check(big.replace("microBatch: 16", `microBatch: ${size}`), undefined, gigabyte), "the seed");
    expect(await withMicroBatch(fitting)).toEqual([]);
    expect(await withMicroBatch(fitting * 2)).toHaveLength(1);
  });

  it("says what else to lower when no micro-batch fits, even for sizes beyond all machines", async () => {
    const text = `${domain}model: {hidden: 1000000, layers: 1024, ffn: 4000000}\n`;
    const [problem] = about(await check(text, undefined, gigabyte), "the seed");
    expect(problem).toMatch(/^2:8 training the seed needs about 262 PB of memory, but this machine has 1 GB: /);
    expect(problem).toContain(
      ": lower `model.hidden`, `model.layers`, `model.ffn` or `model.context`, since not even a micro-batch of 1 fits",
    );
  });

  it("counts one expert, the largest: those that do not fit together wait for each other", async () => {
    const text = "domains:\n  a: {files: a.txt}\n  b: {files: a.txt, microBatch: 8}\n";
    const one = trainingMemory({ vocab: 1024, ...parsed(text).model }, 16);
    const experts = async (memory: number) =>
      about(await check(text, undefined, { memory, free: memory }), "an expert");
    expect(await experts(one)).toEqual([]);
    expect((await experts(one - 1))[0]).toContain("training an expert needs about");
  });

  it("counts the experts that a token goes to, and the width of split ones", async () => {
    const { model } = parsed(domain);
    const need = (experts: number, router: RouterConfig, ffn?: number) => {
      const names = Array.from({ length: experts }, (_, i) => `e${i}`);
      const moe = { experts: names, layers: [0, 1, 2, 3], router, ...(ffn ? { ffn } : {}) };
      return trainingMemory({ vocab: 1024, ...model, moe }, 16);
    };
    const fits = async (mix: string, memory: number) => {
      const machine = { memory, free: memory };
      return about(await check(`${domain}mix: {${mix}}\n`, undefined, machine), "the mixed model").length === 0;
    };
    const soft = need(2, { type: "soft", loadBalance: 0.01 });
    expect([await fits("router: {type: soft}", soft), await fits("router: {type: soft}", soft - 1)]).toEqual([
      true,
      false,
    ]);
    const one = need(2, { type: "switch", capacity: 1.5, loadBalance: 0.01 });
    expect(one).toBeLessThan(soft);
    expect([await fits("router: {type: switch}", one), await fits("router: {type: switch}", one - 1)]).toEqual([
      true,
      false,
    ]);
    const split = need(4, { type: "top-k", k: 2, loadBalance: 0.01 }, 176);
    expect([await fits("split: 2, router: {k: 2}", split), await fits("split: 2, router: {k: 2}", split - 1)]).toEqual([
      true,
      false,
    ]);
  });

  it("names the graphics card whose memory it is", async () => {
    const card = { memory: 1e9, free: 1e9, name: "cuda:0 (NVIDIA T400)" };
    const [problem] = about(await check(big, undefined, card), "the seed");
    expect(problem).toMatch(/ of memory, but cuda:0 \(NVIDIA T400\) has 1 GB: lower `microBatch` to \d+, the largest/);
    const [busy] = about(await check(big, undefined, { ...card, memory: 64e9 }), "the seed");
    expect(busy).toMatch(/ but only 1 GB is free now on cuda:0 \(NVIDIA T400\): lower/);
  });

  it("counts parameters and moments once more where a step's new ones lie beside the old", async () => {
    const text = "domains: {a: {files: a.txt}}\n";
    const config = { vocab: 1024, ...parsed(text).model };
    const [once, twice] = [trainingMemory(config, 16), trainingMemory(config, 16, { stateTwice: true })];
    expect(twice - once).toBe(12 * parameterCount(config).total);
    const seed = async (memory: number, stateTwice: boolean) =>
      about(await check(text, undefined, { memory, free: memory, stateTwice }), "the seed").length;
    expect([await seed(once, false), await seed(twice - 1, true), await seed(twice, true)]).toEqual([0, 1, 0]);
  });

  it("only warns of what is larger than the memory that is free just now", async () => {
    const [problem] = about(await check(big, undefined, { memory: 64e9, free: 1e9 }), "the seed");
    expect(problem).toMatch(/^3:31 warning training the seed needs about .* but only 1 GB is free now: lower/);
  });
});

describe("checkExperiment, on devices", () => {
  const devices = async (text: string) =>
    (await check(`domains: {a: {files: a.txt}}\n${text}`)).filter((one) => one.includes("device"));

  it("takes those of the engine", async () => {
    expect(await devices("devices: [cuda:1, webgpu, cpu]\n")).toEqual([]);
    expect(await devices("engine: tfjs\ndevices: [tfjs-node-gpu, cpu]\n")).toEqual([]);
  });

  it("tells of one that another engine has, and of one named twice", async () => {
    expect(await devices("devices: [tfjs-node]\n")).toEqual([
      "2:11 `tfjs-node` is a device of the engine `tfjs`: set `engine: tfjs`, or name another device",
    ]);
    expect(await devices("engine: tfjs\ndevices: [cpu, webgpu]\n")).toEqual([
      "3:16 `webgpu` is a device of the engine `onnx`: set `engine: onnx`, or name another device",
    ]);
    expect(await devices("devices: [cpu, cpu]\n")).toEqual(["2:16 `devices` names `cpu` twice"]);
  });
});
