/** Element types of safetensors files, and the arrays that hold them. Little-endian, row-major. */

export type TypedArray =
  | Int8Array<ArrayBuffer>
  | Uint8Array<ArrayBuffer>
  | Int16Array<ArrayBuffer>
  | Uint16Array<ArrayBuffer>
  | Int32Array<ArrayBuffer>
  | Uint32Array<ArrayBuffer>
  | Float32Array<ArrayBuffer>
  | Float64Array<ArrayBuffer>
  | BigInt64Array<ArrayBuffer>
  | BigUint64Array<ArrayBuffer>;

interface ArrayType {
  readonly BYTES_PER_ELEMENT: number;
  new (length: number): TypedArray;
}

/** 16-bit and 8-bit floats are kept as their bits. */
const arrays = {
  F64: Float64Array,
  I64: BigInt64Array,
  U64: BigUint64Array,
  F32: Float32Array,
  I32: Int32Array,
  U32: Uint32Array,
  F16: Uint16Array,
  BF16: Uint16Array,
  I16: Int16Array,
  U16: Uint16Array,
  I8: Int8Array,
  U8: Uint8Array,
  BOOL: Uint8Array,
  F8_E4M3: Uint8Array,
  F8_E5M2: Uint8Array,
} as const satisfies Record<string, ArrayType>;

export type Dtype = keyof typeof arrays;

const byName: ReadonlyMap<string, ArrayType> = new Map(Object.entries(arrays));

export const isDtype = (name: string): name is Dtype => byName.has(name);

/** The types that a model's parameters may have; all are read as float32. */
export type FloatDtype = "F32" | "F16" | "BF16";

export const isFloat = (dtype: Dtype): dtype is FloatDtype => dtype === "F32" || dtype === "F16" || dtype === "BF16";

/** Bytes per element. */
export const dtypeBytes = (dtype: Dtype): number => arrays[dtype].BYTES_PER_ELEMENT;

/** An array of zeros. @throws RangeError if there is not enough memory. */
export const allocate = (dtype: Dtype, length: number): TypedArray => new (arrays[dtype] as ArrayType)(length);

/** Whether `array` is of the type that stores `dtype`. */
export const holds = (dtype: Dtype, array: ArrayBufferView): boolean => array instanceof arrays[dtype];

/** Float32 from bfloat16 bits: exact, they are its upper half. */
export function bfloat16ToFloat32(bits: Uint16Array, target: Float32Array): void {
  const words = new Uint32Array(target.buffer, target.byteOffset, target.length);
  for (let i = 0; i < words.length; i++) words[i] = bits[i]! << 16;
}

/** Float32 from IEEE 754 half-precision bits: exact, subnormals, infinities and NaN included. */
export function float16ToFloat32(bits: Uint16Array, target: Float32Array): void {
  for (let i = 0; i < target.length; i++) target[i] = float16(bits[i]!);
}

function float16(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 0x1f) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}
