import { cp } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import type { Fetch } from "./fetch.ts";
import { fetchWheel } from "./wheels.ts";

/**
 * Installs ONNX Runtime with the CUDA provider: a copy of the binding and its library, next to them the provider's
 * libraries, where ONNX Runtime looks for them, and NVIDIA's libraries in `lib`. They come from wheels of Python's
 * index, which contain the same libraries as the packages of other languages; a wheel whose checksum differs from the
 * catalog's is refused.
 */
export async function fetchProvider(fetch: Fetch): Promise<void> {
  const { folder, entry } = fetch;
  const binaries = join(folder, "node_modules/onnxruntime-node/bin/napi-v6", process.platform, process.arch);
  const libraries = join(folder, "lib");
  await copyBinding(folder);
  for (const wheel of entry.wheels) {
    const beside = wheel.files.some((name) => name.includes("onnxruntime"));
    await fetchWheel(wheel, beside ? binaries : libraries, fetch);
  }
}

/** Copies ONNX Runtime's packages, with the libraries of this platform only. */
async function copyBinding(folder: string): Promise<void> {
  const require = createRequire(import.meta.url);
  for (const name of ["onnxruntime-node", "onnxruntime-common"]) {
    const from = packageFolder(require.resolve(name), name);
    const others = new RegExp(
      `[\\\\/]bin[\\\\/]napi-v\\d+[\\\\/](?!${process.platform}(?:[\\\\/]${process.arch}(?:[\\\\/]|$)|$))`,
    );
    await cp(from, join(folder, "node_modules", name), {
      recursive: true,
      dereference: true,
      filter: (path) =>
        !others.test(path.slice(from.length)) && !/[\\/]node_modules[\\/]/.test(path.slice(from.length)),
    });
  }
}

/** The folder of a package, from a file in it. */
function packageFolder(file: string, name: string): string {
  let folder = dirname(file);
  while (!folder.endsWith(name)) folder = dirname(folder);
  return folder;
}
