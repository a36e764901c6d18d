import type { FileHandle } from "node:fs/promises";
import { maxTransfer } from "../disk/atomic.ts";
import { DamagedError } from "../disk/damaged.ts";
import { bytesOf, Digest, digestOf } from "../disk/digest.ts";
import { withDiskErrors } from "../disk/errors.ts";
import { openExisting } from "../disk/open.ts";
import { UserError } from "../protocol/errors.ts";
import {
  allocate,
  bfloat16ToFloat32,
  type Dtype,
  dtypeBytes,
  float16ToFloat32,
  holds,
  isDtype,
  isFloat,
  type TypedArray,
} from "./dtypes.ts";
import { type Header, HeaderError, parseHeader, quoted } from "./header.ts";
import { checkHeader, takeDigests } from "./safetensorsDigests.ts";

/**
 * Reading safetensors files: https://github.com/huggingface/safetensors#format. The file may be hostile. Where it has
 * digests (`safetensorsDigests.ts`), the header is checked when it is opened and each tensor when it is read.
 */

export interface TensorInfo {
  dtype: Dtype;
  shape: number[];
}

/** Tensors by name, from one file or from shards. */
export interface TensorReader {
  /** In the order of the data. */
  readonly names: string[];
  /** @throws UserError for a name that is not there. */
  tensor(name: string): TensorInfo;
  /** The tensor's elements; F16, BF16 and 8-bit floats as bits. @throws UserError when it does not fit in memory. */
  read(name: string): Promise<TypedArray>;
  /** As `read`, into an array of the same kind and length. */
  readInto(name: string, target: TypedArray): Promise<void>;
  /** The tensor as float32; converts F16 and BF16. @throws UserError for any other type. */
  readFloat32(name: string): Promise<Float32Array<ArrayBuffer>>;
  close(): Promise<void>;
}

export interface SafetensorsFile extends TensorReader {
  readonly metadata: ReadonlyMap<string, string>;
  /** Whether the file has digests of its tensors. */
  readonly hasDigests: boolean;
}

export const maxHeaderBytes = 100_000_000;
/** Elements converted at a time. */
const conversionLength = 1 << 22;

interface Entry extends TensorInfo {
  /** Offset of the first byte, from the start of the file. */
  position: number;
  length: number;
}

/**
 * Opens a safetensors file and checks all of its header. Data is read when asked for.
 *
 * @throws UserError naming the file, and the tensor, for anything that is not as the format says.
 */
export async function openSafetensors(path: string): Promise<SafetensorsFile> {
  const handle = await openExisting(path);
  try {
    return readerOf(handle, path, await readHeader(handle, path));
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/** What the header of an open file says. */
interface Contents {
  metadata: ReadonlyMap<string, string>;
  entries: ReadonlyMap<string, Entry>;
  /** Digests of the tensors by name; empty if the file has none. */
  digests: ReadonlyMap<string, string>;
}

async function readHeader(handle: FileHandle, path: string): Promise<Contents> {
  const { size: fileBytes } = await handle.stat();
  if (fileBytes < 8)
    throw new UserError(`${path} is truncated: it has ${fileBytes} bytes, but a safetensors file has at least 8`);
  const prefix = Buffer.alloc(8);
  await readAll(handle, path, prefix, 0);
  if (prefix.toString("latin1") === "version ")
    throw new UserError(`${path} is a Git LFS pointer, not the weights: fetch them with \`git lfs pull\``);
  const headerBytes = prefix.readBigUInt64LE();
  if (headerBytes > maxHeaderBytes)
    throw new UserError(
      `${path} is not a safetensors file: its header would have ${headerBytes} bytes, but at most ${maxHeaderBytes} are allowed`,
    );
  const dataStart = 8 + Number(headerBytes);
  if (dataStart > fileBytes)
    throw new UserError(`${path} is truncated: its header has ${headerBytes} bytes, but the file has ${fileBytes}`);
  const bytes = Buffer.alloc(dataStart);
  await readAll(handle, path, bytes, 0);
  checkHeader(path, bytes);
  const header = decodeHeader(bytes.subarray(8), path);
  const { metadata } = header;
  const entries = layOut(header, path, dataStart, fileBytes);
  return { metadata, entries, digests: takeDigests(path, bytes, metadata) };
}

function decodeHeader(bytes: Buffer, path: string): Header {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new UserError(`${path} is not a safetensors file: its header is not UTF-8`);
  }
  try {
    return parseHeader(text);
  } catch (error) {
    if (!(error instanceof HeaderError)) throw error;
    throw new UserError(
      `${path} is not a valid safetensors file: ${error.message}, at character ${error.at} of its header`,
    );
  }
}

/** Checks that the tensors fill the data without hole or overlap and that each has the bytes of its shape. */
function layOut(header: Header, path: string, dataStart: number, fileBytes: number): Map<string, Entry> {
  const sorted = [...header.entries].sort(([, a], [, b]) => a.begin - b.begin || a.end - b.end);
  const entries = new Map<string, Entry>();
  let position = dataStart;
  for (const [name, { dtype, shape, begin, end }] of sorted) {
    const fail = (problem: string): never => {
      throw new UserError(`${path}: tensor ${quoted(name)} ${problem}`);
    };
    if (!isDtype(dtype)) return fail(`has the unknown type ${quoted(dtype)}`);
    const length = shape.reduce((product, size) => product * size, 1);
    const bytes = length * dtypeBytes(dtype);
    if (!Number.isSafeInteger(bytes)) fail(`has the impossible shape [${shape.join(", ")}]`);
    if (end - begin !== bytes)
      fail(
        `of type ${dtype} and shape [${shape.join(", ")}] needs ${bytes} bytes, but its offsets span ${end - begin}`,
      );
    if (dataStart + begin < position) fail("overlaps the one before it");
    if (dataStart + begin > position) fail(`leaves a gap of ${dataStart + begin - position} bytes before it`);
    if (dataStart + end > fileBytes)
      fail(
        `ends at byte ${dataStart + end}, but the file has ${fileBytes} bytes: the file is truncated, copy it again`,
      );
    entries.set(name, { dtype, shape, position, length });
    position = dataStart + end;
  }
  if (position < fileBytes) throw new UserError(`${path} has ${fileBytes - position} bytes after its last tensor`);
  return entries;
}

function readerOf(handle: FileHandle, path: string, { metadata, entries, digests }: Contents): SafetensorsFile {
  const find = (name: string): Entry => {
    const entry = entries.get(name);
    if (!entry) throw new UserError(`${path} has no tensor ${quoted(name)}`);
    return entry;
  };
  const make = (name: string, dtype: Dtype, length: number): TypedArray => {
    try {
      return allocate(dtype, length);
    } catch {
      throw new UserError(
        `${path}: tensor ${quoted(name)} of ${length * dtypeBytes(dtype)} bytes does not fit in memory`,
      );
    }
  };
  const check = (name: string, digest: string): void => {
    const expected = digests.get(name);
    if (expected !== undefined && digest !== expected)
      throw new DamagedError(path, `tensor ${quoted(name)} has changed since it was written`);
  };
  const readInto = async (name: string, target: TypedArray): Promise<void> => {
    const { dtype, length, position } = find(name);
    if (!holds(dtype, target) || target.length !== length)
      throw new Error(`tensor ${quoted(name)} is ${length} elements of ${dtype}; the target does not fit it`);
    await readAll(handle, path, bytesOf(target), position);
    if (digests.size > 0) check(name, digestOf(bytesOf(target)));
  };
  const read = async (name: string): Promise<TypedArray> => {
    const { dtype, length } = find(name);
    const target = make(name, dtype, length);
    await readInto(name, target);
    return target;
  };
  return {
    names: [...entries.keys()],
    metadata,
    hasDigests: digests.size > 0,
    tensor: (name) => {
      const { dtype, shape } = find(name);
      return { dtype, shape: [...shape] };
    },
    read,
    readInto,
    async readFloat32(name) {
      const { dtype, length, position } = find(name);
      if (!isFloat(dtype))
        throw new UserError(
          `${path}: tensor ${quoted(name)} is of type ${dtype}, but only F32, F16 and BF16 are supported`,
        );
      const target = make(name, "F32", length) as Float32Array<ArrayBuffer>;
      if (dtype === "F32") {
        await readInto(name, target);
        return target;
      }
      const convert = dtype === "F16" ? float16ToFloat32 : bfloat16ToFloat32;
      const piece = new Uint16Array(Math.min(length, conversionLength));
      const digest = new Digest();
      for (let done = 0; done < length; done += piece.length) {
        const bits = piece.subarray(0, Math.min(piece.length, length - done));
        await readAll(handle, path, bytesOf(bits), position + done * 2);
        digest.update(bytesOf(bits));
        convert(bits, target.subarray(done, done + bits.length));
      }
      check(name, digest.value);
      return target;
    },
    close: () => handle.close(),
  };
}

/** Fills `target` from `position`, in pieces of at most 1 GiB. */
async function readAll(handle: FileHandle, path: string, target: Uint8Array, position: number): Promise<void> {
  let done = 0;
  while (done < target.byteLength) {
    const length = Math.min(maxTransfer, target.byteLength - done);
    const reading = handle.read(target, done, length, position + done);
    const { bytesRead } = await withDiskErrors(path, () => reading, "read");
    if (bytesRead === 0) throw new UserError(`${path} became shorter while being read: another program is changing it`);
    done += bytesRead;
  }
}
