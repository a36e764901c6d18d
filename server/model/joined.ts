import { concat, split, type Tensor, util } from "@tensorflow/tfjs-core";

/** Tensors that are joined at most: with one more, what splits them needs more buffers than every graphics card has. */
const most = 7;
/** Elements that are joined at most: larger tensors are worth a call by themselves. */
const mostElements = 2 ** 23;

/**
 * Names in groups whose tensors can be joined along their first axis: those of equal `kind` that differ in its length
 * only. Where every operator costs a call to a device, one on a joined tensor does the work of several.
 */
export function joinable(shapes: ReadonlyMap<string, number[]>, kind: (name: string) => unknown): string[][] {
  const open = new Map<string, { names: string[]; elements: number }>();
  const groups: string[][] = [];
  for (const [name, shape] of shapes) {
    const key = JSON.stringify([kind(name), shape.length, shape.slice(1)]);
    const elements = util.sizeFromShape(shape);
    const group = open.get(key);
    if (shape.length > 0 && group && group.names.length < most && group.elements + elements <= mostElements) {
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

/** Tensors [n_i, ...] as one, [sum of n_i, ...]. */
export const joined = (tensors: Tensor[]): Tensor => (tensors.length === 1 ? tensors[0]! : concat(tensors, 0));

/** What `joined` made one, in parts again: of so many rows each. */
export const parted = (tensor: Tensor, rows: number[]): Tensor[] =>
  rows.length === 1 ? [tensor] : split(tensor, rows, 0);
