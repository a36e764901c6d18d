import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { type SchemaNode, schemaAt, schemaRoot } from "../../../server/experiment/describe.ts";
import { parseExperiment } from "../../../server/experiment/parse.ts";
import {
  ablations,
  exampleExperiment,
  experimentJsonSchema,
  experimentReference,
} from "../../../server/experiment/reference.ts";
import { modelDefaults } from "../../../server/experiment/schema/model.ts";
import { routerDefaults, routers } from "../../../server/experiment/schema/router.ts";
import { trainingDefaults, trainingKeyNames } from "../../../server/experiment/schema/training.ts";

const onDisk = (name: string) => readFileSync(new URL(`../../../docs/${name}`, import.meta.url), "utf8");

/** Every key of the schema with its path, those below names that the user chooses included. */
function keys(node: SchemaNode = schemaRoot(), path = ""): [string, SchemaNode][] {
  const inner = Object.entries(node.properties ?? {}).flatMap(([name, child]): [string, SchemaNode][] => {
    const at = path ? `${path}.${name}` : name;
    return [[at, child], ...keys(child, at)];
  });
  return node.additionalProperties ? [...inner, ...keys(node.additionalProperties, `${path}.*`)] : inner;
}

describe("the generated pages", () => {
  it("on disk are what the schema gives (write them with: node docs/generate.ts)", () => {
    expect(onDisk("experiment-file.md")).toBe(experimentReference());
    expect(onDisk("experiment-file.schema.json")).toBe(`${JSON.stringify(experimentJsonSchema(), null, 2)}\n`);
  });

  it("describe every key, with a default for each that is no section", () => {
    expect(keys().length).toBeGreaterThan(80);
    for (const [path, node] of keys()) {
      expect(node.description, path).toMatch(/\.$/);
      if (!node.properties) expect(node.default ?? node.defaultText, path).toBeDefined();
    }
  });

  it("name every key of every section in the Markdown page", () => {
    const page = experimentReference();
    for (const [path, node] of keys()) {
      const name = path.split(".").at(-1)!;
      expect(page, path).toMatch(node.properties || path === "domains" ? `\`${path}\`` : `| \`${name}\` |`);
    }
  });

  it("give the paper's values of training and routing", () => {
    const paper = (path: string) => schemaAt(path.split("."))?.paper;
    expect(
      ["learningRate", "warmup", "finalLearningRate", "weightDecay"].map((key) => paper(`training.${key}`)),
    ).toEqual(["1e-4", "100", "0.1", "0.1"]);
    const router = ["k", "capacity", "minTemperature", "loadBalance"].map((key) => paper(`mix.router.${key}`));
    expect(router).toEqual(["2", "1.5", "0.5", "0.01"]);
  });

  it("say of every router what it does, and which of its keys are its own", () => {
    const { type, ...keys } = schemaAt(["mix", "router"])!.properties!;
    for (const [name, { does, keys: own }] of Object.entries(routers)) {
      expect(type!.description).toContain(`\`${name}\`: ${does}.`);
      for (const key of Object.keys(own)) expect(keys[key]!.description, key).toContain(`For \`${name}\`: `);
    }
  });

  it("give keys for the paper's ablations that an experiment may have", () => {
    for (const [row, section] of ablations) {
      const flow = section.startsWith("{") ? section.slice(1, -1).replace("}}, ", "}}\n") : section;
      const { problems } = parseExperiment(`domains: {a: {files: x}}\n${flow}\n`, "f.btx.yaml");
      expect(problems, row).toEqual([]);
      expect(experimentReference()).toContain(`| ${row} | \`${section}\` |`);
    }
  });

  it("give defaults that are those of an experiment that says nothing", () => {
    const { experiment } = parseExperiment("domains: {a: {files: x}}\n", "f.btx.yaml");
    for (const [key, value] of Object.entries(modelDefaults)) {
      expect(schemaAt(["model", key])?.default, key).toBe(value);
      expect(experiment!.model, key).toHaveProperty(key, value);
    }
    for (const key of trainingKeyNames)
      expect(schemaAt(["training", key])?.default, key).toBe((trainingDefaults as Record<string, unknown>)[key]);
    const { k: _, ...router } = routerDefaults;
    for (const [key, value] of Object.entries(router))
      expect(schemaAt(["mix", "router", key])?.default, key).toBe(value);
    for (const key of ["heldOut", "randomSeed"] as const) expect(schemaAt([key])?.default).toBe(experiment![key]);
    for (const key of ["batch", "answers"] as const)
      expect(schemaAt(["evaluate", key])?.default).toBe(experiment!.evaluate[key]);
    const tokens = ["experts", "finetune", "evaluate"].map((key) => schemaAt([key, "tokens"])?.defaultText);
    expect(tokens).toEqual(["500k", "500k", "16384"]);
    expect([experiment!.experts.tokens, experiment!.finetune.tokens, experiment!.evaluate.tokens]).toEqual([
      500_000, 500_000, 16_384,
    ]);
  });
});

describe("the JSON schema", () => {
  const schema = JSON.stringify(experimentJsonSchema());

  it("has no keys that JSON Schema does not know", () => {
    for (const key of ["unit", "paper", "defaultText", "expects"]) expect(schema).not.toContain(`"${key}":`);
  });

  it("carries unit, default and the paper's value in the description", () => {
    expect(schema).toContain("Steps of linear warm-up.");
    expect(schema).toContain("Unit: steps. Default: 100, but at most a tenth of the phase's steps. BTX paper: 100.");
  });

  it("forbids unknown keys and asks for domains alone", () => {
    expect(experimentJsonSchema()).toMatchObject({ required: ["domains"], additionalProperties: false });
  });

  it("belongs to the schema by which the example is valid", () => {
    expect(parseExperiment(exampleExperiment, "f.btx.yaml").problems).toEqual([]);
  });
});
