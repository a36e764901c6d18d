/** A batch of token ids [B, T + 1] as inputs, all but the last column, and targets, all but the first: each [B, T]. */
export function inputsAndTargets(
  batch: Int32Array,
  rows: number,
  context: number,
): { tokens: Int32Array; targets: Int32Array } {
  const [tokens, targets] = [new Int32Array(rows * context), new Int32Array(rows * context)];
  for (let row = 0; row < rows; row++) {
    const start = row * (context + 1);
    tokens.set(batch.subarray(start, start + context), row * context);
    targets.set(batch.subarray(start + 1, start + context + 1), row * context);
  }
  return { tokens, targets };
}
