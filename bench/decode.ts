import { cpuEngine } from "../server/engine/onnx/engine.ts";
import { generator } from "../server/evaluation/generate.ts";
import { initialParameters, parameterShapes } from "../server/model/parameters.ts";
import { sizeOf } from "../server/ops/program.ts";
import { EMBEDDING } from "../server/parameters/names.ts";
import { median } from "./measure.ts";
import { large } from "./program.ts";

export interface Decoding {
  /** Tokens a second of greedy decoding with a cache of keys and values, batch 1, 34.1 M parameters. */
  tokensPerSecond: number;
  /** Bytes a second that a copy from memory to memory reads and writes. */
  copy: number;
  /** Tokens a second over those for which the weights would be read at the speed of the copy: the median over rounds. */
  share: number;
}

/** Bytes of the weights that a token meets: all but the embedding, of which it reads one row. */
const weightBytes = [...parameterShapes(large)]
  .filter(([name]) => name !== EMBEDDING)
  .reduce((sum, [, shape]) => sum + 4 * sizeOf(shape), 0);

// Written, for memory that never was is one page of zeros, which stays in the cache.
const buffers = [new Uint8Array(256e6).fill(1), new Uint8Array(256e6)] as const;

function copySpeed(): number {
  const start = performance.now();
  for (let i = 0; i < 5; i++) buffers[1].set(buffers[0]);
  return (2 * 5 * buffers[0].length) / ((performance.now() - start) / 1000);
}

/** Decoding and copies in turn. */
export async function decoding(threads: number, count: number): Promise<Decoding> {
  const generation = await generator(large, initialParameters(large, 1), { rows: 1, engine: cpuEngine(threads) });
  const tokensPerSecond = async (): Promise<number> => {
    const start = performance.now();
    const options = { tokens: 200, temperature: 0, topP: 1, randomSeed: 0, stop: () => false };
    const [written] = await generation.generate([[1, 2, 3]], options);
    return written!.length / ((performance.now() - start) / 1000);
  };
  await tokensPerSecond();
  copySpeed();
  const rounds: Decoding[] = [];
  for (let round = 0; round < count; round++) {
    const copy = copySpeed();
    const tokens = await tokensPerSecond();
    rounds.push({ tokensPerSecond: tokens, copy, share: tokens / (copy / weightBytes) });
  }
  await generation.dispose();
  const medianOf = (of: (round: Decoding) => number) => median(rounds.map(of));
  return {
    tokensPerSecond: medianOf((round) => round.tokensPerSecond),
    copy: medianOf((round) => round.copy),
    share: medianOf((round) => round.share),
  };
}
