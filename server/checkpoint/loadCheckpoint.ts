import { stat } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { UserError } from "../protocol/errors.ts";
import type { ModelConfig } from "../protocol/model.ts";
import { isFloat } from "./dtypes.ts";
import { storedTensors } from "./families/index.ts";
import { quoted } from "./header.ts";
import { configFile, parseConfig, readConfigText } from "./readConfig.ts";
import type { TensorReader } from "./safetensors.ts";
import { type Checkpoint, type Parameter, replacedFolder } from "./saveCheckpoint.ts";
import { asParameters } from "./storedTensors.ts";
import { openWeights } from "./weights.ts";

/**
 * Names and shapes that a checkpoint must have, given directly or as a function of its configuration
 * (`parameterShapes`).
 */
export type ExpectedShapes = ReadonlyMap<string, number[]> | ((config: ModelConfig) => ReadonlyMap<string, number[]>);

export interface OpenCheckpoint {
  folder: string;
  config: ModelConfig;
  weights: TensorReader;
  /** The parameters: the expected ones in the given order, or all of them. */
  names: string[];
}

/** How many times, and after how many ms, to retry opening a checkpoint that was replaced while being opened. */
const attempts = 50;
const pauseMs = 20;

/**
 * Opens a checkpoint's folder for reading tensor by tensor: configuration and weights of one save, even while another
 * is being made (`saveCheckpoint`). Close `weights` when done.
 *
 * @throws UserError naming the file, and the key or tensor, that is wrong.
 */
export async function openCheckpoint(folder: string, expected?: ExpectedShapes): Promise<OpenCheckpoint> {
  for (let attempt = 1; ; attempt++) {
    const before = await identity(folder);
    const source = before === undefined ? replacedFolder(folder) : folder;
    try {
      if (before === undefined && (await identity(source)) === undefined)
        throw new UserError(`the folder ${folder} does not exist`);
      const opened = await openOnce(source, expected);
      if ((await identity(folder)) === before || attempt === attempts) return opened;
      await opened.weights.close();
    } catch (error) {
      const replaced = (await identity(folder)) !== before;
      if (!replaced || attempt === attempts) throw error;
    }
    await setTimeout(pauseMs);
  }
}

/** Distinguishes a folder from another one of the same name; undefined if the folder does not exist. */
const identity = (folder: string): Promise<string | undefined> =>
  stat(folder, { bigint: true }).then(
    (info) => `${info.dev}:${info.ino}`,
    () => undefined,
  );

async function openOnce(folder: string, expected?: ExpectedShapes): Promise<OpenCheckpoint> {
  const path = join(folder, configFile);
  const config = parseConfig(await readConfigText(path), path);
  const weights = asParameters(await openWeights(folder), storedTensors(config));
  try {
    if (!expected) return { folder, config, weights, names: weights.names };
    const shapes = typeof expected === "function" ? expected(config) : expected;
    checkParameters(folder, config, weights, shapes);
    return { folder, config, weights, names: [...shapes.keys()] };
  } catch (error) {
    await weights.close();
    throw error;
  }
}

/**
 * Reads a checkpoint's folder into memory, as float32 (F16 and BF16 are converted).
 *
 * @param expected names and shapes it must have, in this order; without it all tensors are read as they are.
 * @throws UserError naming the first tensor that is missing, surplus or of another shape, or the file that is wrong.
 */
export const loadCheckpoint = async (folder: string, expected?: ExpectedShapes): Promise<Checkpoint> =>
  readCheckpoint(await openCheckpoint(folder, expected));

/**
 * Reads an open checkpoint into memory, as float32, and closes it.
 *
 * @throws UserError naming file and tensor; also for values that no training has: NaN, infinity, an embedding of zeros.
 */
export async function readCheckpoint({ folder, config, weights, names }: OpenCheckpoint): Promise<Checkpoint> {
  try {
    const tensors = new Map<string, Parameter>();
    for (const name of names) {
      const data = await weights.readFloat32(name);
      checkValues(folder, name, data);
      tensors.set(name, { shape: weights.tensor(name).shape, data });
    }
    return { config, tensors };
  } finally {
    await weights.close();
  }
}

/** @throws UserError if a tensor contains NaN or infinity, or is an embedding of zeros. */
export function checkValues(folder: string, name: string, values: Float32Array): void {
  const remedy = "use another checkpoint, or make this one again";
  // 0 times a number is 0; 0 times NaN or infinity is NaN. A sum is several times faster than a test of each value.
  let sum = 0;
  for (let at = 0; at < values.length; at++) sum += 0 * values[at]!;
  if (sum !== 0)
    throw new UserError(`the checkpoint ${folder} contains NaN or infinity in tensor ${quoted(name)}: ${remedy}`);
  if (name === "model.embed_tokens.weight" && values.length > 0 && values.every((value) => value === 0))
    throw new UserError(`the checkpoint ${folder} contains only zeros in tensor ${quoted(name)}: ${remedy}`);
}

/** Checks names, shapes and types of a checkpoint's tensors without reading their values. */
function checkParameters(
  folder: string,
  config: ModelConfig,
  weights: TensorReader,
  expected: ReadonlyMap<string, number[]>,
): void {
  const found = new Set(weights.names);
  const text = (shape: number[]): string => `[${shape.join(", ")}]`;
  for (const [name, shape] of expected) {
    if (!found.has(name))
      throw new UserError(`the checkpoint ${folder} has no tensor ${quoted(name)} of shape ${text(shape)}`);
    const { shape: actual, dtype } = weights.tensor(name);
    if (text(actual) !== text(shape))
      throw new UserError(
        `the checkpoint ${folder} has tensor ${quoted(name)} of shape ${text(actual)}, but its model needs ${text(shape)}`,
      );
    if (!isFloat(dtype))
      throw new UserError(
        `the checkpoint ${folder} has tensor ${quoted(name)} of type ${dtype}, but only F32, F16 and BF16 are supported`,
      );
  }
  for (const name of found)
    if (!expected.has(name) && !isNeedless(name, config))
      throw new UserError(`the checkpoint ${folder} has tensor ${quoted(name)}, which its model does not have`);
}

/**
 * Tensors of older checkpoints that are not parameters: a tied head's copy of the embedding, rotary frequencies, and
 * the causal masks of GPT-2 and GPT-NeoX.
 */
const isNeedless = (name: string, config: ModelConfig): boolean =>
  (config.tiedEmbeddings && /^(lm_head|embed_out)\.weight$/.test(name)) ||
  name.endsWith(".rotary_emb.inv_freq") ||
  /^(gpt_neox\.|transformer\.)?(layers|h)\.\d+\.(attention|attn)\.(masked_)?bias$/.test(name);
