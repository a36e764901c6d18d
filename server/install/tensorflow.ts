import { mkdir, rm } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { UserError } from "../protocol/errors.ts";
import { run } from "./clients.ts";
import type { Fetch } from "./fetch.ts";
import { installPackages } from "./npm.ts";
import { fetchWheel, needPip } from "./wheels.ts";

/**
 * TensorFlow.js on the library of TensorFlow's own wheel, with the CUDA libraries of NVIDIA's wheels: years newer than
 * what the package's install script would download, and with checksums. The package contains the source of its
 * binding, which is compiled here for that library; it uses Node-API 8, as every Node from 16 on does.
 */

const compiler = "c++";

export async function fetchTensorFlow(fetch: Fetch): Promise<void> {
  const { folder, name, entry, signal, onProgress } = fetch;
  await needCompiler(folder, signal);
  await needPip(folder, signal);
  await installPackages(fetch);
  const libraries = join(folder, "lib");
  for (const wheel of entry.wheels) await fetchWheel(wheel, libraries, fetch);
  onProgress({ label: "building the binding" });
  await build(folder, join(folder, "node_modules/@tensorflow", name), signal);
  await rm(join(libraries, "include"), { recursive: true });
}

async function needCompiler(folder: string, signal: AbortSignal): Promise<void> {
  const { good } = await run([compiler, "--version"], { cwd: folder, signal }).catch((error) => {
    if (signal.aborted) throw error;
    return { good: false };
  });
  if (good) return;
  throw new UserError(
    "TensorFlow.js needs a C++ compiler for its binding, and c++ was not found: install one (Debian: apt-get install g++), then try again",
  );
}

async function build(folder: string, packaged: string, signal: AbortSignal): Promise<void> {
  const binding = join(packaged, "lib/napi-v8/tfjs_binding.node");
  const libraries = join(folder, "lib");
  await mkdir(dirname(binding), { recursive: true });
  const include = [join(libraries, "include"), join(folder, "node_modules/node-api-headers/include"), packaged];
  const command = [
    ...[compiler, "-std=c++17", "-O2", "-fPIC", "-shared", "-DNAPI_VERSION=8"],
    ...include.map((path) => `-I${path}`),
    ...["tfjs_backend.cc", "tfjs_binding.cc"].map((source) => join(packaged, "binding", source)),
    `-L${libraries}`,
    ...["-l:libtensorflow_cc.so.2", "-l:libtensorflow_framework.so.2"],
    // The folder is renamed when it is complete.
    `-Wl,-rpath,$ORIGIN/${relative(dirname(binding), libraries)}`,
    ...["-o", binding],
  ];
  const { good, output } = await run(command, { cwd: folder, signal });
  if (good) return;
  const first = output.split("\n").find((line) => /error|cannot find|No space/i.test(line)) ?? output.trim();
  throw new UserError(`the binding of TensorFlow.js could not be built: ${first.slice(0, 400)}`);
}
