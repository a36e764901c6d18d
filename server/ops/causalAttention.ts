import {
  add,
  cast,
  concat,
  expandDims,
  floorDiv,
  greater,
  lessEqual,
  logicalOr,
  mul,
  range,
  scalar,
  slice,
  square,
  sub,
  sum,
  type Tensor,
  tanh,
} from "@tensorflow/tfjs-core";
import { type Arithmetic, inFloat32 } from "./arithmetic.ts";
import { differentiable } from "./differentiable.ts";
import { MASKED, maskedSoftmax } from "./maskedSoftmax.ts";

/** Queries at times `from` to `to` (exclusive). They see no key at time `to` or later. */
export interface CausalBlock {
  from: number;
  to: number;
  /** Additive mask [(to - from) * G, to]. */
  mask: Tensor;
}

/** More blocks skip more of the masked half but copy more keys; shorter blocks are no faster. */
const BLOCK_LENGTH = 256;
const MOST_BLOCKS = 4;

/**
 * Splits attention over T times into blocks of queries, with their masks; there are G query heads per key head.
 * With n blocks, only (n + 1) / 2n of the T x T scores are computed. Layers with the same window can share the result.
 *
 * @param window tokens that a query sees, itself included; absent: all up to itself.
 */
export function causalBlocks(
  time: number,
  group: number,
  { window, count = blockCount(time) }: { window?: number | undefined; count?: number } = {},
): CausalBlock[] {
  return Array.from({ length: count }, (_, i) => {
    const from = Math.floor((i * time) / count);
    const to = Math.floor(((i + 1) * time) / count);
    const rows = range(from * group, to * group, 1, "int32");
    const times = group === 1 ? rows : floorDiv(rows, scalar(group, "int32"));
    const keys = expandDims(range(0, to, 1, "int32"), 0);
    const query = expandDims(times, 1);
    return { from, to, mask: mul(cast(unseen(keys, query, window), "float32"), MASKED) };
  });
}

const blockCount = (time: number): number => Math.max(1, Math.min(MOST_BLOCKS, Math.floor(time / BLOCK_LENGTH)));

/** Whether a query does not see a key, by their times: later keys, and those `window` or more tokens before it. */
export function unseen(key: Tensor, query: Tensor, window?: number): Tensor {
  const future = greater(key, query);
  if (window === undefined) return future;
  return logicalOr(future, lessEqual(key, sub(query, scalar(window, "int32"))));
}

/** Elements `from` to `to` (exclusive) along axis 2 of a rank-4 tensor. */
function part(x: Tensor, from: number, to: number): Tensor {
  const [batch, heads, rows, width] = x.shape as [number, number, number, number];
  if (from === 0 && to === rows) return x;
  return slice(x, [0, 0, from, 0], [batch, heads, to - from, width]);
}

const joined = (parts: Tensor[]): Tensor => (parts.length === 1 ? parts[0]! : concat(parts, 2));

/** Sum of tensors that cover growing prefixes of axis 2; the last one covers all of it. */
function sumOfPrefixes(prefixes: Tensor[]): Tensor {
  let total = prefixes.at(-1)!;
  const tails: Tensor[] = [];
  for (const prefix of prefixes.slice(0, -1).reverse()) {
    const length = prefix.shape[2]!;
    tails.unshift(part(total, length, total.shape[2]!));
    total = add(part(total, 0, length), prefix);
  }
  return joined([total, ...tails]);
}

/**
 * Causal attention: softmax(q k^T + mask) v.
 *
 * q [B, Hkv, T*G, d] is already scaled, as by 1 / sqrt(d); its row t*G + g is query head g of its key head at time t.
 * k and v are [B, Hkv, T, d]. Returns [B, Hkv, T*G, d]. No key or value is repeated for grouped queries.
 * With `softCap` c the scores s become c tanh(s / c) before they are masked. The gradient uses rowsum(dO * O) instead of rowsum(dP * P), as FlashAttention does (arXiv 2205.14135, B.2). The
 * softmax is always float32.
 */
export function causalAttention(
  q: Tensor,
  k: Tensor,
  v: Tensor,
  blocks: CausalBlock[],
  { operand, matMul }: Arithmetic = inFloat32,
  softCap?: number,
): Tensor {
  const group = q.shape[2]! / k.shape[2]!;
  const rowsOf = (x: Tensor, { from, to }: CausalBlock) => part(x, from * group, to * group);

  return differentiable<[Tensor, Tensor, Tensor, Tensor, ...Tensor[]]>(
    [q, k, v],
    (save) => {
      const scores = blocks.map((block) => matMul(rowsOf(q, block), part(k, 0, block.to), false, true));
      // With a cap c the scores are c u, u = tanh(s / c).
      const capped = softCap === undefined ? [] : scores.map((one) => tanh(mul(one, 1 / softCap)));
      const probabilities = blocks.map(({ mask }, i) => {
        const score = softCap === undefined ? scores[i]! : mul(capped[i]!, softCap);
        return operand(maskedSoftmax(score, mask));
      });
      const out = joined(blocks.map(({ to }, i) => matMul(probabilities[i]!, part(v, 0, to))));
      save(q, k, v, out, ...probabilities, ...capped);
      return out;
    },
    (dOut, query, key, value, out, ...saved) => {
      const [probabilities, capped] = [saved.slice(0, blocks.length), saved.slice(blocks.length)];
      const delta = sum(mul(dOut, out), -1, true);
      const dScores = blocks.map((block, i) => {
        const dP = matMul(rowsOf(dOut, block), part(value, 0, block.to), false, true);
        const dScore = mul(probabilities[i]!, sub(dP, rowsOf(delta, block)));
        // d (c tanh(s / c)) / ds = 1 - u^2
        return softCap === undefined ? dScore : mul(dScore, sub(1, square(capped[i]!)));
      });
      return [
        joined(blocks.map(({ to }, i) => matMul(dScores[i]!, part(key, 0, to)))),
        sumOfPrefixes(blocks.map((block, i) => matMul(dScores[i]!, rowsOf(query, block), true))),
        sumOfPrefixes(blocks.map((block, i) => matMul(probabilities[i]!, rowsOf(dOut, block), true))),
      ];
    },
  );
}
