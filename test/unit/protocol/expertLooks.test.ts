import { describe, expect, it } from "vitest";
import { expertLooks } from "../../../server/protocol/expertLooks.ts";

const distinct = (experts: Parameters<typeof expertLooks>[0]) =>
  new Set(expertLooks(experts).map(({ color, line }) => `${color} ${line}`)).size;

describe("the looks of experts", () => {
  it("are the colours of the tree, and lines that tell the first four apart without colour", () => {
    const looks = expertLooks([{ color: "two" }, { color: "seed" }, {}, {}]);
    expect(looks.map(({ color }) => color)).toEqual(["two", "seed", "three", "four"]);
    expect(new Set(looks.map(({ line }) => line)).size).toBe(4);
  });

  it("are different for 24 experts, and for four of one colour", () => {
    expect(distinct(Array(24).fill({}))).toBe(24);
    expect(distinct(Array(4).fill({ color: "one" }))).toBe(4);
    expect(distinct([{ color: "one" }, {}, {}, {}, { color: "one" }, {}, {}, {}, { color: "one" }])).toBe(9);
  });

  it("are there for more experts than there are looks", () => {
    expect(expertLooks(Array(200).fill({}))).toHaveLength(200);
  });
});
