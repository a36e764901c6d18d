/**
 * Random numbers that depend only on a seed and a name: xoshiro128** 1.1 (Blackman and Vigna, arXiv 1805.01407), its
 * state initialized by SplitMix32 from a 32-bit FNV-1a hash of "seed:name". Each name has its own stream, so draws for
 * one tensor do not affect another's.
 */
export interface RandomStream {
  /** The next 32 random bits, 0 to 2^32 - 1. */
  bits(): number;
  /** Uniform in (0, 1), with 32 random bits; never 0 or 1. */
  uniform(): number;
  /** Standard normal. */
  normal(): number;
}

function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(text)) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash;
}

function splitMix32(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x9e3779b9) | 0;
    let z = state;
    z = Math.imul(z ^ (z >>> 16), 0x85ebca6b);
    z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35);
    return z ^ (z >>> 16);
  };
}

const rotateLeft = (x: number, by: number): number => (x << by) | (x >>> (32 - by));

export function randomStream(seed: number, name: string): RandomStream {
  const mix = splitMix32(fnv1a(`${seed}:${name}`));
  let [a, b, c, d] = [mix(), mix(), mix(), mix()] as [number, number, number, number];

  const bits = () => {
    const result = Math.imul(rotateLeft(Math.imul(b, 5), 7), 9) >>> 0;
    const t = b << 9;
    c ^= a;
    d ^= b;
    b ^= c;
    a ^= d;
    c ^= t;
    d = rotateLeft(d, 11);
    return result;
  };
  const uniform = () => (bits() + 0.5) / 2 ** 32;

  let spare: number | undefined;
  /** Box-Muller transform (1958): two normal numbers from two uniform ones. */
  const normal = () => {
    if (spare !== undefined) {
      const value = spare;
      spare = undefined;
      return value;
    }
    const radius = Math.sqrt(-2 * Math.log(uniform()));
    const angle = 2 * Math.PI * uniform();
    spare = radius * Math.sin(angle);
    return radius * Math.cos(angle);
  };
  return { bits, uniform, normal };
}
