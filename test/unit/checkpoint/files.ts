import { writeFileSync } from "node:fs";
import type { ModelConfig } from "../../../server/protocol/model.ts";

/** Bytes of a safetensors file with any header, right or wrong. */
export function safetensorsBytes(header: unknown, data: Uint8Array, headerBytes?: bigint): Buffer {
  const json = Buffer.from(typeof header === "string" ? header : JSON.stringify(header));
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(headerBytes ?? BigInt(json.length));
  return Buffer.concat([prefix, json, data]);
}

export function writeRaw(path: string, header: unknown, data = new Uint8Array(), headerBytes?: bigint): void {
  writeFileSync(path, safetensorsBytes(header, data, headerBytes));
}

export const denseConfig: ModelConfig = {
  vocab: 11,
  context: 16,
  layers: 2,
  hidden: 8,
  heads: 4,
  kvHeads: 2,
  headSize: 2,
  ffn: 12,
  ropeTheta: 10_000,
  normEps: 1e-5,
  tiedEmbeddings: false,
  attentionBias: false,
  ffnBias: false,
};

export const moeConfig: ModelConfig = {
  ...denseConfig,
  moe: { experts: ["code", "math", "seed"], layers: [0, 1], router: { type: "top-k", k: 2, loadBalance: 0.01 } },
};
