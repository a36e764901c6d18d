import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { openSafetensors } from "../../../server/checkpoint/safetensors.ts";
import { writeSafetensors } from "../../../server/checkpoint/writeSafetensors.ts";
import { UserError } from "../../../server/protocol/errors.ts";
import { temporaryFolder } from "../runs/folder.ts";
import { safetensorsBytes } from "./files.ts";

/** Seeded random numbers in [0, 1): mulberry32. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let x = Math.imul(state ^ (state >>> 15), state | 1);
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61);
    return ((x ^ (x >>> 14)) >>> 0) / 2 ** 32;
  };
}

const pieces = [
  '"',
  "{",
  "}",
  "[",
  "]",
  ",",
  ":",
  "-",
  "0",
  "9",
  "99999999999999999999",
  ".5",
  "e9",
  "\\",
  "\\u0000",
  "null",
  '"F64"',
  " ",
];

/** A copy with a few bytes changed, cut out, put in or repeated. */
function mutate(bytes: Buffer, next: () => number): Buffer {
  let mutated = Buffer.from(bytes);
  const changes = 1 + Math.floor(next() * 3);
  for (let i = 0; i < changes; i++) {
    const at = Math.floor(next() * mutated.length);
    const kind = next();
    if (kind < 0.35) mutated[at] = Math.floor(next() * 256);
    else if (kind < 0.5) mutated = mutated.subarray(0, at);
    else if (kind < 0.65)
      mutated = Buffer.concat([mutated.subarray(0, at), mutated.subarray(at + 1 + Math.floor(next() * 8))]);
    else if (kind < 0.9) {
      const piece = Buffer.from(pieces[Math.floor(next() * pieces.length)]!);
      mutated = Buffer.concat([
        mutated.subarray(0, at),
        piece,
        mutated.subarray(at + (next() < 0.5 ? piece.length : 0)),
      ]);
      // A header of the right length, so that its content is what is tried.
      const headerBytes = Number(bytes.readBigUInt64LE()) + mutated.length - bytes.length;
      if (mutated.length >= 8 && headerBytes >= 0 && next() < 0.5) mutated.writeBigUInt64LE(BigInt(headerBytes));
    } else mutated[at % 8] = Math.floor(next() * 256);
    if (mutated.length === 0) return mutated;
  }
  return mutated;
}

/** Reads 800 mutated copies of a file: how many were accepted, and the kinds of sentences about the others. */
async function readMutated(good: Buffer): Promise<{ accepted: number; messages: Set<string> }> {
  const path = join(temporaryFolder(), "fuzz.safetensors");
  const next = random(20260731);
  let accepted = 0;
  const messages = new Set<string>();
  for (let i = 0; i < 800; i++) {
    const bytes = mutate(good, next);
    if (bytes.equals(good)) continue;
    writeFileSync(path, bytes);
    try {
      const file = await openSafetensors(path);
      let total = 0;
      for (const name of file.names) total += (await file.read(name)).byteLength;
      await file.close();
      expect(total).toBe(bytes.length - 8 - Number(bytes.readBigUInt64LE()));
      accepted++;
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      expect(error.message).toContain(path);
      expect(error.message.length).toBeLessThan(2000);
      messages.add(error.message.replaceAll(/\d+/g, "#"));
    }
  }
  return { accepted, messages };
}

it("reads 800 mutated files of another program as the tensors they hold, or reports one clear sentence", async () => {
  const header = {
    __metadata__: { format: "pt" },
    a: { dtype: "F32", shape: [2, 3], data_offsets: [0, 24] },
    ["__proto__"]: { dtype: "F16", shape: [4], data_offsets: [24, 32] },
    constructor: { dtype: "U8", shape: [], data_offsets: [32, 33] },
  };
  const { accepted, messages } = await readMutated(safetensorsBytes(header, new Uint8Array(33)));
  expect(accepted).toBeGreaterThan(10);
  expect(messages.size).toBeGreaterThan(20);
});

it("accepts none of 800 mutated files that have digests", async () => {
  const path = join(temporaryFolder(), "good.safetensors");
  await writeSafetensors(
    path,
    [
      { name: "a", dtype: "F32", shape: [2, 3], data: new Float32Array(6) },
      { name: "__proto__", dtype: "F16", shape: [4], data: new Uint16Array(4) },
      { name: "constructor", dtype: "U8", shape: [], data: new Uint8Array(1) },
    ],
    { format: "pt" },
  );
  const { accepted, messages } = await readMutated(readFileSync(path));
  expect(accepted).toBe(0);
  expect([...messages].filter((message) => message.includes("is damaged")).length).toBeGreaterThan(3);
});
