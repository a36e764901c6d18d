import { replaceFile, writeAll } from "../disk/atomic.ts";
import { bytesOf, digestOf } from "../disk/digest.ts";
import { type Dtype, dtypeBytes, holds, type TypedArray } from "./dtypes.ts";
import { maxNames, quoted } from "./header.ts";
import { maxHeaderBytes } from "./safetensors.ts";
import { digestsKey, headerDigestOf, headerDigestStart, headerKey, noDigest } from "./safetensorsDigests.ts";

export interface NamedTensor {
  name: string;
  dtype: Dtype;
  shape: number[];
  /** Elements, row-major; F16, BF16 and 8-bit floats as bits. */
  data: TypedArray;
}

/**
 * Writes a safetensors file whole or not at all (`replaceFile`), tensor by tensor without a copy of the data, ordered
 * by element width descending and then name, so that each is aligned to its width. The metadata holds digests of the
 * header and of each tensor (`safetensorsDigests.ts`).
 *
 * @throws UserError when the disk is full or may not be written; the target is then untouched.
 */
export async function writeSafetensors(
  path: string,
  tensors: Iterable<NamedTensor>,
  metadata: Readonly<Record<string, string>> = {},
): Promise<void> {
  const ordered = [...tensors].sort(
    (a, b) => dtypeBytes(b.dtype) - dtypeBytes(a.dtype) || (a.name < b.name ? -1 : a.name > b.name ? 1 : 0),
  );
  if (ordered.length >= maxNames) throw new Error(`a file cannot hold ${ordered.length} tensors`);
  const header = encodeHeader(ordered, metadata);
  await replaceFile(path, async (handle) => {
    await writeAll(handle, header, 0);
    let position = header.byteLength;
    for (const { data } of ordered) {
      await writeAll(handle, bytesOf(data), position);
      position += data.byteLength;
    }
  });
}

/** Length and JSON, padded with spaces so that the data begins at a multiple of 8. */
function encodeHeader(tensors: NamedTensor[], metadata: Readonly<Record<string, string>>): Buffer {
  const digests = Object.fromEntries(tensors.map(({ name, data }) => [name, digestOf(bytesOf(data))]));
  // The header's own digest comes first, so that its place is known.
  const allMetadata = { [headerKey]: noDigest, ...metadata, [digestsKey]: JSON.stringify(digests) };
  const members = [`"__metadata__":${JSON.stringify(allMetadata)}`];
  const names = new Set(["__metadata__"]);
  let offset = 0;
  for (const { name, dtype, shape, data } of tensors) {
    if (names.has(name)) throw new Error(`a file cannot hold two tensors of the name ${quoted(name)}`);
    names.add(name);
    const length = shape.reduce((product, size) => product * size, 1);
    if (!holds(dtype, data) || data.length !== length)
      throw new Error(`tensor ${quoted(name)}: ${data.length} elements are no ${dtype} of shape [${shape.join(", ")}]`);
    const end = offset + data.byteLength;
    members.push(`${JSON.stringify(name)}:${JSON.stringify({ dtype, shape, data_offsets: [offset, end] })}`);
    offset = end;
  }
  const json = Buffer.from(`{${members.join(",")}}`, "utf8");
  const headerBytes = Math.ceil(json.length / 8) * 8;
  if (headerBytes > maxHeaderBytes)
    throw new Error(`a header of ${headerBytes} bytes is larger than the format allows`);
  const header = Buffer.alloc(8 + headerBytes, " ");
  header.writeBigUInt64LE(BigInt(headerBytes));
  json.copy(header, 8);
  header.write(headerDigestOf(header), headerDigestStart);
  return header;
}
