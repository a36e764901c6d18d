import { DamagedError } from "../disk/damaged.ts";
import type { OpenedModel } from "../evaluation/openCheckpoint.ts";
import { expertNames, type FeedForwardNames, feedForwardNames } from "../parameters/names.ts";
import { UserError } from "../protocol/errors.ts";
import type { WeightDistance } from "../protocol/inspect.ts";
import { expertWidth } from "../protocol/model.ts";
import type { MixSpec } from "../protocol/stage.ts";
import { type FoundModel, mixOf, seedOf } from "../runs/findModel.ts";
import { openModel } from "./openModel.ts";

/**
 * Distances of an expert's block, by layer: from the seed's block, cut as the mix cut the models' blocks, and from each
 * other expert's. The seed is left out if its checkpoint is gone or its blocks have another width.
 */
export async function weightDistances(
  found: FoundModel,
  { config, parameters }: OpenedModel,
  expert: number,
): Promise<WeightDistance[]> {
  const { experts, layers } = config.moe!;
  const width = expertWidth(config);
  const own = (layer: number, index: number): Block => blockOf(parameters, expertNames(layer, index), width);
  const distances: WeightDistance[] = [];
  const add = (is: WeightDistance["is"], to: string, other: (layer: number) => Block, rows?: Int32Array) => {
    const measured = layers.map((layer) => distance(own(layer, expert), other(layer), rows));
    distances.push({
      is,
      to,
      relative: measured.map(({ relative }) => relative),
      cosine: measured.map(({ cosine }) => cosine),
    });
  };
  const seed = await openSeed(found);
  const mix = mixOf(found)?.spec;
  if (seed && mix) {
    const rows = seedRows(mix, expert, seed.config.ffn);
    if (rows.length === width && seed.config.hidden === config.hidden)
      add("seed", "seed", (layer) => blockOf(seed.parameters, feedForwardNames(layer), seed.config.ffn), rows);
  }
  for (const [index, name] of experts.entries())
    if (index !== expert) add("expert", name, (layer) => own(layer, index));
  return distances;
}

async function openSeed(found: FoundModel): Promise<OpenedModel | undefined> {
  const stage = seedOf(found);
  if (!stage) return undefined;
  try {
    return await openModel(found, stage);
  } catch (error) {
    if (!(error instanceof UserError) || error instanceof DamagedError) throw error;
    return undefined;
  }
}

/**
 * Rows of the seed's block, of width F, that an expert's block was cut from: BTX §3.3, see stages/mixing/experts.ts.
 */
function seedRows({ experts, split, blend }: MixSpec, expert: number, ffn: number): Int32Array {
  const parts = blend ? experts.length : (split ?? 1);
  const size = Math.floor(ffn / parts);
  const first = (expert % parts) * size;
  const times = blend ? experts.length : 1;
  return Int32Array.from({ length: size * times }, (_, row) => first + (row % size));
}

/** A feed-forward block: gate and up [F, D], down [D, F]. */
interface Block {
  width: number;
  gate: Float32Array;
  up: Float32Array;
  down: Float32Array;
}

function blockOf(parameters: OpenedModel["parameters"], names: FeedForwardNames, width: number): Block {
  const weight = (name: string) => parameters.get(`${name}.weight`)!.data;
  return { width, gate: weight(names.gate), up: weight(names.up), down: weight(names.down) };
}

/**
 * Distance of the three weights, each block taken as one vector. @param rows the row of b for each row of a; absent:
 * the same.
 */
function distance(a: Block, b: Block, rows?: Int32Array): { relative: number; cosine: number } {
  const hidden = a.gate.length / a.width;
  let [difference, product, ofA, ofB] = [0, 0, 0, 0];
  const add = (x: number, y: number) => {
    difference += (x - y) ** 2;
    product += x * y;
    ofA += x * x;
    ofB += y * y;
  };
  for (let row = 0; row < a.width; row++) {
    const other = rows ? rows[row]! : row;
    for (let d = 0; d < hidden; d++) {
      add(a.gate[row * hidden + d]!, b.gate[other * hidden + d]!);
      add(a.up[row * hidden + d]!, b.up[other * hidden + d]!);
      add(a.down[d * a.width + row]!, b.down[d * b.width + other]!);
    }
  }
  return { relative: Math.sqrt(difference / ofB), cosine: product / Math.sqrt(ofA * ofB) };
}
