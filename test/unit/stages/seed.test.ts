import { readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { hashFiles } from "../../../server/data/files.ts";
import { prepareData } from "../../../server/data/prepare.ts";
import { byteLevelFiles } from "../../../server/data/tokenizers/build.ts";
import { checkExperiment } from "../../../server/experiment/check.ts";
import type { DataSpec, SeedSpec } from "../../../server/protocol/stage.ts";
import { seed } from "../../../server/stages/seed.ts";
import { safetensorsBytes } from "../checkpoint/files.ts";
import { domain, type Files, folderWith, llamaFiles, long, parsed } from "../experiment/folder.ts";
import { contextOf, stageWithData, temporaryFolder, tiny } from "./support.ts";

/** What `btx check` says of the seed in `llama`, without the key that it names first. */
async function checked(folder: string, tokenizer = ""): Promise<string[]> {
  const file = join(folder, "demo.btx.yaml");
  const problems = await checkExperiment(parsed(`${domain}seed: {from: llama}\n${tokenizer}`), file);
  return problems.map(({ message }) => message.replace(/^`seed\.from`: /, ""));
}

/** What the seed stage fails with; undefined where it takes the seed. Its text has the tokenizer `bytes`. */
async function trained(folder: string): Promise<string | undefined> {
  const { vocab: _, moe: __, ...model } = tiny;
  const from = { path: join(folder, "llama"), sha256: "" };
  const spec: SeedSpec = { kind: "seed", model, randomSeed: 0, from, phases: [] };
  const data = await stageWithData({ code: { documents: ["one text", "another text"] } });
  return seed(contextOf(spec, { parents: { data } })).then(
    () => undefined,
    (error: Error) => `${error.name}: ${error.message}`,
  );
}

const withSeed = (): Promise<string> => folderWith({ "a.txt": long, ...llamaFiles("llama", 1) });

interface Seed {
  folder: string;
  weights: string;
  /** Changes keys of `config.json`. */
  config(keys: Record<string, unknown>): void;
  /** Changes the header of the weights. */
  header(change: (header: Record<string, { dtype: string; shape: number[]; data_offsets: number[] }>) => void): void;
}

function seedIn(folder: string): Seed {
  const path = (name: string) => join(folder, "llama", name);
  const weights = path("model.safetensors");
  return {
    folder: join(folder, "llama"),
    weights,
    config(keys) {
      const config = JSON.parse(readFileSync(path("config.json"), "utf8"));
      writeFileSync(path("config.json"), JSON.stringify({ ...config, ...keys }));
    },
    header(change) {
      const bytes = readFileSync(weights);
      const end = 8 + Number(bytes.readBigUInt64LE());
      const header = JSON.parse(bytes.toString("utf8", 8, end));
      change(header);
      writeFileSync(weights, safetensorsBytes(header, bytes.subarray(end)));
    },
  };
}

const llama3 = { rope_type: "llama3", factor: 8, low_freq_factor: 1, high_freq_factor: 4 };

const unusable: [string, (seed: Seed) => void, RegExp][] = [
  [
    "rotary embeddings whose scaling lacks a number",
    (of) => of.config({ rope_scaling: llama3 }),
    /rope_scaling.original/,
  ],
  ["another activation", (of) => of.config({ hidden_act: "gelu" }), /hidden_act.*gelu/],
  ["a quantized model", (of) => of.config({ quantization_config: { bits: 4 } }), /quantiz/],
  ["a model without its head", (of) => of.config({ architectures: ["LlamaModel"] }), /LlamaModel/],
  ["another family", (of) => of.config({ model_type: "deepseek_v3" }), /deepseek_v3/],
  ["no context", (of) => of.config({ max_position_embeddings: undefined }), /max_position_embeddings/],
  ["heads that cannot be shared", (of) => of.config({ num_key_value_heads: 3 }), /num_key_value_heads/],
  [
    "a Mixture-of-Experts",
    (of) => of.config({ model_type: "mixtral", num_local_experts: 4 }),
    /is a Mixture-of-Experts already/,
  ],
  [
    "a vocabulary that is not that of the weights",
    (of) => of.config({ vocab_size: 300 }),
    /tensor "model.embed_tokens.weight" of shape \[257, 64\], but its model needs \[300, 64\]/,
  ],
  [
    "a vocabulary that is not the tokenizer's",
    (of) => {
      of.config({ vocab_size: 256 });
      of.header((header) => {
        for (const name of ["model.embed_tokens.weight", "lm_head.weight"]) header[name]!.shape = [256, 64];
        let end = 0;
        for (const tensor of Object.values(header)) {
          const size = 2 * tensor.shape.reduce((product, length) => product * length, 1);
          tensor.data_offsets = [end, end + size];
          end += size;
        }
      });
      const bytes = readFileSync(of.weights);
      writeFileSync(of.weights, bytes.subarray(0, bytes.length - 2 * 2 * 64));
    },
    /has a vocabulary of 256 tokens, and the tokenizer one of 257/,
  ],
  [
    "a tensor that is missing",
    (of) =>
      of.header((header) => {
        header.other = header["model.norm.weight"]!;
        delete header["model.norm.weight"];
      }),
    /has no tensor "model.norm.weight" of shape \[64\]/,
  ],
  [
    "a tensor that its model has no place for",
    (of) =>
      of.header((header) => {
        const end = Math.max(...Object.values(header).map(({ data_offsets }) => data_offsets[1]!));
        header.other = { dtype: "F16", shape: [0], data_offsets: [end, end] };
      }),
    /has tensor "other", which its model does not have/,
  ],
  [
    "whole numbers for weights",
    (of) => of.header((header) => Object.assign(header["model.norm.weight"]!, { dtype: "I16" })),
    /tensor "model.norm.weight" of type I16/,
  ],
  [
    "weights cut short",
    (of) => writeFileSync(of.weights, readFileSync(of.weights).subarray(0, -10)),
    /the file is truncated/,
  ],
  [
    "a pointer of Git LFS",
    (of) => writeFileSync(of.weights, "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n"),
    /is a Git LFS pointer/,
  ],
  ["no weights", (of) => rmSync(of.weights), /has neither model.safetensors nor/],
  [
    "an adapter",
    (of) => {
      renameSync(of.weights, join(of.folder, "adapter_model.safetensors"));
      writeFileSync(join(of.folder, "adapter_config.json"), "{}");
    },
    /holds an adapter \(LoRA\)/,
  ],
  [
    "a shard that is missing",
    (of) => {
      renameSync(of.weights, join(of.folder, "model-00001-of-00002.safetensors"));
      const index = { weight_map: { "lm_head.weight": "model-00002-of-00002.safetensors" } };
      writeFileSync(join(of.folder, "model.safetensors.index.json"), JSON.stringify(index));
    },
    /model-00002-of-00002\.safetensors/,
  ],
];

describe("a seed that cannot be used is refused by the check as by the stage", () => {
  test.each(unusable)("%s", async (_, spoil, sentence) => {
    const folder = await withSeed();
    spoil(seedIn(folder));
    const [said, ...more] = await checked(folder);
    expect(said).toMatch(sentence);
    expect(more).toEqual([]);
    expect(await trained(folder)).toBe(`UserError: ${said}`);
  });

  test("and one that the check passes, the stage takes", async () => {
    const folder = await withSeed();
    expect(await checked(folder)).toEqual([]);
    expect(await trained(folder)).toBeUndefined();
  });
});

const { tokenizer, config } = byteLevelFiles([]);
const unreadable: [string, Files, RegExp][] = [
  ["that is not JSON", { "t/tokenizer.json": "{" }, /is not a Hugging Face tokenizer/],
  ["without a model", { "t/tokenizer.json": "{}" }, /it has no `model`/],
  [
    "whose end-of-text token is no token",
    { "t/tokenizer.json": tokenizer, "t/tokenizer_config.json": '{"eos_token": "<none>"}' },
    /the eos_token "<none>"/,
  ],
  [
    "without an end-of-text token",
    { "t/tokenizer.json": JSON.stringify({ model: { type: "BPE", vocab: { a: 0, b: 1 }, merges: [] } }) },
    /has no end-of-text token/,
  ],
  [
    "of a kind that the library does not know",
    {
      "t/tokenizer.json": JSON.stringify({ ...JSON.parse(tokenizer), pre_tokenizer: { type: "Unheard" } }),
      "t/tokenizer_config.json": config,
    },
    /is not a Hugging Face tokenizer: .*Unheard/,
  ],
];

describe("a tokenizer that cannot be used is refused by the check as by the data stage", () => {
  test.each(unreadable)("one %s", async (_, files, sentence) => {
    const folder = await folderWith({ "a.txt": long, ...llamaFiles(), ...files });
    const [said, ...more] = await checked(folder, "tokenizer: {type: file, path: t}\n");
    expect(said).toMatch(sentence);
    expect(more).toEqual([]);
    const path = join(folder, "t", "tokenizer.json");
    const text = join(folder, "a.txt");
    const spec: DataSpec = {
      kind: "data",
      tokenizer: { type: "file", path, sha256: await hashFiles([path]) },
      domains: { code: { files: [text], sha256: await hashFiles([text]) } },
      heldOut: 0.5,
    };
    await expect(prepareData(spec, temporaryFolder())).rejects.toMatchObject({ name: "UserError", message: said });
  });
});
