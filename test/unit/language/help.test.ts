import { describe, expect, it } from "vitest";
import { schemaAt } from "../../../server/experiment/describe.ts";
import { keyHelp, valueHelp } from "../../../server/language/help.ts";

describe("help", () => {
  it("says of a key what it does, its values, unit, default and the paper's value", () => {
    expect(keyHelp(["model", "context"], schemaAt(["model", "context"])!)).toBe(
      "**`model.context`**\n\nLongest sequence (T); training text is packed to this length.\n\n- Value: A whole number of at least 1\n- Unit: tokens\n- Default: `128`\n- BTX paper: 4096",
    );
  });

  it("says of a section what it is", () => {
    expect(keyHelp(["mix"], schemaAt(["mix"])!)).toMatch(/^\*\*`mix`\*\*\n\nMix: [^\n]*$/);
  });

  it("says of every value in a list of choices what it means", () => {
    for (const path of [
      ["tokenizer", "type"],
      ["mix", "router", "type"],
      ["mix", "router", "balance"],
    ]) {
      const node = schemaAt(path)!;
      for (const value of node.enum!) expect(valueHelp(node, value), `${path} ${value}`).toMatch(`\`${value}\`: `);
    }
    expect(valueHelp(schemaAt(["compare"])!, "average")).toBe(
      "`average`: the average of all weights of the mixed models.",
    );
    expect(valueHelp(schemaAt(["compare"])!, "none")).toBeUndefined();
  });
});
