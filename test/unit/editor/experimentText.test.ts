import { describe, expect, it } from "vitest";
import { withSections } from "../../../server/editor/experimentText.ts";

const text = `# An experiment.
name: demo
engine: tfjs # slow

domains:
  a: {files: a.txt}
devices:
  - cpu
  - webgpu
seed: {tokens: 1k}`;

describe("sections of an experiment", () => {
  it("are replaced where they stand, or come last, and all other lines stay", () => {
    const changed = withSections(text, { devices: "devices: [cuda]", engine: "engine: onnx", heldOut: "heldOut: 0.1" });
    expect(changed).toBe(`# An experiment.
name: demo
engine: onnx

domains:
  a: {files: a.txt}
devices: [cuda]
seed: {tokens: 1k}
heldOut: 0.1
`);
  });

  it("are taken out", () => {
    expect(withSections(text, { engine: "", devices: "", heldOut: "" })).toBe(`# An experiment.
name: demo

domains:
  a: {files: a.txt}
seed: {tokens: 1k}
`);
  });

  it("begin a text that has none", () => {
    expect(withSections("", { engine: "engine: onnx" })).toBe("engine: onnx\n");
    expect(withSections("# later\n", { engine: "engine: onnx" })).toBe("# later\nengine: onnx\n");
  });

  it("are not changed in a text that has mistakes, or is in braces", () => {
    for (const broken of ["{name: demo}", "a: [", "- a\n- b\n"])
      expect(() => withSections(broken, { engine: "engine: onnx" })).toThrow("some sections share a line");
  });
});
