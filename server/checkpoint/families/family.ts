import * as z from "zod";
import { UserError } from "../../protocol/errors.ts";
import type { ModelConfig } from "../../protocol/model.ts";
import type { StoredTensor } from "../storedTensors.ts";

/**
 * A family of models as Hugging Face's Transformers names it: how its `config.json` describes a model, and how its
 * tensors lie in files. A family is a description; what it computes differently from Llama are keys of the
 * configuration (protocol/architecture.ts).
 */
export interface Family {
  /** `model_type` in `config.json`. */
  type: string;
  /** The class in `architectures`. */
  architecture: string;
  /** @throws UserError naming file and key for a model that this transformer would compute differently. */
  read(found: FoundConfig): ModelConfig;
  /** The keys of `config.json` beyond `architectures` and `model_type`. */
  write(config: ModelConfig): Record<string, unknown>;
  /** How the parameters lie in files, where not under their own names. */
  stored?(config: ModelConfig): StoredTensor[];
}

/** Large enough for any model, small enough to bound the list of parameters of a hostile file. */
const size = z
  .int()
  .min(1)
  .max(2 ** 31);
const count = z.int().min(1).max(1024);

/** A parsed `config.json`, read key by key. `null` counts as absent. */
export class FoundConfig {
  readonly file: string;
  readonly #json: Readonly<Record<string, unknown>>;

  constructor(json: Readonly<Record<string, unknown>>, file: string) {
    this.#json = json;
    this.file = file;
  }

  /** @throws UserError naming file and key if the value is not of this type. */
  get<T>(key: string, schema: z.ZodType<T>): T | undefined {
    const value = Object.hasOwn(this.#json, key) ? (this.#json[key] ?? undefined) : undefined;
    if (value === undefined) return undefined;
    const parsed = schema.safeParse(value);
    if (parsed.success) return parsed.data;
    const issue = parsed.error.issues[0];
    const at = [key, ...(issue?.path ?? [])].map(String).join(".");
    throw new UserError(`${this.file} has no valid \`${at}\`: ${issue?.message}`);
  }

  #required<T>(key: string, schema: z.ZodType<T>): T {
    const value = this.get(key, schema);
    if (value !== undefined) return value;
    throw new UserError(`${this.file} has no valid \`${key}\`: it is missing`);
  }

  /** Whether the file has the key, be it with `null`. */
  has(key: string): boolean {
    return Object.hasOwn(this.#json, key);
  }

  /** Whether the values of an object are objects again, as rotary embeddings by kind of layer are. */
  isNested(key: string): boolean {
    const value = this.get(key, z.looseObject({}));
    return Object.values(value ?? {}).some((one) => typeof one === "object" && one !== null && !Array.isArray(one));
  }

  /** A size that must be there, or has a default. */
  size(key: string, otherwise?: number): number {
    return otherwise === undefined ? this.#required(key, size) : (this.get(key, size) ?? otherwise);
  }

  layerCount(key: string): number {
    return this.#required(key, count);
  }

  boolean(key: string, otherwise: boolean): boolean {
    return this.get(key, z.boolean()) ?? otherwise;
  }

  number(key: string, otherwise: number): number {
    return this.get(key, z.number()) ?? otherwise;
  }

  positive(key: string, otherwise: number): number {
    return this.get(key, z.number().positive()) ?? otherwise;
  }

  string(key: string): string | undefined {
    return this.get(key, z.string());
  }

  /** @throws UserError for a key that asks for what is not computed. */
  refuse(key: string, problem: string): never {
    throw new UserError(`${this.file}: \`${key}\` ${problem}`);
  }

  /** Refuses a key that has another value than those that are computed; absent counts as the first. */
  expect(key: string, ...allowed: unknown[]): void {
    const value = this.get(key, z.unknown());
    if (value !== undefined && !allowed.includes(value))
      this.refuse(
        key,
        `is ${JSON.stringify(value)?.slice(0, 100)}, but only ${allowed.map((one) => JSON.stringify(one)).join(" and ")} can be computed`,
      );
  }
}

/** All layers, by index. */
export const allLayers = ({ layers }: Pick<ModelConfig, "layers">): number[] => layersWhere(layers, () => true);

/** The layers, by index, of which `is` is true. */
export const layersWhere = (count: number, is: (layer: number) => boolean): number[] =>
  Array.from({ length: count }, (_, layer) => layer).filter(is);
