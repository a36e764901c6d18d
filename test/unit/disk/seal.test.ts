import { describe, expect, it } from "vitest";
import * as z from "zod";
import { DamagedError } from "../../../server/disk/damaged.ts";
import { parseSealed, sealed } from "../../../server/disk/seal.ts";
import { UserError } from "../../../server/protocol/errors.ts";

const schema = z.strictObject({ name: z.string(), values: z.array(z.number()), more: z.unknown().optional() });
const value = { name: 'ü "digest": ', values: [1, 2.5, -3e-7], more: { files: { a: { digest: "0123456789abcdef" } } } };
const read = (text: string) => parseSealed(text, schema, "a.json");

describe("a sealed file", () => {
  it("is JSON for everybody, and gives back the value without the digest", () => {
    const text = sealed(value);
    const { digest, ...rest } = JSON.parse(text);
    expect(digest).toMatch(/^[0-9a-f]{16}$/);
    expect(rest).toEqual(value);
    expect(read(text)).toEqual(value);
  });

  it("is refused with any one bit flipped, and cut anywhere", () => {
    const good = Buffer.from(sealed(value));
    for (let bit = 0; bit < good.length * 8; bit++) {
      const bytes = Buffer.from(good);
      bytes[bit >> 3]! ^= 1 << (bit & 7);
      expect(() => read(bytes.toString()), `bit ${bit}`).toThrow(UserError);
    }
    for (let length = 0; length < good.length - 1; length++)
      expect(() => read(good.toString("utf8", 0, length)), `${length} bytes`).toThrow(UserError);
  });

  it("is damaged, and not another value, where a digit was changed", () => {
    expect(() => read(sealed(value).replace("2.5", "2.4"))).toThrow(DamagedError);
    expect(() => read(sealed(value).replace("2.5", "2.4"))).toThrow(
      "a.json is damaged (its content has changed since it was written)",
    );
  });

  it("of an older version has no digest and is read as it is", () => {
    for (const indent of [0, 2]) expect(read(JSON.stringify({ name: "a", values: [] }, null, indent))).toBeTruthy();
    expect(() => read('{"name": 1}')).toThrow("a.json has no valid `name`");
  });
});
