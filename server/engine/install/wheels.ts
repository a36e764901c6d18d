import { cp, mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import type { Wheel } from "./catalog.ts";
import { type Fetch, watchGrowth } from "./fetch.ts";
import { fetchError, pip, run } from "./program.ts";
import { extract } from "./zip.ts";

/** What pip is asked for, whatever Python it runs on: the wheels of the catalog. */
const target = [
  ...["--only-binary", ":all:", "--implementation", "cp", "--python-version", "312", "--abi", "cp312", "--abi", "none"],
  ...["manylinux_2_28_x86_64", "manylinux_2_27_x86_64", "manylinux2014_x86_64", "manylinux1_x86_64"].flatMap(
    (platform) => ["--platform", platform],
  ),
];

/**
 * ONNX Runtime with another provider: a copy of the binding and its library with the provider's libraries beside them,
 * where ONNX Runtime looks for them, and NVIDIA's in `lib`. Taken from the wheels of Python's index, which hold the same
 * libraries as the packages of other languages; each wheel has the checksum of the catalog or is refused.
 */
export async function fetchWheels(fetch: Fetch): Promise<void> {
  const { folder, entry } = fetch;
  const binaries = join(folder, "node_modules/onnxruntime-node/bin/napi-v6", process.platform, process.arch);
  const libraries = join(folder, "lib");
  await copyBinding(folder);
  await mkdir(libraries);
  for (const wheel of entry.wheels!) {
    const beside = wheel.files.some((name) => name.includes("onnxruntime"));
    await fetchWheel(wheel, beside ? binaries : libraries, fetch);
  }
}

async function fetchWheel(wheel: Wheel, to: string, { folder, signal, onProgress }: Fetch): Promise<void> {
  const { name, version, sha256, bytes, files } = wheel;
  const scratch = join(folder, "fetched");
  const [temporary, wheels] = [join(scratch, "tmp"), join(scratch, "wheels")];
  await mkdir(temporary, { recursive: true });
  const wanted = join(scratch, "requirements.txt");
  await writeFile(wanted, `${name}==${version} --hash=sha256:${sha256}\n`);
  const options = ["--no-deps", "--no-cache-dir", "--disable-pip-version-check", "--no-input", "--require-hashes"];
  const command = [...pip(), "download", ...options, ...target, "--dest", wheels, "--requirement", wanted];
  const label = `${name} ${version}`;
  const fetching = run(command, { cwd: scratch, env: { TMPDIR: temporary }, signal });
  const { good, said } = await watchGrowth(scratch, { label, total: bytes, onProgress }, fetching);
  if (!good) throw fetchError(said, label);
  onProgress({ label: `unpacking ${label}` });
  const [file] = await readdir(wheels);
  await extract(join(wheels, file!), files, to, signal);
  await rm(scratch, { recursive: true });
}

/** Copies the packages of ONNX Runtime, with the libraries of this platform only. */
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
