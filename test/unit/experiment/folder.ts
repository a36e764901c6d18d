import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { onTestFinished } from "vitest";
import { configFromHuggingFace } from "../../../server/checkpoint/huggingFace.ts";
import { byteLevelFiles } from "../../../server/data/tokenizers/build.ts";
import { checkExperiment } from "../../../server/experiment/check.ts";
import type { Machine } from "../../../server/experiment/checkMemory.ts";
import { parseExperiment } from "../../../server/experiment/parse.ts";
import type { Experiment } from "../../../server/experiment/resolve.ts";
import { parameterShapes } from "../../../server/model/parameters.ts";
import { safetensorsBytes } from "../checkpoint/files.ts";

/** Contents of files by their paths. */
export type Files = Record<string, string | Uint8Array>;

/** A folder with these files that goes away with the test. */
export async function folderWith(files: Files): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "btx-experiment-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), text);
  }
  return folder;
}

/** A text that parses without problems. */
export function parsed(text: string): Experiment {
  const { experiment, problems } = parseExperiment(text, "demo.btx.yaml");
  if (!experiment) throw new Error(problems.map(({ message }) => message).join("; "));
  return experiment;
}

/** `config.json` of a small Llama with the vocabulary of the tokenizer `bytes`. */
export const llamaConfig = {
  model_type: "llama",
  vocab_size: 257,
  hidden_size: 64,
  intermediate_size: 96,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  max_position_embeddings: 256,
  rope_theta: 10000,
  rms_norm_eps: 1e-5,
  tie_word_embeddings: false,
};

/** A small Llama's checkpoint in the folder `name`; every byte of its weights is `value`. */
export function llamaFiles(name = "llama", value = 0): Files {
  const header: Record<string, unknown> = {};
  let bytes = 0;
  for (const [tensor, shape] of parameterShapes(configFromHuggingFace(llamaConfig, "config.json"))) {
    const end = bytes + 2 * shape.reduce((product, size) => product * size, 1);
    header[tensor] = { dtype: "F16", shape, data_offsets: [bytes, end] };
    bytes = end;
  }
  const { tokenizer, config } = byteLevelFiles([]);
  return {
    [`${name}/config.json`]: JSON.stringify(llamaConfig),
    [`${name}/model.safetensors`]: safetensorsBytes(header, new Uint8Array(bytes).fill(value)),
    [`${name}/tokenizer.json`]: tokenizer,
    [`${name}/tokenizer_config.json`]: config,
  };
}

/** A machine that every small model fits on. */
const roomy: Machine = { memory: 64e9, free: 64e9 };
/** Text enough for a context. */
export const long = "a line of text\n".repeat(20);

/** Problems as "line:column message", with the folder's path as `DIR`; warnings are marked. */
export async function check(text: string, files: Files = { "a.txt": long }, machine = roomy) {
  const folder = await folderWith(files);
  const problems = await checkExperiment(parsed(text), join(folder, "demo.btx.yaml"), machine);
  return problems.map(({ line, column, severity, message }) => {
    const mark = severity === "warning" ? "warning " : "";
    return `${line}:${column} ${mark}${message.replaceAll(folder, "DIR")}`;
  });
}

/** An experiment of one domain. */
export const domain = "domains: {code: {files: a.txt}}\n";
