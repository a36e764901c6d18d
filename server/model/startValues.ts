import { type ParameterDeclaration, sizeOf } from "../parameters/declaration.ts";
import { randomStream } from "./random.ts";

/**
 * A parameter's declared values before training. Random ones depend only on the random seed and the parameter's name.
 */
export function startValues(parameter: ParameterDeclaration, randomSeed: number): Float32Array {
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

/**
 * `count` orthonormal vectors from normal numbers: Gram-Schmidt applied twice, which is enough (Giraud et al., 2005).
 */
function orthonormal(count: number, length: number, normal: () => number): Float64Array[] {
  const basis: Float64Array[] = [];
  for (let i = 0; i < count; i++) {
    const vector = Float64Array.from({ length }, normal);
    for (const other of [...basis, ...basis]) {
      const along = dot(vector, other);
      for (const [j, x] of other.entries()) vector[j]! -= along * x;
    }
    const norm = Math.sqrt(dot(vector, vector));
    basis.push(vector.map((x) => x / norm));
  }
  return basis;
}

const dot = (a: Float64Array, b: Float64Array): number => a.reduce((sum, x, i) => sum + x * b[i]!, 0);
