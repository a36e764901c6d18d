/** What came of ours or of a peer on a model. */
export interface Row {
  name: string;
  /** Of ONNX Runtime, PyTorch or JAX. */
  version: string;
  /** Name of the device that it computed on. */
  device: string;
  /** Losses of the first steps, nats per token. */
  losses: number[];
  /** Largest difference of a loss from ours, relative, and what it may be. */
  difference: number;
  limit: number;
  tokensPerSecond: number;
  /** Of our tokens a second in the same round: the median over rounds. */
  share: number;
}

/** A peer that took no part, and why: one sentence. */
export interface LeftOut {
  name: string;
  leftOut: string;
}

export interface Size {
  name: string;
  parameters: number;
  /** B */
  sequences: number;
  /** T */
  context: number;
  rows: (Row | LeftOut)[];
}

const sameComputation = ({ difference, limit }: Row): boolean => difference <= limit;

/** Rows of all sizes whose losses are further from ours than their limit allows. */
export const otherComputations = (sizes: Size[]): Row[] =>
  sizes.flatMap(({ rows }) => rows.filter((row): row is Row => !("leftOut" in row) && !sameComputation(row)));

const columns = ["version", "tokens/s", "of ours", "loss at first", "and last step", "difference"];
const widths = [14, 10, 9, 15, 15, 12];
const NAME_WIDTH = 36;

function cells(row: Row): string[] {
  return [
    row.version,
    Math.round(row.tokensPerSecond).toString(),
    row.share.toFixed(2),
    row.losses[0]!.toFixed(5),
    row.losses.at(-1)!.toFixed(5),
    `${row.difference.toExponential(0)}${sameComputation(row) ? "" : " !"}`,
  ];
}

const line = (name: string, values: string[]): string =>
  name.padEnd(NAME_WIDTH) + values.map((value, i) => value.padStart(widths[i]!)).join("");

/** The table as text: a line for ours and each peer, by size of model. */
export function table(sizes: Size[]): string {
  const lines = [line("", columns)];
  for (const { name, parameters, sequences, context, rows } of sizes) {
    lines.push(`${name}, ${(parameters / 1e6).toFixed(1)} M parameters, ${sequences} x ${context} tokens a step`);
    for (const row of rows)
      lines.push("leftOut" in row ? `  ${row.name}: left out, ${row.leftOut}` : line(`  ${row.name}`, cells(row)));
  }
  return lines.join("\n");
}
