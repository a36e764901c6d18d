import * as z from "zod";
import type { RopeScaling } from "../../protocol/architecture.ts";
import type { ModelConfig } from "../../protocol/model.ts";
import type { FoundConfig } from "./family.ts";

/**
 * Rotary embeddings in `config.json`: `rope_parameters`, or `rope_theta` and `rope_scaling` in files of Transformers 4.
 */

const positive = z.number().positive();
const ropeSchema = z.looseObject({
  rope_type: z.string().nullish(),
  type: z.string().nullish(),
  rope_theta: positive.nullish(),
  partial_rotary_factor: positive.max(1).nullish(),
  factor: positive.nullish(),
  original_max_position_embeddings: z.int().min(1).nullish(),
  low_freq_factor: positive.nullish(),
  high_freq_factor: positive.nullish(),
  beta_fast: positive.nullish(),
  beta_slow: positive.nullish(),
  truncate: z.boolean().nullish(),
  attention_factor: positive.nullish(),
  mscale: positive.nullish(),
  mscale_all_dim: positive.nullish(),
  short_factor: z.array(positive).nullish(),
  long_factor: z.array(positive).nullish(),
});
type FoundRope = z.infer<typeof ropeSchema>;

export type Rope = Pick<ModelConfig, "ropeTheta" | "ropeScaling" | "ropeShare">;

interface Defaults {
  theta: number;
  share?: number;
  /** Most positions of the model. */
  context: number;
  /** Rotated pairs of elements in a head, given the share. */
  pairs(share: number): number;
}

/**
 * The rotary embeddings of all layers. With `kind`, those of one kind of layer, where each has its own in
 * `rope_parameters`.
 *
 * @throws UserError naming file and key for a scaling that is not computed.
 */
export function readRope(found: FoundConfig, defaults: Defaults, kind?: string): Rope {
  const all = found.get("rope_parameters", z.looseObject({}));
  const nested = Object.entries(all ?? {}).find(([, value]) => isObject(value))?.[0];
  if (nested !== undefined && kind === undefined)
    found.refuse(
      `rope_parameters.${nested}`,
      "gives rotary embeddings by kind of layer, which this family does not have",
    );
  const key = all ? "rope_parameters" : "rope_scaling";
  const source = nested === undefined ? found.get(key, ropeSchema) : parsed(found, key, all?.[kind!]);
  const theta = source?.rope_theta ?? found.get("rope_theta", positive) ?? defaults.theta;
  const share =
    source?.partial_rotary_factor ?? found.get("partial_rotary_factor", positive.max(1)) ?? defaults.share ?? 1;
  const scaling = source && scalingOf(found, key, source, defaults, share);
  return {
    ropeTheta: theta,
    ...(scaling ? { ropeScaling: scaling } : {}),
    ...(share === 1 ? {} : { ropeShare: share }),
  };
}

const isObject = (value: unknown): boolean => typeof value === "object" && value !== null && !Array.isArray(value);

function parsed(found: FoundConfig, key: string, value: unknown): FoundRope {
  const result = ropeSchema.safeParse(value);
  if (result.success) return result.data;
  return found.refuse(key, `is not valid (${result.error.issues[0]?.message})`);
}

function scalingOf(
  found: FoundConfig,
  key: string,
  rope: FoundRope,
  { context, pairs }: Defaults,
  share: number,
): RopeScaling | undefined {
  const type = rope.rope_type ?? rope.type ?? (key === "rope_scaling" ? undefined : "default");
  const need = <T>(name: keyof FoundRope, value: T | null | undefined): T =>
    value ?? found.refuse(`${key}.${name}`, "is missing");
  const original =
    rope.original_max_position_embeddings ?? found.get("original_max_position_embeddings", z.int().min(1));
  switch (type) {
    case "default":
      return undefined;
    case "linear":
      return { type, factor: need("factor", rope.factor) };
    case "dynamic":
      return { type, factor: need("factor", rope.factor), original: rope.original_max_position_embeddings ?? context };
    case "llama3":
      return {
        type,
        factor: need("factor", rope.factor),
        lowFrequency: need("low_freq_factor", rope.low_freq_factor),
        highFrequency: need("high_freq_factor", rope.high_freq_factor),
        original: need("original_max_position_embeddings", original),
      };
    case "yarn": {
      const factor = need("factor", rope.factor);
      return {
        type,
        factor,
        original: original ?? context,
        betaFast: rope.beta_fast ?? 32,
        betaSlow: rope.beta_slow ?? 1,
        truncate: rope.truncate ?? true,
        attention: rope.attention_factor ?? yarnAttention(factor, rope),
      };
    }
    case "su":
    case "longrope": {
      const [short, long] = [need("short_factor", rope.short_factor), need("long_factor", rope.long_factor)];
      const from = need("original_max_position_embeddings", original);
      for (const [name, factors] of [
        ["short_factor", short],
        ["long_factor", long],
      ] as const)
        if (factors.length !== pairs(share))
          found.refuse(`${key}.${name}`, `has ${factors.length} factors, but a head has ${pairs(share)} rotated pairs`);
      const factor = rope.factor ?? context / from;
      const attention = rope.attention_factor ?? longRopeAttention(factor, from);
      return { type: "longrope", short, long, original: from, attention };
    }
    case undefined:
      return found.refuse(key, "has no `rope_type`");
    default:
      return found.refuse(
        `${key}.rope_type`,
        `is ${JSON.stringify(type.slice(0, 100))}, but only default, linear, dynamic, llama3, yarn and longrope can be computed`,
      );
  }
}

/** LongRoPE's factor of the attention for a context `factor` times as long as `original` tokens. */
export const longRopeAttention = (factor: number, original: number): number =>
  factor <= 1 ? 1 : Math.sqrt(1 + Math.log(factor) / Math.log(original));

/** YaRN's factor of the attention, arXiv 2309.00071, section 3.4, as Transformers generalizes it. */
function yarnAttention(factor: number, { mscale, mscale_all_dim: all }: FoundRope): number {
  const scale = (weight: number) => (factor <= 1 ? 1 : 0.1 * weight * Math.log(factor) + 1);
  return mscale && all ? scale(mscale) / scale(all) : scale(1);
}

/** As Transformers 4 and 5 read them. */
export function writeRope(
  { ropeTheta, ropeScaling: scaling, ropeShare }: Rope,
  context: number,
): Record<string, unknown> {
  return {
    rope_theta: ropeTheta,
    ...(ropeShare === undefined ? {} : { partial_rotary_factor: ropeShare }),
    rope_scaling: scaling ? { rope_type: scaling.type, ...scalingKeys(scaling, context) } : null,
  };
}

function scalingKeys(scaling: RopeScaling, context: number): Record<string, unknown> {
  switch (scaling.type) {
    case "linear":
      return { factor: scaling.factor };
    case "dynamic":
      return {
        factor: scaling.factor,
        ...(scaling.original === context ? {} : { original_max_position_embeddings: scaling.original }),
      };
    case "llama3":
      return {
        factor: scaling.factor,
        low_freq_factor: scaling.lowFrequency,
        high_freq_factor: scaling.highFrequency,
        original_max_position_embeddings: scaling.original,
      };
    case "yarn":
      return {
        factor: scaling.factor,
        original_max_position_embeddings: scaling.original,
        beta_fast: scaling.betaFast,
        beta_slow: scaling.betaSlow,
        truncate: scaling.truncate,
        attention_factor: scaling.attention,
      };
    case "longrope":
      return {
        short_factor: scaling.short,
        long_factor: scaling.long,
        original_max_position_embeddings: scaling.original,
        attention_factor: scaling.attention,
      };
  }
}
