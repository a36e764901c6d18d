import { mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { add, matMul, mul, tensor1d, transpose } from "@tensorflow/tfjs-core";
import { afterEach, expect, test, vi } from "vitest";
import { programGraph } from "../../../../server/engine/capture/capture.ts";
import { graphText } from "../../../../server/engine/graph/print.ts";
import { compile } from "../../../../server/engine/onnx/compile.ts";
import { Store } from "../../../../server/engine/store.ts";
import { trainStep } from "../../../../server/model/trainStep.ts";
import { named, type Program, type TensorSpecs } from "../../../../server/ops/program.ts";
import { dense, mixture, storeOf } from "../../../fixtures/models.ts";
import { domains, training, trainingBatch } from "../../../fixtures/training.ts";

interface Read {
  program: string;
  /** Lines of each section without what they define: "state", "batch", "nodes", ... */
  sections: Map<string, string[]>;
  /** Type and shape of each value by its number. */
  types: Map<string, string>;
}

const sections = ["state", "batch", "constants", "nodes", "new state", "results"];
const type = String.raw`(?:float32|int32|bool) \[[\d, ]*\]`;
const definition = new RegExp(`^  ((?:%\\d+, )*%\\d+) = (.+?): (${type}(?:, ${type})*)$`);

/** Reads a printed graph back. Fails where a value is used before it is defined, or defined twice. */
function read(text: string): Read {
  const [title, ...lines] = text.trimEnd().split("\n");
  const graph: Read = { program: title!.replace(/^program /, ""), sections: new Map(), types: new Map() };
  let section: string[] = [];
  const use = (text: string) => {
    for (const [operand] of text.matchAll(/%\d+/g))
      expect(graph.types.has(operand), `${operand} in ${text}`).toBe(true);
  };
  for (const line of lines) {
    if (!line.startsWith("  ")) {
      expect(sections).toContain(line);
      section = [];
      graph.sections.set(line, section);
      continue;
    }
    const defines = definition.exec(line);
    if (!defines) {
      expect(line).toMatch(/^ {2}".+" = %\d+(, in place)?$/);
      use(line);
      section.push(line.trim());
      continue;
    }
    const [, names, what, types] = defines as unknown as [string, string, string, string];
    if (!what.startsWith('"')) use(what);
    const typesOf = types.match(new RegExp(type, "g"))!;
    const numbers = names.split(", ");
    expect(typesOf.length).toBe(numbers.length);
    for (const [index, number] of numbers.entries()) {
      expect(graph.types.has(number)).toBe(false);
      graph.types.set(number, typesOf[index]!);
    }
    section.push(`${what}: ${types}`);
  }
  return graph;
}

const specTexts = (specs: TensorSpecs): string[] =>
  Object.entries(specs).map(([name, { shape, dtype }]) => `"${name}": ${dtype} [${shape.join(", ")}]`);

const folder = mkdtempSync(join(tmpdir(), "btx-graph-"));
afterEach(() => {
  vi.unstubAllEnvs();
});

test("a small graph reads as it was written", () => {
  const store = new Store();
  store.set("w", [4, 3], new Float32Array(12));
  function layer(state: Parameters<Program>[0], batch: Parameters<Program>[1]) {
    const w = named(state, "w");
    const product = matMul(named(batch, "x"), transpose(w));
    return { state: { w: mul(w, 0.5) }, results: { y: add(product, tensor1d([1, 2, 3, 4])) } };
  }
  const graph = programGraph(layer, store, { x: { shape: [2, 3], dtype: "float32" } });
  expect(graphText(graph, { program: layer.name, inPlace: () => true })).toBe(`program layer
state
  %0 = "w": float32 [4, 3]
batch
  %1 = "x": float32 [2, 3]
constants
  %2 = [1, 2, 3, 4]: float32 [4]
  %3 = 0.5: float32 []
nodes
  %4 = BatchMatMul(%1, %0) {transposeA: false, transposeB: true}: float32 [2, 4]
  %5 = Multiply(%0, %3): float32 [4, 3]
  %6 = Add(%4, %2): float32 [2, 4]
new state
  "w" = %5, in place
results
  "y" = %6

`);
});

test.each([
  ["dense", dense],
  ["mixture-of-experts", mixture],
])("BTX_GRAPH prints the training step of a %s model whole, in order, with what is updated in place", async (model, config) => {
  const file = join(folder, `${model}.txt`);
  vi.stubEnv("BTX_GRAPH", file);
  const store = storeOf(config, { moments: true });
  const program = trainStep(config, training, domains);
  const batch = trainingBatch(config);
  const graph = programGraph(program, store, batch);
  await (await compile(program, store, batch, { threads: 1 })).dispose();

  const text = readFileSync(file, "utf8");
  const printed = read(text);
  expect(printed.program).toBe("trainStep");
  expect(printed.sections.get("state")).toEqual(specTexts(store.specs()));
  expect(printed.sections.get("batch")).toEqual(specTexts(batch));
  expect(printed.sections.get("nodes")!.map((line) => line.split("(")[0])).toEqual(
    graph.nodes.map(({ kernel }) => kernel),
  );
  // With clipping every new value follows from all gradients, so each may take the place of the old.
  const changed = printed.sections.get("new state")!;
  expect(changed.map((line) => /^"(.+)" = /.exec(line)![1])).toEqual([...graph.newState.keys()]);
  for (const line of changed) expect(line).toMatch(/, in place$/);
  for (const line of changed) {
    const [, name, number] = /^"(.+)" = (%\d+)/.exec(line)!;
    const { dtype, shape } = store.specs()[name!]!;
    expect(printed.types.get(number!)).toBe(`${dtype} [${shape.join(", ")}]`);
  }
  expect(printed.sections.get("results")!.length).toBe(graph.results.size);

  await (await compile(program, store, batch, { threads: 1 })).dispose();
  expect(readFileSync(file, "utf8"), "another compile adds another graph").toBe(`${text}${text}`);
});

test("state that takes turns with a second buffer is not called updated in place", async () => {
  const file = join(folder, "turns.txt");
  vi.stubEnv("BTX_GRAPH", file);
  const store = new Store();
  store.set("x", [4], new Float32Array(4));
  const program: Program = ({ x }) => ({ state: { x: add(x!, 1) }, results: { y: mul(x!, 2) } });
  await (await compile(program, store, {}, { threads: 1 })).dispose();
  expect(read(readFileSync(file, "utf8")).sections.get("new state")).toEqual([expect.stringMatching(/^"x" = %\d+$/)]);
});

test("a file that cannot be written is an error that names it and the variable", async () => {
  const file = join(folder, "missing", "graph.txt");
  vi.stubEnv("BTX_GRAPH", file);
  const program: Program = () => ({ state: {}, results: { one: tensor1d([1]) } });
  await expect(compile(program, new Store(), {}, { threads: 1 })).rejects.toThrow(
    `BTX_GRAPH: "${file}" cannot be written: ENOENT`,
  );
});
