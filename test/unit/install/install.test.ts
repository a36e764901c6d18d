import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, onTestFinished, test, vi } from "vitest";
import { type CatalogEntry, catalog, enginesFolder } from "../../../server/install/catalog.ts";
import { fetchError } from "../../../server/install/clients.ts";
import { deviceEnvironment } from "../../../server/install/environment.ts";
import type { Progress } from "../../../server/install/fetch.ts";
import { installPackage, listPackages, removePackage } from "../../../server/install/install.ts";
import type { PackageLock } from "../../../server/install/packageLock.ts";
import { extract } from "../../../server/install/zip.ts";
import type { EnginePackage } from "../../../server/protocol/devices.ts";
import { hasPip } from "../../fixtures/tensorflow.ts";
import { npmRegistry, pythonIndex, type Registry, scratchFolder, sha256, wheel } from "./registries.ts";

/** The catalog's wheels are for Linux on x64. */
const hasWheels = hasPip && process.platform === "linux" && process.arch === "x64";
const read = (name: string) => JSON.parse(readFileSync(new URL(`../../../${name}`, import.meta.url), "utf8"));
const manifest = read("package.json");
const lock = read("package-lock.json");

afterEach(() => vi.unstubAllEnvs());

/** Tells the package clients of a registry for the time of one test. */
function use({ env, close }: Registry): void {
  for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value);
  onTestFinished(close);
}

/** Installs a package into a folder; gives that folder and the progress that was reported. */
async function installed(
  engine: EnginePackage,
  entry: CatalogEntry,
  root: string,
  signal = new AbortController().signal,
) {
  const told: Progress[] = [];
  const onProgress = (progress: Progress) => told.push(progress);
  return { folder: await installPackage(engine, { root, signal, onProgress }, entry), told };
}

test("package.json names the npm packages, in the version that is installed on demand, as optional peers", () => {
  const onDemand = Object.entries(catalog).flatMap(([name, { npm }]) =>
    npm ? [[`@tensorflow/${name}`, npm.version]] : [],
  );
  expect(Object.fromEntries(onDemand)).toEqual(manifest.peerDependencies);
  for (const [name] of onDemand) {
    expect(manifest.peerDependenciesMeta[name!], "nothing is downloaded unasked").toEqual({ optional: true });
    expect(lock.packages[`node_modules/${name}`], "nor is it locked").toBeUndefined();
  }
});

test("the versions are those of the packages that this program is made of", () => {
  expect(catalog.cuda.version).toBe(manifest.dependencies["onnxruntime-node"]);
  expect(catalog.cuda.wheels![0]).toMatchObject({ name: "onnxruntime-gpu", version: catalog.cuda.version });
  for (const engine of ["tfjs-node", "tfjs-node-gpu"] as const) {
    const { npm, version, wheels } = catalog[engine];
    expect(npm!.version).toBe(manifest.dependencies["@tensorflow/tfjs-core"]);
    expect(version).toBe(`${npm!.version}-on-${wheels[0]!.version}`);
  }
});

test.each([
  "tfjs-node",
  "tfjs-node-gpu",
] as const)("the lock of %s names each package of its tree with a checksum, and no registry", async (engine) => {
  const { version, lock } = catalog[engine].npm!;
  const { packages, lockfileVersion } = await lock();
  expect(lockfileVersion).toBe(3);
  const { "": root, ...tree } = packages;
  expect(root).toEqual({ dependencies: { [`@tensorflow/${engine}`]: version, "node-api-headers": "1.9.0" } });
  expect(tree[`node_modules/@tensorflow/${engine}`]!.version).toBe(version);
  // Every edge of the tree ends at a package of it, found as Node.js finds it.
  for (const [path, { dependencies = {} }] of Object.entries(packages))
    for (const name of Object.keys(dependencies)) {
      const folders = path
        .split("/node_modules/")
        .map((_, depth, all) => all.slice(0, depth + 1).join("/node_modules/"));
      const places = ["", ...folders.filter(Boolean).map((folder) => `${folder}/`)].map(
        (at) => `${at}node_modules/${name}`,
      );
      expect(
        places.some((place) => place in tree),
        `${path} needs ${name}`,
      ).toBe(true);
    }
  for (const [path, entry] of Object.entries(tree)) {
    expect(entry.integrity, path).toMatch(/^sha512-[A-Za-z0-9+/]{86}==$/);
    expect(entry.version, path).toMatch(/^\d+\.\d+\.\d+/);
    expect(entry, path).not.toHaveProperty("resolved");
  }
  expect(JSON.stringify(packages)).not.toMatch(/https?:/);
});

test("every wheel has a checksum, and packages are available for Linux on x64 only", () => {
  for (const { wheels, platforms } of Object.values(catalog)) {
    expect(wheels.map(({ sha256 }) => sha256)).toEqual(wheels.map(() => expect.stringMatching(/^[0-9a-f]{64}$/)));
    expect(platforms).toEqual(["linux-x64"]);
  }
});

test("engines lie among the user's data, or where BTX_ENGINES says", () => {
  expect(enginesFolder({ XDG_DATA_HOME: "/d" }, "linux")).toBe("/d/btx-studio/engines");
  expect(enginesFolder({}, "linux")).toMatch(/\/\.local\/share\/btx-studio\/engines$/);
  expect(enginesFolder({}, "darwin")).toMatch(/\/Library\/Application Support\/btx-studio\/engines$/);
  expect(enginesFolder({ LOCALAPPDATA: "/l" }, "win32")).toBe(join("/l", "btx-studio", "engines"));
  expect(enginesFolder({ BTX_ENGINES: "/e", XDG_DATA_HOME: "/d" }, "linux")).toBe("/e");
  expect(enginesFolder({ BTX_ENGINES: "e" }, "linux")).toBe(join(process.cwd(), "e"));
});

test("a process on CUDA finds its libraries and multiplies in float32, unless the user asks for TF32", () => {
  const root = scratchFolder();
  vi.stubEnv("BTX_ENGINES", root);
  expect(deviceEnvironment("cuda:0", {})).toEqual({});
  mkdirSync(join(root, "cuda-1.30.0"));
  const lib = join(root, "cuda-1.30.0", "lib");
  expect(deviceEnvironment("cuda:0", {})).toEqual({ LD_LIBRARY_PATH: lib, NVIDIA_TF32_OVERRIDE: "0" });
  expect(deviceEnvironment("cuda:1", { LD_LIBRARY_PATH: "/opt", NVIDIA_TF32_OVERRIDE: "1" })).toEqual({
    LD_LIBRARY_PATH: `${lib}:/opt`,
    NVIDIA_TF32_OVERRIDE: "1",
  });
  expect(deviceEnvironment("webgpu", {})).toEqual({});
});

test("TensorFlow takes what memory of a card it needs, and is quiet", () => {
  const root = scratchFolder();
  vi.stubEnv("BTX_ENGINES", root);
  mkdirSync(join(root, `tfjs-node-gpu-${catalog["tfjs-node-gpu"].version}`));
  expect(deviceEnvironment("tfjs-node", {})).toEqual({ TF_CPP_MIN_LOG_LEVEL: "1" });
  expect(deviceEnvironment("tfjs-node-gpu", { TF_CPP_MIN_LOG_LEVEL: "0" })).toEqual({
    LD_LIBRARY_PATH: join(root, `tfjs-node-gpu-${catalog["tfjs-node-gpu"].version}`, "lib"),
    NVIDIA_TF32_OVERRIDE: "0",
    TF_CPP_MIN_LOG_LEVEL: "0",
    TF_FORCE_GPU_ALLOW_GROWTH: "true",
  });
});

describe.runIf(hasWheels)("an engine of wheels", () => {
  const provider = wheel("onnxruntime_gpu", "9.9.9", {
    "onnxruntime/capi/libonnxruntime_providers_cuda.so": "provider ".repeat(5000),
    "onnxruntime/capi/other.py": "no",
  });
  const library = wheel("nvidia_blas", "1.2.3", { "nvidia/lib/libcublas.so.13": "blas" });
  const entry = (checksum = sha256(library.bytes)): CatalogEntry => ({
    ...catalog.cuda,
    wheels: [
      {
        name: "onnxruntime-gpu",
        version: "9.9.9",
        sha256: sha256(provider.bytes),
        bytes: provider.bytes.length,
        files: ["libonnxruntime_providers_cuda.so"],
      },
      { name: "nvidia-blas", version: "1.2.3", sha256: checksum, bytes: 10, files: ["libcublas.so.13"] },
    ],
  });

  test("has the provider beside ONNX Runtime's own library, the rest in lib, and nothing else of the wheels", async () => {
    use(await pythonIndex([provider, library]));
    const root = join(scratchFolder(), "engines");
    const { folder, told } = await installed("cuda", entry(), root);
    const binaries = join(folder, "node_modules/onnxruntime-node/bin/napi-v6/linux/x64");
    expect(readdirSync(binaries).sort()).toEqual([
      "libonnxruntime.so.1",
      "libonnxruntime_providers_cuda.so",
      "onnxruntime_binding.node",
    ]);
    expect(readFileSync(join(binaries, "libonnxruntime_providers_cuda.so"), "utf8")).toBe("provider ".repeat(5000));
    expect(readdirSync(join(folder, "lib"))).toEqual(["libcublas.so.13"]);
    expect(readdirSync(join(folder, "node_modules/onnxruntime-node/bin/napi-v6"))).toEqual(["linux"]);
    expect(readdirSync(folder).sort()).toEqual(["lib", "node_modules"]);
    expect(readdirSync(root)).toEqual([`cuda-${catalog.cuda.version}`]);
    expect(told.map(({ label }) => label)).toContain("onnxruntime-gpu 9.9.9");
    for (const { done = 0, total = 0 } of told) expect(done).toBeLessThanOrEqual(total);

    expect((await listPackages(root)).find(({ engine }) => engine === "cuda")).toMatchObject({
      installed: true,
      folder,
    });
    expect(await removePackage("cuda", root)).toBe(true);
    expect(readdirSync(root)).toEqual([]);
    expect(await removePackage("cuda", root)).toBe(false);
  });

  test("takes the place of older versions and of what a killed process left", async () => {
    use(await pythonIndex([provider, library]));
    const root = scratchFolder();
    const version = `cuda-${catalog.cuda.version}`;
    for (const name of ["cuda-1.0.0", ".installing-cuda-4194301", "tfjs-node-4.22.0"]) mkdirSync(join(root, name));
    await installed("cuda", entry(), root);
    expect(readdirSync(root).sort()).toEqual([version, "tfjs-node-4.22.0"]);
    mkdirSync(join(root, ".installing-cuda-4194301"));
    expect(await removePackage("cuda", root)).toBe(true);
    expect(readdirSync(root)).toEqual(["tfjs-node-4.22.0"]);
  });

  test("cannot be installed below a file, which is said", async () => {
    const file = join(scratchFolder(), "file");
    writeFileSync(file, "");
    await expect(installed("cuda", entry(), join(file, "engines"))).rejects.toThrow(/or a folder above it is a file$/);
  });

  test("is refused whole when the checksum of one wheel is another", async () => {
    use(await pythonIndex([provider, library]));
    const root = scratchFolder();
    await expect(installed("cuda", entry("0".repeat(64)), root)).rejects.toThrow(
      /^what was downloaded for nvidia-blas 1\.2\.3 has the wrong checksum: try again$/,
    );
    expect(readdirSync(root)).toEqual([]);
  });

  test("leaves nothing when it is cancelled in mid-download", async () => {
    const registry = await pythonIndex([provider, library], ".whl");
    use(registry);
    const [root, cancel] = [scratchFolder(), new AbortController()];
    const end = expect(installed("cuda", entry(), root, cancel.signal)).rejects.toThrow("cancelled");
    await vi.waitUntil(() => registry.asked.some((path) => path.endsWith(".whl")), { timeout: 60_000 });
    cancel.abort(new Error("cancelled"));
    await end;
    expect(readdirSync(root)).toEqual([]);
  });

  test("says that the index cannot be reached when there is none", async () => {
    const registry = await pythonIndex([]);
    registry.close();
    use({ ...registry, close: () => {} });
    const root = scratchFolder();
    await expect(installed("cuda", entry(), root)).rejects.toThrow(
      "cannot be reached, or has no onnxruntime-gpu 9.9.9: check the network connection",
    );
    expect(readdirSync(root)).toEqual([]);
  });
});

describe.runIf(hasWheels)("TensorFlow.js on wheels", () => {
  const library = wheel("tensorflow_cpu", "9.9.9", {
    "tensorflow/libtensorflow_cc.so.2": "no library",
    "tensorflow/include/tensorflow/c/c_api.h": "",
  });
  const entryOf = ({ lock }: { lock: PackageLock }): CatalogEntry => ({
    ...catalog["tfjs-node"],
    npm: { version: "4.22.0", lock: async () => lock },
    wheels: [
      {
        ...{ name: "tensorflow-cpu", version: "9.9.9", sha256: sha256(library.bytes), bytes: 10 },
        files: ["libtensorflow_cc.so.2", "include/tensorflow/c/c_api.h"],
      },
    ],
  });
  const packages = (script = "") =>
    npmRegistry("@tensorflow/tfjs-node", "4.22.0", script, { "node-api-headers": "1.9.0" });

  test("is refused before anything is fetched where there is no C++ compiler", async () => {
    const [registry, root] = [await packages(), scratchFolder()];
    use({ ...registry, env: { ...registry.env, PATH: scratchFolder() } });
    await expect(installed("tfjs-node", entryOf(registry), root)).rejects.toThrow(
      /needs a C\+\+ compiler .* \(Debian: apt-get install g\+\+\), then try again$/,
    );
    expect([registry.asked, readdirSync(root)]).toEqual([[], []]);
  });

  test("is refused before anything is fetched where there is no Python", async () => {
    const [registry, root, programs] = [await packages(), scratchFolder(), scratchFolder()];
    symlinkSync(spawnSync("which", ["c++"], { encoding: "utf8" }).stdout.trim(), join(programs, "c++"));
    use({ ...registry, env: { ...registry.env, PATH: programs } });
    await expect(installed("tfjs-node", entryOf(registry), root)).rejects.toThrow(
      "the program python3 was not found: install it",
    );
    expect([registry.asked, readdirSync(root)]).toEqual([[], []]);
  });

  test("is refused when a package of npm is other than its lock says", async () => {
    const [registry, root] = [await packages(), scratchFolder()];
    use(registry);
    registry.republish("// changed");
    await expect(installed("tfjs-node", entryOf(registry), root)).rejects.toThrow(
      /^what was downloaded for @tensorflow\/tfjs-node 4\.22\.0 has the wrong checksum: try again$/,
    );
    expect(readdirSync(root)).toEqual([]);
  });

  test("is refused when npm would install a package that its lock lacks", async () => {
    const [registry, root] = [await packages(), scratchFolder()];
    use(registry);
    const { lock } = registry;
    const { "node_modules/node-api-headers": _, ...rest } = lock.packages;
    const entry = entryOf({ lock: { ...lock, packages: rest } });
    await expect(installed("tfjs-node", entry, root)).rejects.toThrow(
      "@tensorflow/tfjs-node 4.22.0 could not be downloaded",
    );
    expect(registry.asked.filter((path) => path.endsWith(".tgz"))).toEqual([]);
    expect(readdirSync(root)).toEqual([]);
  });

  test("says what the compiler says when its binding cannot be built, has run no script, and leaves nothing", async () => {
    const ran = join(scratchFolder(), "ran");
    const registry = await packages(`require("fs").writeFileSync(${JSON.stringify(ran)}, "")`);
    const [index, root] = [await pythonIndex([library]), scratchFolder()];
    use(registry);
    use(index);
    await expect(installed("tfjs-node", entryOf(registry), root)).rejects.toThrow(
      /^the binding of TensorFlow\.js could not be built: .*binding\/tfjs_backend\.cc/,
    );
    expect(readdirSync(root)).toEqual([]);
    expect(index.asked.at(-1)).toMatch(/tensorflow_cpu-9\.9\.9-.*\.whl$/);
    expect(existsSync(ran)).toBe(false);
  });
});

describe.runIf(hasPip)("a zip archive", () => {
  const { file } = wheel("any", "1", { "a/b/wanted.so": "text ".repeat(1000), "a/empty": "" });

  test("gives the files that are asked for", async () => {
    const folder = scratchFolder();
    await extract(file, ["wanted.so", "empty"], folder);
    expect(readFileSync(join(folder, "wanted.so"), "utf8")).toBe("text ".repeat(1000));
    expect(readFileSync(join(folder, "empty"), "utf8")).toBe("");
    await extract(file, ["b/wanted.so"], folder);
    expect(readFileSync(join(folder, "b/wanted.so"), "utf8")).toBe("text ".repeat(1000));
    await expect(extract(file, ["none.so"], folder)).rejects.toThrow("has no file none.so");
  });

  test.runIf(process.platform === "linux")("stops at a full disk", async () => {
    const folder = scratchFolder();
    symlinkSync("/dev/full", join(folder, "wanted.so"));
    await expect(extract(file, ["wanted.so"], folder)).rejects.toMatchObject({ code: "ENOSPC" });
  });

  test("that is cut off is refused", async () => {
    const folder = scratchFolder();
    writeFileSync(join(folder, "cut"), readFileSync(file).subarray(0, 100));
    await expect(extract(join(folder, "cut"), ["wanted.so"], folder)).rejects.toThrow("it is not a zip archive");
  });
});

test.each([
  ["npm error code ENOSPC", /^the disk is full: x was not installed/],
  ["OSError: [Errno 28] No space left on device", /^the disk is full/],
  ["npm error code EINTEGRITY", /has the wrong checksum/],
  ["/usr/bin/python3: No module named pip", /^Python has no pip: install it/],
  ["request failed, reason: connect ECONNREFUSED 127.0.0.1:9", /^127\.0\.0\.1 cannot be reached/],
  ["HTTPSConnectionPool(host='index.example', port=443): Max retries", /^index\.example cannot be reached/],
  ["ERROR: boom", /^x could not be downloaded: ERROR: boom$/],
])("what a package client says becomes a sentence: %s", (said, sentence) => {
  expect(fetchError(said, "x").message).toMatch(sentence);
});
