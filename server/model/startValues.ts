import { type Declared, sizeOf } from "../parameters/declared.ts";
import { randomStream } from "./random.ts";

/** A parameter's values before training, as it declares them. They depend on the seed of random numbers and its name only. */
export function startValues(parameter: Declared, randomSeed: number): Float32Array {
  const { name, shape, start } = parameter;
  const data = new Float32Array(sizeOf(parameter));
  switch (start.type) {
    case "ones":
      return data.fill(1);
    case "zeros":
      return data;
    case "normal": {
      const random = randomStream(randomSeed, name);
      for (let i = 0; i < data.length; i++) data[i] = start.deviation * random.normal();
      return data;
    }
    case "orthogonal": {
      const random = randomStream(randomSeed, name);
      const [rows, columns] = shape as [number, number];
      const wide = rows <= columns;
      const vectors = orthonormal(Math.min(rows, columns), Math.max(rows, columns), () => random.normal());
      for (const [i, vector] of vectors.entries())
        for (const [j, x] of vector.entries()) data[wide ? i * columns + j : j * columns + i] = start.gain * x;
      return data;
    }
  }
}

/** `count` orthogonal vectors of length 1, of normal numbers: Gram and Schmidt, twice, which is enough (Giraud et al., 2005). */
function orthonormal(count: number, length: number, normal: () => number): Float64Array[] {
  const found: Float64Array[] = [];
  for (let i = 0; i < count; i++) {
    const vector = Float64Array.from({ length }, normal);
    for (const other of [...found, ...found]) {
      const along = dot(vector, other);
      for (const [j, x] of other.entries()) vector[j]! -= along * x;
    }
    const norm = Math.sqrt(dot(vector, vector));
    found.push(vector.map((x) => x / norm));
  }
  return found;
}

const dot = (a: Float64Array, b: Float64Array): number => a.reduce((sum, x, i) => sum + x * b[i]!, 0);
