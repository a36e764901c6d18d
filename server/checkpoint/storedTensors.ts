import { UserError } from "../protocol/errors.ts";
import { quoted } from "./header.ts";
import type { TensorReader } from "./safetensors.ts";
import type { NamedTensor } from "./writeSafetensors.ts";

/**
 * Parameters that lie in files under other names, or several in one tensor. In memory each parameter is [out, in] or
 * [out] under its own name (parameters/names.ts).
 */
export interface StoredTensor {
  /** Name in files. */
  name: string;
  /** The parameters in it, in order. */
  parts: StoredPart[];
  /**
   * Absent: one part's rows below the other's. "transposed": the same, then transposed, as GPT-2's matrices are.
   * "heads": the rows of each head together, first those of the first part, as in GPT-NeoX. "experts": one part's rows
   * below the other's, [experts, rows of one, columns] in the file, as in Granite's mixtures.
   */
  layout?: { type: "transposed" } | { type: "heads"; heads: number } | { type: "experts"; experts: number };
}

export interface StoredPart {
  /** Name of the parameter. */
  name: string;
  /** Its length along the first axis; may be left out where it is the only part. */
  rows?: number;
}

/** A parameter under another name. */
export const renamed = (stored: string, parameter: string): StoredTensor => ({
  name: stored,
  parts: [{ name: parameter }],
});

/** Where one row of a parameter lies among the rows of a stored tensor. */
function rowsOf({ parts, layout }: StoredTensor, part: StoredPart, total: number): (row: number) => number {
  let before = 0;
  for (const other of parts) {
    if (other === part) break;
    before += other.rows ?? 0;
  }
  if (layout?.type !== "heads") return (row) => before + row;
  const { heads } = layout;
  const [ofHead, own] = [total / heads, (part.rows ?? total) / heads];
  return (row) => Math.floor(row / own) * ofHead + before / heads + (row % own);
}

/** Shape of a stored tensor as rows of parameters. */
function flatShape({ layout }: StoredTensor, shape: number[]): number[] {
  if (layout?.type === "transposed") return shape.toReversed();
  if (layout?.type !== "experts") return shape;
  const [experts = 0, rows = 0, columns = 0] = shape;
  return [experts * rows, columns];
}

/** [rows, columns] -> [columns, rows]. */
function transposed<T extends Float32Array>(values: T, rows: number, columns: number): Float32Array<ArrayBuffer> {
  const result = new Float32Array(values.length);
  for (let row = 0; row < rows; row++)
    for (let column = 0; column < columns; column++) result[column * rows + row] = values[row * columns + column]!;
  return result;
}

/**
 * The tensors of a file by the names of the parameters in them. Tensors that `stored` does not name keep their names.
 *
 * @throws UserError, when a tensor is asked for, if it is not as long as its parts.
 */
export function asParameters(reader: TensorReader, stored: readonly StoredTensor[]): TensorReader {
  if (stored.length === 0) return reader;
  const found = new Map<string, { tensor: StoredTensor; part: StoredPart }>();
  const inFile = new Set(reader.names);
  const covered = new Set<string>();
  for (const named of stored) {
    // GPT-2's own files leave out the name of the model in front.
    const name = [named.name, named.name.replace(/^transformer\./, "")].find((one) => inFile.has(one));
    if (name === undefined) continue;
    const tensor = { ...named, name };
    covered.add(name);
    for (const part of tensor.parts) found.set(part.name, { tensor, part });
  }
  const names = [...found.keys(), ...reader.names.filter((name) => !covered.has(name) && !found.has(name))];
  const place = (name: string) => {
    const at = found.get(name);
    if (!at) return undefined;
    const { tensor, part } = at;
    const info = reader.tensor(tensor.name);
    const shape = flatShape(tensor, info.shape);
    const total = shape[0] ?? 0;
    const parts = tensor.parts.reduce((sum, { rows = total }) => sum + rows, 0);
    if (parts !== total)
      throw new UserError(
        `tensor ${quoted(tensor.name)} has ${total} rows, but its parts (${tensor.parts.map(({ name: of }) => of).join(", ")}) have ${parts}`,
      );
    return { tensor, part, shape, total, dtype: info.dtype };
  };
  return {
    names,
    tensor(name) {
      const at = place(name);
      if (!at) return reader.tensor(name);
      return { dtype: at.dtype, shape: [at.part.rows ?? at.total, ...at.shape.slice(1)] };
    },
    async readFloat32(name) {
      const at = place(name);
      if (!at) return reader.readFloat32(name);
      const { tensor, part, shape, total } = at;
      const read = await reader.readFloat32(tensor.name);
      const columns = shape[1] ?? 1;
      const values = tensor.layout?.type === "transposed" ? transposed(read, columns, total) : read;
      if (tensor.parts.length === 1) return values;
      const rows = part.rows ?? total;
      const where = rowsOf(tensor, part, total);
      const result = new Float32Array(rows * columns);
      for (let row = 0; row < rows; row++) {
        const from = where(row) * columns;
        result.set(values.subarray(from, from + columns), row * columns);
      }
      return result;
    },
    read: async (name) => (found.has(name) ? notWhole(name) : reader.read(name)),
    readInto: async (name, target) => (found.has(name) ? notWhole(name) : reader.readInto(name, target)),
    close: () => reader.close(),
  };
}

function notWhole(name: string): never {
  throw new Error(`parameter ${quoted(name)} is a part of a tensor: read it as float32`);
}

type Parameters = ReadonlyMap<string, { shape: number[]; data: Float32Array<ArrayBuffer> }>;

/** The tensors of a file, float32, with these parameters in them; a parameter of no stored tensor keeps its name. */
export function storedAs(parameters: Parameters, stored: readonly StoredTensor[]): NamedTensor[] {
  const inside = new Set(stored.flatMap(({ parts }) => parts.map(({ name }) => name)));
  const alone = [...parameters].filter(([name]) => !inside.has(name));
  return [
    ...alone.map(([name, { shape, data }]) => ({ name, dtype: "F32" as const, shape, data })),
    ...stored.map((tensor) => joined(tensor, parameters)),
  ];
}

function joined(tensor: StoredTensor, parameters: Parameters): NamedTensor {
  const given = tensor.parts.map((part) => {
    const parameter = parameters.get(part.name);
    if (!parameter) throw new Error(`there is no parameter ${quoted(part.name)} for ${quoted(tensor.name)}`);
    return { part: { ...part, rows: parameter.shape[0]! }, ...parameter };
  });
  const total = given.reduce((sum, { part }) => sum + part.rows, 0);
  const rest = given[0]!.shape.slice(1);
  const columns = rest[0] ?? 1;
  const whole = { ...tensor, parts: given.map(({ part }) => part) };
  const values = new Float32Array(total * columns);
  for (const [i, { data }] of given.entries()) {
    const part = whole.parts[i]!;
    const where = rowsOf(whole, part, total);
    for (let row = 0; row < part.rows; row++)
      values.set(data.subarray(row * columns, (row + 1) * columns), where(row) * columns);
  }
  const common = { name: tensor.name, dtype: "F32" as const };
  const { layout } = tensor;
  if (layout?.type === "transposed")
    return { ...common, shape: [columns, total], data: transposed(values, total, columns) };
  const shape = layout?.type === "experts" ? [layout.experts, total / layout.experts, columns] : [total, ...rest];
  return { ...common, shape, data: values };
}
