import { join } from "node:path";
import * as z from "zod";
import { readBounded, statsOf } from "../disk/open.ts";
import { UserError } from "../protocol/errors.ts";
import { quoted } from "./header.ts";
import { refuseAdapter } from "./readConfig.ts";
import { openSafetensors, type TensorReader } from "./safetensors.ts";

/** A checkpoint's weights: `model.safetensors`, or shards and their index. */

export const weightsFile = "model.safetensors";
export const weightsIndexFile = "model.safetensors.index.json";
const maxIndexBytes = 96 << 20;
const maxShards = 10_000;

const exists = async (path: string): Promise<boolean> => (await statsOf(path)) !== undefined;

/**
 * Opens the weights in a checkpoint's folder.
 *
 * @throws UserError naming the file and tensor that is wrong.
 */
export async function openWeights(folder: string): Promise<TensorReader> {
  const single = join(folder, weightsFile);
  if (await exists(single)) return openSafetensors(single);
  const index = join(folder, weightsIndexFile);
  if (await exists(index)) return openShards(folder, index);
  await refuseAdapter(folder);
  throw new UserError(
    `the folder ${folder} has neither ${weightsFile} nor ${weightsIndexFile}: only weights in the safetensors format can be read`,
  );
}

async function openShards(folder: string, indexPath: string): Promise<TensorReader> {
  const shardOf = await readIndex(indexPath);
  const shards = new Map<string, TensorReader>();
  const close = async (): Promise<void> => {
    for (const shard of shards.values()) await shard.close();
  };
  try {
    for (const file of new Set(shardOf.values())) shards.set(file, await openSafetensors(join(folder, file)));
    for (const [file, shard] of shards)
      for (const name of shard.names)
        if (shardOf.get(name) !== file)
          throw new UserError(
            `${join(folder, file)} contains tensor ${quoted(name)}, which ${indexPath} does not assign to it`,
          );
    const find = (name: string): TensorReader => {
      const shard = shards.get(shardOf.get(name) ?? "");
      if (!shard) throw new UserError(`${indexPath} has no tensor ${quoted(name)}`);
      return shard;
    };
    for (const name of shardOf.keys()) find(name).tensor(name);
    return {
      names: [...shardOf.keys()],
      tensor: (name) => find(name).tensor(name),
      read: async (name) => find(name).read(name),
      readInto: async (name, target) => find(name).readInto(name, target),
      readFloat32: async (name) => find(name).readFloat32(name),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

const indexSchema = z.object({ weight_map: z.unknown() });

/** Tensor name to shard file. */
async function readIndex(path: string): Promise<Map<string, string>> {
  const text = (await readBounded(path, maxIndexBytes)).toString("utf8");
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw new UserError(`${path} is not valid JSON`);
  }
  const map = indexSchema.safeParse(json).data?.weight_map;
  if (typeof map !== "object" || map === null || Array.isArray(map))
    throw new UserError(`${path} has no valid \`weight_map\``);
  const shardOf = new Map<string, string>();
  for (const [name, file] of Object.entries(map)) {
    if (typeof file !== "string" || !/^[\w-][\w.-]*\.safetensors$/.test(file))
      throw new UserError(
        `${path} assigns tensor ${quoted(name)} to ${JSON.stringify(file)}, which is not a file in its folder`,
      );
    shardOf.set(name, file);
  }
  if (new Set(shardOf.values()).size > maxShards) throw new UserError(`${path} names more than ${maxShards} shards`);
  return shardOf;
}
