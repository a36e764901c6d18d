/**
 * Which domain each sequence of a mixture comes from: the n-th point of a golden-ratio sequence, (n*A + offset) mod
 * 2^32, falls into the interval of one domain, as wide as its weight (Kronecker's low-discrepancy sequence). So any
 * stretch holds the domains in proportion, to within a few sequences, and how often a domain came up before a position
 * has a closed form.
 */
export class MixtureSchedule {
  /** End of each domain's interval; the last is 2^32. */
  readonly #ends: number[];
  readonly #offset: number;

  /** @param weights of the domains, on any positive scale */
  constructor(weights: number[], offset: number) {
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    let sum = 0;
    this.#ends = weights.map((weight, i) => {
      sum += weight;
      return i === weights.length - 1 ? POINTS : Math.round((sum / total) * POINTS);
    });
    this.#offset = offset >>> 0;
  }

  /** Index of the domain of sequence `position`. */
  domainAt(position: number): number {
    const point = (Math.imul(position, STEP) + this.#offset) >>> 0;
    let domain = 0;
    while (point >= this.#ends[domain]!) domain++;
    return domain;
  }

  /** How many of the sequences before `position` come from each domain. */
  countsBefore(position: number): number[] {
    const upTo = [0, ...this.#ends].map((end) => this.#pointsBelow(end, position));
    return this.#ends.map((_, domain) => upTo[domain + 1]! - upTo[domain]!);
  }

  /** How many of the first `count` points lie below `end`: x mod M < e exactly if floor((x+M)/M) > floor((x+M-e)/M). */
  #pointsBelow(end: number, count: number): number {
    const modulus = BigInt(POINTS);
    const start = BigInt(this.#offset) + modulus;
    const step = BigInt(STEP);
    const all = floorSum(BigInt(count), modulus, step, start);
    return Number(all - floorSum(BigInt(count), modulus, step, start - BigInt(end)));
  }
}

const POINTS = 2 ** 32;
/** Odd, and nearest to 2^32 over the golden ratio. */
const STEP = 0x9e3779b1;

/** Sum of floor((a*i + b) / m) for i from 0 to n - 1, in O(log m) (the Euclidean-like algorithm). */
function floorSum(n: bigint, m: bigint, a: bigint, b: bigint): bigint {
  let sum = 0n;
  while (n > 0n) {
    sum += (((n - 1n) * n) / 2n) * (a / m) + n * (b / m);
    a %= m;
    b %= m;
    const top = a * n + b;
    n = top / m;
    b = top % m;
    [a, m] = [m, a];
  }
  return sum;
}
