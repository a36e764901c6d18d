/** The flow of tokens from the experts of one layer to those of the next, as bands between columns. */

/** Flow between two experts of neighbouring layers. Heights are shares of a layer's tokens, 0..1, from the top. */
export interface Band {
  /** Place of the layer that the band leaves. */
  layer: number;
  from: number;
  to: number;
  /** Share of all tokens. */
  share: number;
  /** Upper edge where the band leaves and where it arrives. */
  start: number;
  end: number;
}

/** An expert in a layer: a part of the layer's column. */
export interface Node {
  layer: number;
  expert: number;
  share: number;
  top: number;
}

export interface Flow {
  /** [layers * experts], layer by layer, in the order shown. */
  nodes: Node[];
  /** Widest first. */
  bands: Band[];
  /** Share of tokens whose bands are drawn, mean over pairs of layers. */
  drawn: number;
}

/** Maximum number of bands in a picture; more would be slow and invisible. */
export const maxBands = 2000;

/**
 * @param transitions how often each expert of a layer is followed by each of the next layer, in any unit,
 * [layers - 1, experts, experts]. @param shares of tokens, [layers, experts]: the heights of the experts.
 * @param order of experts, from the top. @param most maximum number of bands.
 */
export function flowOf(
  transitions: Float32Array,
  shares: Float32Array,
  experts: number,
  order: readonly number[],
  most = maxBands,
): Flow {
  const layers = shares.length / experts;
  const nodes = columns(shares, experts, order);
  const thick = thicknesses(transitions, shares, experts);
  const least = thick.length > most ? thick.slice().sort()[thick.length - most]! : 0;
  const bands: Band[] = [];
  let drawn = 0;
  for (let layer = 0; layer < layers - 1; layer++) {
    const [leaving, arriving] = [new Float64Array(experts), new Float64Array(experts)];
    for (const node of nodes.slice(layer * experts, (layer + 1) * experts)) leaving[node.expert] = node.top;
    for (const node of nodes.slice((layer + 1) * experts, (layer + 2) * experts)) arriving[node.expert] = node.top;
    for (const from of order) {
      for (const to of order) {
        const share = thick[(layer * experts + from) * experts + to]!;
        if (share > 0 && share >= least) {
          bands.push({ layer, from, to, share, start: leaving[from]!, end: arriving[to]! });
          drawn += share;
        }
        leaving[from]! += share;
        arriving[to]! += share;
      }
    }
  }
  bands.sort((a, b) => b.share - a.share);
  return { nodes, bands, drawn: layers > 1 ? drawn / (layers - 1) : 0 };
}

/** Bands as shares of all tokens, [layers - 1, experts, experts]. */
function thicknesses(transitions: Float32Array, shares: Float32Array, experts: number): Float32Array {
  const thick = new Float32Array(transitions.length);
  for (let row = 0; row < transitions.length / experts; row++) {
    const share = nodeShare(shares, Math.floor(row / experts), row % experts, experts);
    let sum = 0;
    for (let to = 0; to < experts; to++) sum += transitions[row * experts + to] || 0;
    for (let to = 0; sum > 0 && to < experts; to++)
      thick[row * experts + to] = (share * (transitions[row * experts + to] || 0)) / sum;
  }
  return thick;
}

/** An expert's share of its layer; a layer's shares add up to 1. */
function nodeShare(shares: Float32Array, layer: number, expert: number, experts: number): number {
  let sum = 0;
  for (let other = 0; other < experts; other++) sum += shares[layer * experts + other] || 0;
  return sum > 0 ? (shares[layer * experts + expert] || 0) / sum : 0;
}

/** The experts of each layer, stacked from the top. */
function columns(shares: Float32Array, experts: number, order: readonly number[]): Node[] {
  const nodes: Node[] = [];
  for (let layer = 0; layer < shares.length / experts; layer++) {
    let top = 0;
    for (const expert of order) {
      const share = nodeShare(shares, layer, expert, experts);
      nodes.push({ layer, expert, share, top });
      top += share;
    }
  }
  return nodes;
}

/** The experts that an expert's tokens go to in the next layer, likeliest first. */
export function followers(
  transitions: Float32Array,
  experts: number,
  layer: number,
  expert: number,
): { expert: number; share: number }[] {
  const row = transitions.subarray((layer * experts + expert) * experts, (layer * experts + expert + 1) * experts);
  const sum = row.reduce((total, value) => total + value, 0);
  if (!(sum > 0)) return [];
  return Array.from(row, (value, other) => ({ expert: other, share: value / sum }))
    .filter(({ share }) => share > 0)
    .sort((a, b) => b.share - a.share);
}
