import { concat, split, type Tensor, util } from "@tensorflow/tfjs-core";

/** Maximum number of tensors per group: with one more, the split needs more buffers than some GPUs allow. */
const maxTensors = 7;
/** Maximum number of elements per group: a larger tensor is worth a call of its own. */
const maxElements = 2 ** 23;

/**
 * Groups the names of tensors that can be joined along their first axis: tensors of the same `kind` whose shapes differ
 * only in its length. On a device where each operator costs a call, one call on a joined tensor replaces several.
 */
export function joinableGroups(shapes: ReadonlyMap<string, number[]>, kind: (name: string) => unknown): string[][] {
  const open = new Map<string, { names: string[]; elements: number }>();
  const groups: string[][] = [];
  for (const [name, shape] of shapes) {
    const key = JSON.stringify([kind(name), shape.length, shape.slice(1)]);
    const elements = util.sizeFromShape(shape);
    const group = open.get(key);
    if (shape.length > 0 && group && group.names.length < maxTensors && group.elements + elements <= maxElements) {
      group.names.push(name);
      group.elements += elements;
    } else {
      const begun = { names: [name], elements };
      open.set(key, begun);
      groups.push(begun.names);
    }
  }
  return groups;
}

/** Concatenates tensors along their first axis: [n_i, ...] -> [sum of n_i, ...]. */
export const joinTensors = (tensors: Tensor[]): Tensor => (tensors.length === 1 ? tensors[0]! : concat(tensors, 0));

/** Undoes `joinTensors`: splits a tensor into parts with these numbers of rows. */
export const splitTensor = (tensor: Tensor, rows: number[]): Tensor[] =>
  rows.length === 1 ? [tensor] : split(tensor, rows, 0);
