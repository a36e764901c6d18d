import { readdirSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { Dtype, TypedArray } from "../../../server/checkpoint/dtypes.ts";
import { openSafetensors } from "../../../server/checkpoint/safetensors.ts";
import { type NamedTensor, writeSafetensors } from "../../../server/checkpoint/writeSafetensors.ts";
import { temporaryFolder } from "../runs/folder.ts";
import { noMount, smallDisk } from "../runs/smallDisk.ts";
import { writeRaw } from "./files.ts";

/** The number that the 16 bits of an IEEE 754 half stand for. */
function halfPrecision(bits: number): number {
  const [sign, exponent, fraction] = [bits >> 15 ? -1 : 1, (bits >> 10) & 31, bits & 1023];
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1024 + fraction) * 2 ** (exponent - 25);
}

const tensor = (name: string, dtype: Dtype, shape: number[], data: TypedArray): NamedTensor => ({
  name,
  dtype,
  shape,
  data,
});

const all = (): NamedTensor[] => [
  tensor("flag", "BOOL", [3], Uint8Array.of(1, 0, 1)),
  tensor("i32", "I32", [2], Int32Array.of(-1, 2 ** 31 - 1)),
  tensor("b", "F32", [2, 3], Float32Array.of(1, -2, 3.5, Number.NaN, Number.POSITIVE_INFINITY, 1e-45)),
  tensor("a", "F32", [], Float32Array.of(7)),
  tensor("empty", "F32", [0, 5], new Float32Array()),
  tensor("i64", "I64", [1], BigInt64Array.of(-(2n ** 63n))),
  tensor("f64", "F64", [1], Float64Array.of(Math.PI)),
  tensor("half", "F16", [1], Uint16Array.of(0x3c00)),
  tensor("__proto__", "F32", [1], Float32Array.of(5)),
  tensor("constructor", "U8", [1], Uint8Array.of(9)),
  tensor('ü "quoted" \n', "U32", [1], Uint32Array.of(4_000_000_000)),
];

describe("writeSafetensors", () => {
  it("gives back every tensor bit for bit, and the metadata", async () => {
    const folder = temporaryFolder();
    const path = join(folder, "a.safetensors");
    await writeSafetensors(path, all(), { format: "pt", step: "12" });
    const file = await openSafetensors(path);
    expect([...file.metadata]).toEqual([
      ["format", "pt"],
      ["step", "12"],
    ]);
    for (const { name, dtype, shape, data } of all()) {
      expect(file.tensor(name)).toEqual({ dtype, shape });
      const read = await file.read(name);
      expect(read.constructor).toBe(data.constructor);
      expect(Buffer.from(read.buffer).equals(Buffer.from(data.buffer))).toBe(true);
    }
    await file.close();
    expect(readdirSync(folder)).toEqual(["a.safetensors"]);
    expect(({} as Record<string, unknown>).shape).toBeUndefined();
  });

  it("orders by width and then name, aligns the data to 8 bytes and every tensor to its width", async () => {
    const path = join(temporaryFolder(), "a.safetensors");
    await writeSafetensors(path, all());
    const bytes = readFileSync(path);
    const headerBytes = Number(bytes.readBigUInt64LE());
    expect(headerBytes % 8).toBe(0);
    const header = JSON.parse(bytes.toString("utf8", 8, 8 + headerBytes));
    const names = ["f64", "i64", "__proto__", "a", "b", "empty", "i32", 'ü "quoted" \n', "half", "constructor", "flag"];
    expect(Object.keys(header)).toEqual(["__metadata__", ...names]);
    for (const { name, data } of all()) {
      const [begin, end] = Object.entries(header as Record<string, { data_offsets: [number, number] }>).find(
        ([key]) => key === name,
      )![1].data_offsets;
      expect(begin % data.BYTES_PER_ELEMENT).toBe(0);
      expect(end - begin).toBe(data.byteLength);
    }
  });

  it("writes a view of a larger buffer, and a file without tensors", async () => {
    const path = join(temporaryFolder(), "a.safetensors");
    await writeSafetensors(path, [tensor("x", "F32", [2], Float32Array.of(1, 2, 3, 4).subarray(1, 3))]);
    const file = await openSafetensors(path);
    expect(await file.read("x")).toEqual(Float32Array.of(2, 3));
    await file.close();
    await writeSafetensors(path, []);
    const empty = await openSafetensors(path);
    expect(empty.names).toEqual([]);
    await empty.close();
  });

  it("refuses a shape that the data does not have, and one name twice", async () => {
    const path = join(temporaryFolder(), "a.safetensors");
    const x = tensor("x", "F32", [2], new Float32Array(2));
    await expect(writeSafetensors(path, [{ ...x, shape: [3] }])).rejects.toThrow(
      /2 elements are no F32 of shape \[3\]/,
    );
    await expect(writeSafetensors(path, [{ ...x, dtype: "I32" }])).rejects.toThrow(/are no I32/);
    await expect(writeSafetensors(path, [x, x])).rejects.toThrow(/two tensors of the name "x"/);
  });

  it.skipIf(noMount)(
    `keeps the file that was there when the disk is full${noMount ? ` (skipped: ${noMount})` : ""}`,
    async () => {
      const path = join(smallDisk(256), "a.safetensors");
      await writeSafetensors(path, [tensor("x", "F32", [1], Float32Array.of(1))]);
      const large = tensor("x", "F32", [100_000], new Float32Array(100_000).fill(2));
      await expect(writeSafetensors(path, [large])).rejects.toThrow(`the disk that holds ${path} is full`);
      const file = await openSafetensors(path);
      expect(await file.read("x")).toEqual(Float32Array.of(1));
      await file.close();
      expect(readdirSync(join(path, ".."))).toEqual(["a.safetensors"]);
    },
  );
});

describe("digests", () => {
  const written = async (): Promise<{ path: string; bytes: Buffer; dataStart: number }> => {
    const path = join(temporaryFolder(), "a.safetensors");
    const half = tensor("half", "F16", [3], Uint16Array.of(0x3c00, 0x4000, 0));
    await writeSafetensors(path, [tensor("x", "F32", [4], Float32Array.of(1, 2, 3, 4)), half], { format: "pt" });
    const bytes = readFileSync(path);
    return { path, bytes, dataStart: 8 + Number(bytes.readBigUInt64LE()) };
  };
  const flip = (path: string, bytes: Buffer, bit: number): void => {
    const flipped = Buffer.from(bytes);
    flipped[bit >> 3]! ^= 1 << (bit & 7);
    writeFileSync(path, flipped);
  };

  it("refuses every file with one flipped bit in its header when it is opened", async () => {
    const { path, bytes, dataStart } = await written();
    for (let bit = 0; bit < dataStart * 8; bit += 3) {
      flip(path, bytes, bit);
      await expect(openSafetensors(path), `bit ${bit}`).rejects.toThrow(path);
    }
  });

  it("refuses a tensor with one flipped bit when it is read, by name, and still reads the others", async () => {
    const { path, bytes, dataStart } = await written();
    for (let bit = dataStart * 8; bit < bytes.length * 8; bit++) {
      flip(path, bytes, bit);
      const file = await openSafetensors(path);
      const [name, other] = bit < (dataStart + 16) * 8 ? ["x", "half"] : ["half", "x"];
      const message = `${path} is damaged (tensor "${name}" has changed since it was written)`;
      await expect(file.read(name), `bit ${bit}`).rejects.toThrow(message);
      await expect(file.readFloat32(name), `bit ${bit}`).rejects.toThrow(message);
      await file.read(other);
      await file.close();
    }
  });

  it("are not needed: a file of another program is read as it is", async () => {
    const path = join(temporaryFolder(), "a.safetensors");
    writeRaw(path, { x: { dtype: "F32", shape: [1], data_offsets: [0, 4] } }, new Uint8Array(4));
    const file = await openSafetensors(path);
    expect(file.hasDigests).toBe(false);
    expect(await file.read("x")).toEqual(new Float32Array(1));
    await file.close();
  });
});

describe("readFloat32", () => {
  it("converts every half-precision number exactly", async () => {
    const path = join(temporaryFolder(), "a.safetensors");
    const bits = Uint16Array.from({ length: 65_536 }, (_, i) => i);
    await writeSafetensors(path, [tensor("h", "F16", [65_536], bits), tensor("b", "BF16", [65_536], bits)]);
    const file = await openSafetensors(path);
    const half = await file.readFloat32("h");
    const brain = await file.readFloat32("b");
    let wrong = 0;
    for (let i = 0; i < bits.length; i++) {
      if (!Object.is(half[i], halfPrecision(bits[i]!))) wrong++;
      const wide = new DataView(Uint32Array.of(bits[i]! << 16).buffer).getFloat32(0, true);
      if (!Object.is(brain[i], wide)) wrong++;
    }
    expect(wrong).toBe(0);
    await file.close();
  });

  it("refuses integers, and readInto a target of another kind or length", async () => {
    const path = join(temporaryFolder(), "a.safetensors");
    await writeSafetensors(path, all());
    const file = await openSafetensors(path);
    await expect(file.readFloat32("i32")).rejects.toThrow(`${path}: tensor "i32" is of type I32`);
    await expect(file.readInto("i32", new Float32Array(2))).rejects.toThrow(/does not fit/);
    await expect(file.readInto("i32", new Int32Array(3))).rejects.toThrow(/does not fit/);
    await expect(file.read("absent")).rejects.toThrow(`${path} has no tensor "absent"`);
    await expect(file.read("toString")).rejects.toThrow(/has no tensor/);
    await file.close();
  });

  it("says that a file became shorter while being read", async () => {
    const path = join(temporaryFolder(), "a.safetensors");
    await writeSafetensors(path, [tensor("x", "F32", [100], new Float32Array(100))]);
    const file = await openSafetensors(path);
    truncateSync(path, 100);
    await expect(file.read("x")).rejects.toThrow(`${path} became shorter while being read`);
    await file.close();
  });
});

describe("openSafetensors refuses, in one sentence that names the file,", () => {
  const entry = (shape: unknown, begin: unknown, end: unknown, dtype: unknown = "F32") => ({
    dtype,
    shape,
    data_offsets: [begin, end],
  });
  const cases: [what: string, header: unknown, dataBytes: number, message: RegExp, headerBytes?: bigint][] = [
    ["a header beyond the file", "{}", 0, /is truncated: its header has 1000 bytes, but the file has 10/, 1000n],
    ["a header of more than 100 MB", "{}", 0, /header would have 100000001 bytes/, 100_000_001n],
    ["a header of 2^64 - 1 bytes", "{}", 0, /header would have 18446744073709551615 bytes/, 2n ** 64n - 1n],
    ["a header that is not JSON", "hello", 0, /"\{" is missing/],
    ["a header that is a list", "[]", 0, /"\{" is missing/],
    ["an empty header", "", 0, /"\{" is missing/],
    ["JSON that does not end", '{"a":{"dtype":"F32"', 0, /"}" is missing/],
    ["a string that does not end", '{"a', 0, /a string does not end/],
    ["a bad escape", '{"\\x":1}', 0, /a string is not valid JSON/],
    ["something after the JSON", "{} x", 0, /there is text after the JSON/],
    ["deep nesting", "[".repeat(200_000), 0, /"\{" is missing/],
    ["deep nesting in a shape", `{"a":{"dtype":"F32","shape":${"[".repeat(200_000)}`, 0, /a number is missing/],
    [
      "truncated data",
      { a: entry([2], 0, 8) },
      4,
      /tensor "a" ends at byte \d+, but the file has \d+ bytes: the file is truncated/,
    ],
    ["bytes after the last tensor", { a: entry([2], 0, 8) }, 9, /has 1 bytes after its last tensor/],
    ["overlapping offsets", { a: entry([2], 0, 8), b: entry([2], 4, 12) }, 12, /tensor "b" overlaps the one before it/],
    ["the same bytes twice", { a: entry([2], 0, 8), b: entry([2], 0, 8) }, 8, /tensor "b" overlaps/],
    ["a hole", { a: entry([1], 0, 4), b: entry([1], 8, 12) }, 12, /tensor "b" leaves a gap of 4 bytes/],
    ["a hole at the beginning", { a: entry([1], 4, 8) }, 8, /tensor "a" leaves a gap of 4 bytes/],
    [
      "fewer bytes than its shape needs",
      { a: entry([3], 0, 8) },
      8,
      /tensor "a" of type F32 and shape \[3\] needs 12 bytes/,
    ],
    ["offsets that go backwards", { a: entry([1], 8, 4) }, 8, /needs 4 bytes, but its offsets span -4/],
    ["a negative shape", { a: entry([-1], 0, 4) }, 4, /tensor "a": -1 is not a whole number/],
    [
      "two negative sizes that multiply to a good one",
      { a: entry([-1, -1], 0, 4) },
      4,
      /tensor "a": -1 is not a whole number/,
    ],
    ["a fractional shape", { a: entry([1.5], 0, 6) }, 6, /tensor "a": 1.5 is not a whole number/],
    [
      "a size above 2^53",
      '{"a":{"dtype":"F32","shape":[9007199254740993],"data_offsets":[0,4]}}',
      4,
      /not a whole number/,
    ],
    [
      "a number in exponents",
      '{"a":{"dtype":"F32","shape":[1e0],"data_offsets":[0,4]}}',
      4,
      /1e0 is not a whole number/,
    ],
    [
      "a shape whose product is beyond all bounds",
      { a: entry([2 ** 52, 2 ** 52], 0, 4) },
      4,
      /tensor "a" has the impossible shape/,
    ],
    ["a shape that is no list", { a: entry(4, 0, 4) }, 4, /tensor "a": "\[" is missing/],
    ["a shape of very many axes", { a: entry(new Array(1000).fill(1), 0, 4) }, 4, /more than 64 numbers/],
    ["negative offsets", { a: entry([1], -4, 0) }, 4, /tensor "a": -4 is not a whole number/],
    ["three offsets", { a: { dtype: "F32", shape: [1], data_offsets: [0, 4, 4] } }, 4, /more than 2 numbers/],
    ["an unknown type", { a: entry([1], 0, 4, "F31") }, 4, /tensor "a" has the unknown type "F31"/],
    ["a type that is a property of objects", { a: entry([1], 0, 4, "constructor") }, 4, /unknown type "constructor"/],
    ["a missing type", { a: { shape: [1], data_offsets: [0, 4] } }, 4, /tensor "a": dtype is missing/],
    ["an unknown key", { a: { ...entry([1], 0, 4), more: 1 } }, 4, /tensor "a": the key "more" is unknown/],
    [
      "more names than any model has",
      `{"__metadata__":{${Array.from({ length: 200_001 }, (_, i) => `"${i}":""`).join(",")}}}`,
      0,
      /__metadata__: there are more than 200000 names/,
    ],
    ["a tensor that is null", { a: null }, 0, /tensor "a": "\{" is missing/],
    [
      "a name twice",
      '{"a":{"dtype":"F32","shape":[0],"data_offsets":[0,0]},"a":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}',
      0,
      /the name "a" occurs twice/,
    ],
    [
      "a name twice, once escaped",
      '{"a":{"dtype":"F32","shape":[0],"data_offsets":[0,0]},"\\u0061":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}',
      0,
      /the name "a" occurs twice/,
    ],
    ["metadata that is no text", { __metadata__: { a: 1 } }, 0, /__metadata__: "\\?"" is missing/],
    ["metadata that is a list", { __metadata__: [] }, 0, /__metadata__: "\{" is missing/],
  ];

  it.each(cases)("%s", async (_, header, dataBytes, message, headerBytes) => {
    const path = join(temporaryFolder(), "bad.safetensors");
    writeRaw(path, header, new Uint8Array(dataBytes), headerBytes);
    const error = await openSafetensors(path).then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    expect(error).toMatchObject({ name: "UserError", message: expect.stringMatching(message) });
    expect((error as Error).message).toContain(path);
  });

  it("a file that is too short, is no file, is not there, or whose header is not UTF-8", async () => {
    const folder = temporaryFolder();
    const path = join(folder, "bad.safetensors");
    writeFileSync(path, "1234567");
    await expect(openSafetensors(path)).rejects.toThrow(`${path} is truncated: it has 7 bytes`);
    writeFileSync(path, Buffer.concat([Buffer.from([3, 0, 0, 0, 0, 0, 0, 0]), Buffer.from([0x7b, 0xff, 0x7d])]));
    await expect(openSafetensors(path)).rejects.toThrow(`${path} is not a safetensors file: its header is not UTF-8`);
    await expect(openSafetensors(folder)).rejects.toThrow(`${folder} is a folder, but must be a regular file: `);
    await expect(openSafetensors(join(folder, "absent"))).rejects.toThrow(/absent does not exist: /);
  });

  it("a tensor that does not fit in memory, when it is read", async ({ skip }) => {
    const path = join(temporaryFolder(), "sparse.safetensors");
    const bytes = 2 ** 43;
    writeRaw(path, { a: entry([bytes], 0, bytes, "U8") });
    try {
      truncateSync(path, readFileSync(path).length + bytes);
    } catch {
      skip("this disk cannot hold a file of 8 TiB, not even an empty one");
    }
    const file = await openSafetensors(path);
    await expect(file.read("a")).rejects.toThrow(`tensor "a" of ${bytes} bytes does not fit in memory`);
    await file.close();
  });
});
