import { describe, expect, test } from "vitest";
import { allImports, findCircle, type Import, readSources, type Sources } from "./imports.ts";

/** Who may import whom, as the design has it. */

const sources = readSources(new URL("../..", import.meta.url).pathname, ["server", "extension", "webview"]);

const ours = (to: string): boolean => /^(server|extension|webview|test|bench|examples|docs)\//.test(to);
const within = (...folders: string[]) => {
  const prefixes = folders.map((folder) => `${folder}/`);
  return (path: string): boolean => prefixes.some((prefix) => path.startsWith(prefix));
};
const server = (...folders: string[]) => within(...folders.map((folder) => `server/${folder}`));
/** Programs on tensors and what runs them. */
const tensorPackage = (to: string): boolean => /^(@tensorflow\/|onnxruntime)/.test(to);

/** The folder of the engine that a file belongs to: "onnx", "tfjs"; undefined for what engines share. */
const engineFolder = (path: string): string | undefined => {
  const name = /^server\/engine\/([^/]+)\//.exec(path)?.[1];
  return name === "graph" || name === "capture" ? undefined : name;
};

interface Rule {
  says: string;
  /** Files it holds for. */
  of: (path: string) => boolean;
  allows: (edge: Import) => boolean;
  /** A file that keeps it, and one that breaks it. */
  kept: [path: string, text: string];
  broken: [path: string, text: string];
}

const rules: Rule[] = [
  {
    says: "protocol/ imports nothing of ours, and zod only",
    of: server("protocol"),
    allows: ({ to }) => to === "zod" || server("protocol")(to),
    kept: ["server/protocol/a.ts", 'import * as z from "zod";\nimport type { B } from "./b.ts";'],
    broken: ["server/protocol/a.ts", 'import type { A } from "../runs/a.ts";'],
  },
  {
    says: "ops/, model/ and routers/ import only TF.js core, each other, parameters/ and protocol/",
    of: server("ops", "model", "routers"),
    allows: ({ to }) =>
      to === "@tensorflow/tfjs-core" || server("ops", "model", "routers", "parameters", "protocol")(to),
    kept: ["server/model/a.ts", 'import { add } from "@tensorflow/tfjs-core";\nimport { moe } from "../ops/moe.ts";'],
    broken: ["server/model/a.ts", 'import { compile } from "../engine/onnx/compile.ts";'],
  },
  {
    says: "parameters/ knows what a parameter is, and no model",
    of: server("parameters"),
    allows: ({ to }) => server("parameters", "protocol")(to),
    kept: ["server/parameters/a.ts", 'import type { ParameterGroup } from "../protocol/stage.ts";'],
    broken: ["server/parameters/a.ts", 'import { attention } from "../model/blocks/attention/declaration.ts";'],
  },
  {
    says: "a declaration does not know how its block or router is run",
    of: (path) => /^server\/(model|routers)\/.*declarations?\.ts$/.test(path),
    allows: ({ to }) =>
      !tensorPackage(to) && (!ours(to) || /declarations?\.ts$/.test(to) || server("parameters", "protocol")(to)),
    kept: ["server/model/blocks/moe/declaration.ts", 'import { norm } from "../norm/declaration.ts";'],
    broken: ["server/model/blocks/moe/declaration.ts", 'import { moe } from "./forward.ts";'],
  },
  {
    says: "engine/ imports only protocol/, ops/, itself, and where packages are installed: it knows no model",
    of: server("engine"),
    allows: ({ to }) => !ours(to) || to === "server/install/catalog.ts" || server("engine", "ops", "protocol")(to),
    kept: ["server/engine/onnx/a.ts", 'import { b } from "../graph/b.ts";\nimport * as ort from "onnxruntime-node";'],
    broken: ["server/engine/onnx/a.ts", 'import { routerName } from "../../model/parameters.ts";'],
  },
  {
    says: "what all engines share, their interface included, imports none of them",
    of: (path) =>
      server("engine/graph", "engine/capture")(path) ||
      ["engine", "store", "deviceFailure"].some((name) => path === `server/engine/${name}.ts`),
    allows: ({ to }) =>
      /^(node:|@tensorflow\/tfjs-core)/.test(to) ||
      server("engine/graph", "engine/capture", "ops", "protocol")(to) ||
      to === "server/engine/store.ts",
    kept: ["server/engine/engine.ts", 'import type { Store } from "./store.ts";'],
    broken: ["server/engine/engine.ts", 'import { compile } from "./onnx/compile.ts";'],
  },
  {
    says: "an engine knows no other",
    of: (path) => engineFolder(path) !== undefined,
    allows: ({ from, to }) => engineFolder(to) === undefined || engineFolder(to) === engineFolder(from),
    kept: ["server/engine/onnx/a.ts", 'import { fold } from "../graph/fold.ts";'],
    broken: ["server/engine/onnx/a.ts", 'import { eager } from "../tfjs/eager.ts";'],
  },
  {
    says: "install/ knows no engine, and devices/ only what its probe tries",
    of: server("install", "devices"),
    allows: ({ from, to }) =>
      (from === "server/devices/probeMain.ts" && server("engine")(to)) ||
      (!tensorPackage(to) &&
        (!ours(to) || server("install", "protocol")(to) || (server("devices")(from) && server("devices")(to)))),
    kept: ["server/devices/probeMain.ts", 'import { ort } from "../engine/onnx/ort.ts";'],
    broken: ["server/devices/list.ts", 'import { ort } from "../engine/onnx/ort.ts";'],
  },
  {
    says: "disk/ reads and writes files, and does not know what is in them",
    of: server("disk"),
    allows: ({ to }) => !tensorPackage(to) && (!ours(to) || server("disk", "protocol")(to)),
    kept: ["server/disk/a.ts", 'import { UserError } from "../protocol/errors.ts";'],
    broken: ["server/disk/a.ts", 'import { stagePaths } from "../runs/layout.ts";'],
  },
  {
    says: "data/, checkpoint/ and runs/ know disks, checkpoint/ what parameters are called, and none an engine, a model or TF.js",
    of: server("data", "checkpoint", "runs"),
    allows: ({ from, to }) =>
      !tensorPackage(to) &&
      (!ours(to) ||
        server("protocol", "disk", from.split("/")[1]!)(to) ||
        (server("checkpoint")(from) && to === "server/parameters/names.ts")),
    kept: ["server/checkpoint/a.ts", 'import { writeFileAtomic } from "../disk/atomic.ts";'],
    broken: ["server/data/a.ts", 'import { seed } from "../stages/seed.ts";'],
  },
  {
    says: "experiment/ knows no engine and no TF.js, and of the model its parameters and sizes only",
    of: server("experiment"),
    allows: ({ to }) =>
      !tensorPackage(to) &&
      (!ours(to) ||
        ["server/model/size.ts", "server/model/parameters.ts"].includes(to) ||
        server("experiment", "data", "checkpoint", "disk", "protocol")(to)),
    kept: ["server/experiment/a.ts", 'import { parameterCount } from "../model/size.ts";'],
    broken: ["server/experiment/a.ts", 'import { moe } from "../model/moe.ts";'],
  },
  {
    says: "compare/ reads runs, and knows of experiments their keys and phases only",
    of: server("compare"),
    allows: ({ to }) =>
      !tensorPackage(to) &&
      (!ours(to) ||
        ["server/experiment/keys.ts", "server/experiment/phases.ts"].includes(to) ||
        server("compare", "runs", "disk", "protocol")(to)),
    kept: ["server/compare/a.ts", 'import { canonicalJson } from "../experiment/keys.ts";'],
    broken: ["server/compare/a.ts", 'import { planExperiment } from "../experiment/plan.ts";'],
  },
  {
    says: "report/ and terminal/ compute nothing",
    of: server("report", "terminal"),
    allows: ({ to }) =>
      !tensorPackage(to) && (!ours(to) || server("report", "terminal", "runs", "disk", "protocol")(to)),
    kept: ["server/report/a.ts", 'import { formatted } from "../protocol/format.ts";'],
    broken: ["server/terminal/a.ts", 'import { parameterCount } from "../model/size.ts";'],
  },
  {
    says: "language/ reads experiments and runs, and computes nothing",
    of: server("language"),
    allows: ({ to }) =>
      !tensorPackage(to) &&
      (!ours(to) ||
        ["server/data/files.ts", "server/data/search.ts", "server/model/size.ts"].includes(to) ||
        server("language", "experiment", "runs", "disk", "protocol")(to)),
    kept: ["server/language/features/a.ts", 'import { parameterCount } from "../../model/size.ts";'],
    broken: ["server/language/a.ts", 'import { runStages } from "../execution/runner.ts";'],
  },
  {
    says: "stream/ reads runs, and asks the inspector for what is computed",
    of: server("stream"),
    allows: ({ to }) =>
      !tensorPackage(to) &&
      (!ours(to) || to === "server/inspect/client.ts" || server("stream", "routing", "runs", "disk", "protocol")(to)),
    kept: ["server/stream/reader/a.ts", 'import { readRun } from "../../runs/runs.ts";'],
    broken: ["server/stream/a.ts", 'import { generate } from "../evaluation/generate.ts";'],
  },
  {
    says: "routing/ writes and reads routing statistics: it knows runs, and no engine, no model and no TF.js",
    of: server("routing"),
    allows: ({ to }) => !tensorPackage(to) && (!ours(to) || server("routing", "runs", "disk", "protocol")(to)),
    kept: ["server/routing/a.ts", 'import { openRecords } from "../disk/append.ts";'],
    broken: ["server/routing/a.ts", 'import type { Values } from "../ops/program.ts";'],
  },
  {
    says: "evaluation/ runs finished models on text, and knows neither stages nor who asks",
    of: server("evaluation"),
    allows: ({ to }) =>
      !ours(to) ||
      server("evaluation", "engine", "model", "routers", "ops", "data", "checkpoint", "disk", "protocol")(to),
    kept: ["server/evaluation/a.ts", 'import { decode } from "../model/decode.ts";'],
    broken: ["server/evaluation/a.ts", 'import type { StageContext } from "../stages/context.ts";'],
  },
  {
    says: "verify/ reads what runs have written, and runs no model",
    of: server("verify"),
    allows: ({ to }) =>
      !tensorPackage(to) &&
      (!ours(to) ||
        to === "server/stages/training/savedState.ts" ||
        server("verify", "runs", "checkpoint", "data", "disk", "protocol")(to)),
    kept: ["server/verify/a.ts", 'import { openData } from "../data/dataset.ts";'],
    broken: ["server/verify/a.ts", 'import { openEngine } from "../engine/open.ts";'],
  },
  {
    says: "stages/ do not know the inspector",
    of: server("stages"),
    allows: ({ to }) => !server("inspect")(to),
    kept: ["server/stages/a.ts", 'import { generator } from "../evaluation/generate.ts";'],
    broken: ["server/stages/a.ts", 'import { forward } from "../inspect/forward.ts";'],
  },
  {
    says: "extension/ and webview/ import only server/protocol/",
    of: within("extension", "webview"),
    allows: ({ from, to }) => !ours(to) || within(from.split("/")[0]!, "server/protocol")(to),
    kept: [
      "webview/a.ts",
      'import { metricSchema } from "../server/protocol/stage.ts";\nimport { b } from "./b/b.ts";',
    ],
    broken: ["extension/commands/a.ts", 'import { readRun } from "../../server/runs/runs.ts";'],
  },
  {
    says: "server/ imports nothing of the extension, the pages, tests or examples",
    of: within("server"),
    allows: ({ to }) => !ours(to) || within("server")(to),
    kept: ["server/runs/a.ts", 'import { b } from "./b.ts";'],
    broken: ["server/runs/a.ts", 'import { fixture } from "../../test/fixtures/run.ts";'],
  },
  {
    says: "execution/ schedules and runs stages on an executor, and knows none",
    of: (path) =>
      ["executor", "runner", "schedule", "watchStage"].some((name) => path === `server/execution/${name}.ts`),
    allows: ({ to }) => !["server/execution/local.ts", "node:child_process", "node:os"].includes(to),
    kept: ["server/execution/runner.ts", 'import type { Executor } from "./executor.ts";'],
    broken: ["server/execution/runner.ts", 'import { localExecutor } from "./local.ts";'],
  },
  {
    says: "nobody imports the command line",
    of: (path) => path !== "server/cli.ts" && !server("cli")(path),
    allows: ({ to }) => to !== "server/cli.ts" && !server("cli")(to),
    kept: ["server/cli.ts", 'import { run } from "./cli/run.ts";'],
    broken: ["server/execution/a.ts", 'import { parse } from "../cli/command.ts";'],
  },
];

function violations({ of, allows }: Rule, files: Sources): string[] {
  return allImports(files)
    .filter((edge) => of(edge.from) && !allows(edge))
    .map(({ from, to }) => `${from} imports ${to}`);
}

describe.each(rules)("$says", (rule) => {
  test("holds", () => {
    expect(violations(rule, sources)).toEqual([]);
  });

  test("is not broken by what it allows", () => {
    expect(violations(rule, new Map([rule.kept]))).toEqual([]);
  });

  test("is seen when it is broken", () => {
    expect(violations(rule, new Map([rule.kept, rule.broken]))).toHaveLength(1);
  });
});

/** Paths along imports that are there at run time, from files in which tensors have no place to a tensor package. */
function tensorsLoaded(files: Sources): string[] {
  const loads = new Map<string, string[]>();
  for (const { from, to, typeOnly } of allImports(files)) {
    if (!typeOnly) loads.set(from, [...(loads.get(from) ?? []), to]);
  }
  const found: string[] = [];
  const searching = (path: string): boolean => server("devices")(path) && path !== "server/devices/probeMain.ts";
  const reading = server(
    "protocol",
    "install",
    "data",
    "checkpoint",
    "disk",
    "runs",
    "routing",
    "experiment",
    "compare",
    "report",
    "terminal",
  );
  const editing = server("language", "editor", "stream");
  const declaring = (path: string): boolean =>
    server("parameters")(path) || /^server\/(model|routers)\/(.*declarations?|parameters|size)\.ts$/.test(path);
  const without = (path: string): boolean =>
    reading(path) || editing(path) || searching(path) || declaring(path) || path === "server/main.ts";
  for (const start of [...files.keys()].filter(without)) {
    const seen = new Set([start]);
    for (const path of seen) {
      if (tensorPackage(path)) found.push(`${start} loads ${path}`);
      for (const next of loads.get(path) ?? []) seen.add(next);
    }
  }
  return found;
}

describe("what knows no tensors loads none at run time, not by way of others either", () => {
  const [a, b] = ["server/experiment/a.ts", "server/model/b.ts"];

  test("holds", () => {
    expect(tensorsLoaded(sources)).toEqual([]);
  });

  test("is not broken by types", () => {
    const files = new Map([
      [a, 'import { parameterCount } from "../model/b.ts";'],
      [b, 'import type { Tensor } from "@tensorflow/tfjs-core";'],
    ]);
    expect(tensorsLoaded(files)).toEqual([]);
  });

  test("is seen when it is broken by way of another file", () => {
    const files = new Map([
      [a, 'export {\n  parameterCount,\n} from "../model/b.ts";'],
      [b, 'import { add } from "@tensorflow/tfjs-core";'],
    ]);
    expect(tensorsLoaded(files)).toEqual([`${a} loads @tensorflow/tfjs-core`]);
  });
});

/** What every file imports, types included, or what every folder below server/ does. */
function edges(files: Sources, nameOf: (path: string) => string): Map<string, Set<string>> {
  const graph = new Map<string, Set<string>>();
  for (const edge of allImports(files)) {
    const [from, to] = [nameOf(edge.from), nameOf(edge.to)];
    const isOneFolder = from === to && edge.from !== edge.to;
    if (ours(edge.to) && !isOneFolder) graph.set(from, (graph.get(from) ?? new Set()).add(to));
  }
  return graph;
}
const file = (path: string): string => path;
const folder = (path: string): string => path.split("/").slice(0, 2).join("/");

describe("imports make no circle", () => {
  test("between files", () => {
    expect(findCircle(edges(sources, file))).toBeUndefined();
  });

  test("between folders", () => {
    expect(findCircle(edges(sources, folder))).toBeUndefined();
  });

  test("and one is seen, of any length", () => {
    const files = new Map([
      ["server/a/a.ts", 'import { b } from "../b/b.ts";'],
      ["server/b/b.ts", 'import type { c } from "../c/c.ts";'],
      ["server/c/c.ts", 'import * as z from "zod";\nexport * from "../a/a.ts";'],
    ]);
    expect(findCircle(edges(files, file))).toEqual([
      "server/a/a.ts",
      "server/b/b.ts",
      "server/c/c.ts",
      "server/a/a.ts",
    ]);
    files.set("server/c/c.ts", 'export * from "../a/other.ts";');
    expect(findCircle(edges(files, file))).toBeUndefined();
    expect(findCircle(edges(files, folder))).toEqual(["server/a", "server/b", "server/c", "server/a"]);
    expect(findCircle(edges(new Map([["server/a/a.ts", 'import "./a.ts";']]), file))).toBeDefined();
  });
});

describe("imports", () => {
  test("are found in all their forms, and not in comments or strings", () => {
    const text = [
      'import "./effect.ts";',
      'import def, { type A } from "./value.ts";',
      "import {",
      "  type B,",
      '} from "../lines.ts";',
      'import type { C } from "./type.ts";',
      'export * from "./star.ts";',
      'export type { D } from "./exported.ts";',
      'const late = await import("./late.ts");',
      '// import { e } from "./comment.ts";',
      "const text = 'import { f } from \"./text.ts\"';",
      'export const g = "./constant.ts";',
    ].join("\n");
    expect(allImports(new Map([["server/x/y.ts", text]])).map(({ to, typeOnly }) => [to, typeOnly])).toEqual([
      ["server/x/effect.ts", false],
      ["server/x/value.ts", false],
      ["server/lines.ts", false],
      ["server/x/type.ts", true],
      ["server/x/star.ts", false],
      ["server/x/exported.ts", true],
      ["server/x/late.ts", false],
    ]);
  });

  test("of the whole tree lead to files that are there", () => {
    const missing = allImports(sources).filter(({ to }) => ours(to) && !sources.has(to) && !to.endsWith(".json"));
    expect(missing).toEqual([]);
    expect(sources.size).toBeGreaterThan(100);
  });
});

describe("a file is one idea", () => {
  const most = 400;
  const long = (files: Sources): string[] =>
    [...files].filter(([, text]) => text.trimEnd().split("\n").length > most).map(([path]) => path);

  test(`of at most ${most} lines`, () => {
    expect(long(sources)).toEqual([]);
  });

  test("and a longer one is seen", () => {
    const files = new Map([
      ["server/a.ts", `${"a\n".repeat(most)}`],
      ["server/b.ts", `${"b\n".repeat(most + 1)}`],
    ]);
    expect(long(files)).toEqual(["server/b.ts"]);
  });
});

/** Paths along imports that are there at run time, from the editor's backend to what reads what an experiment names. */
function namedFilesRead(files: Sources): string[] {
  const loads = new Map<string, string[]>();
  for (const { from, to, typeOnly } of allImports(files))
    if (!typeOnly) loads.set(from, [...(loads.get(from) ?? []), to]);
  const reads = (path: string): boolean =>
    server("data/corpus", "data/tokenizers")(path) ||
    ["data/files", "data/search", "experiment/checkFiles", "checkpoint/loadCheckpoint", "checkpoint/readConfig"].some(
      (name) => path === `server/${name}.ts`,
    );
  const seen = new Set(["server/main.ts"]);
  for (const path of seen) for (const next of loads.get(path) ?? []) seen.add(next);
  return [...seen].filter(reads);
}

describe("the process that answers the editor reads no file that an experiment names", () => {
  test("holds", () => {
    expect(sources.has("server/main.ts")).toBe(true);
    expect(namedFilesRead(sources)).toEqual([]);
  });

  test("is seen when it is broken by way of another file", () => {
    const files = new Map([
      ["server/main.ts", 'import { serve } from "./language/server.ts";'],
      ["server/language/server.ts", 'import { checkExperiment } from "../experiment/check.ts";'],
      ["server/experiment/check.ts", 'import { checkFiles } from "./checkFiles.ts";'],
    ]);
    expect(namedFilesRead(files)).toEqual(["server/experiment/checkFiles.ts"]);
  });
});

describe("what a file or folder names is opened by disk/ alone", () => {
  /** Functions of node:fs that open or read a file, or list a folder of any size. */
  const opening = /\b(readFile|readFileSync|open|openSync|openAsBlob|createReadStream|ReadStream|readSync)\b/;
  /** Other files that may, and what they open: nothing that a person's file or folder names. */
  const others = new Map([
    ["server/cli.ts", "the manifest of this program"],
    ["server/data/tokenFile.ts", "reads a descriptor that disk/ has opened"],
    ["server/data/write.ts", "its own drafts, to write them"],
    ["server/devices/adapter.ts", "/sys"],
    ["server/devices/nvidia.ts", "/proc"],
    ["server/editor/loadMeter.ts", "/proc"],
    ["server/install/zip.ts", "a package that it has fetched"],
    ["server/runs/lock.ts", "its own lock, to touch it"],
    ["server/runs/process.ts", "/proc"],
    ["server/stream/pages.ts", "the pages of this program"],
  ]);
  const opens = (text: string): boolean =>
    Array.from(text.matchAll(/^import (?!type\b)([^;]*?) from "(?:node:)?fs(?:\/promises)?";/gms)).some(
      ([, names]) => !names!.startsWith("{") || opening.test(names!.replace(/\btype \w+/g, "")),
    );
  const opened = (files: Sources): string[] =>
    [...files].filter(([path, text]) => within("server")(path) && opens(text)).map(([path]) => path);

  test("holds", () => {
    expect(opened(sources).filter((path) => !server("disk")(path) && !others.has(path))).toEqual([]);
  });

  test("and the list of others names no file that opens none", () => {
    expect([...others.keys()].filter((path) => !opened(sources).includes(path))).toEqual([]);
  });

  test("is seen when it is broken, in any way to import", () => {
    const kept = 'import { type FileHandle, type ReadStream, stat } from "node:fs/promises";';
    const broken = [
      'import { readFile } from "node:fs/promises";',
      'import {\n  closeSync,\n  openSync,\n} from "node:fs";',
      'import * as fs from "node:fs";',
      'import fs from "fs";',
      'import { type Stats, createReadStream } from "fs";',
    ];
    const files = new Map([kept, ...broken].map((text, i) => [`server/runs/${i}.ts`, text]));
    expect(opened(files)).toEqual(broken.map((_, i) => `server/runs/${i + 1}.ts`));
  });
});

test("the extension has one item in the status bar", () => {
  const made = [...sources].filter(([path]) => path.startsWith("extension/"));
  const items = made.flatMap(([, text]) => text.match(/createStatusBarItem\(/g) ?? []);
  expect(items).toHaveLength(1);
});
