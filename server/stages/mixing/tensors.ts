export interface Tensor {
  shape: number[];
  data: Float32Array;
}

const product = (sizes: readonly number[]): number => sizes.reduce((size, by) => size * by, 1);

/** One of `parts` equal parts along `axis`; `part` counts from 0. Along axis 0 the result is a view. */
export function cut(
  { shape, data }: Tensor,
  { axis, part, parts }: { axis: number; part: number; parts: number },
): Tensor {
  const outer = product(shape.slice(0, axis));
  const whole = data.length / outer;
  const length = whole / parts;
  const partShape = shape.with(axis, shape[axis]! / parts);
  if (outer === 1) return { shape: partShape, data: data.subarray(part * length, (part + 1) * length) };
  const cutOut = new Float32Array(outer * length);
  for (let i = 0; i < outer; i++) {
    const from = i * whole + part * length;
    cutOut.set(data.subarray(from, from + length), i * length);
  }
  return { shape: partShape, data: cutOut };
}

/** Concatenates tensors along `axis`; all other axes must agree. Returns a single tensor itself. */
export function join(tensors: readonly Tensor[], axis: number): Tensor {
  const [first] = tensors as [Tensor];
  if (tensors.length === 1) return first;
  const shape = first.shape.with(
    axis,
    tensors.reduce((size, tensor) => size + tensor.shape[axis]!, 0),
  );
  const data = new Float32Array(product(shape));
  const outer = product(shape.slice(0, axis));
  let at = 0;
  for (let i = 0; i < outer; i++) {
    for (const tensor of tensors) {
      const length = tensor.data.length / outer;
      data.set(tensor.data.subarray(i * length, (i + 1) * length), at);
      at += length;
    }
  }
  return { shape, data };
}

/** The sum of tensors of equal shape, rounded once. */
export function sum(tensors: readonly Tensor[]): Tensor {
  const [first] = tensors as [Tensor];
  if (tensors.length === 1) return first;
  const data = first.data.map((_, i) => tensors.reduce((total, tensor) => total + tensor.data[i]!, 0));
  return { shape: first.shape, data };
}
