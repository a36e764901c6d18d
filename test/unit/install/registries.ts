import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { afterAll } from "vitest";
import type { PackageLock } from "../../../server/install/packageLock.ts";
import { hasPip } from "../../fixtures/tensorflow.ts";

/** Registries of packages on this machine, as pip and npm see them. */

const scratch = mkdtempSync(join(tmpdir(), "btx-install-"));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

export const scratchFolder = (): string => mkdtempSync(join(scratch, "x"));

export interface Registry {
  /** What the package clients are told of it. */
  env: Record<string, string>;
  /** Paths that were asked for. */
  asked: string[];
  close(): void;
}

/** Serves files by their path; what ends with `stalled` is begun and never ended. */
async function serve(files: ReadonlyMap<string, Buffer | string>, stalled?: string) {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    const path = decodeURIComponent(request.url!.split("?")[0]!);
    asked.push(path);
    const body = files.get(path);
    if (body === undefined) {
      response.writeHead(404).end();
      return;
    }
    const type = path.endsWith("/") ? "text/html" : path.startsWith("/@") ? "application/json" : "application/zip";
    response.writeHead(200, { "content-type": type, "content-length": Buffer.byteLength(body) });
    if (stalled && path.endsWith(stalled)) response.write(Buffer.from(body).subarray(0, 100));
    else response.end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const close = (): void => {
    server.closeAllConnections();
    server.close();
  };
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked, close };
}

export const sha256 = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");

function writeTree(folder: string, files: Record<string, string>): void {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
}

function run(program: string, ...args: string[]): void {
  const { status, stderr } = spawnSync(program, args, { encoding: "utf8" });
  if (status !== 0) throw new Error(stderr);
}

export interface WheelFile {
  file: string;
  bytes: Buffer;
}

/** A wheel for Linux on x64 that holds these files; nothing where there is no Python to make it. */
export function wheel(name: string, version: string, files: Record<string, string>): WheelFile {
  if (!hasPip) return { file: "", bytes: Buffer.alloc(0) };
  const folder = scratchFolder();
  const info = `${name}-${version}.dist-info`;
  writeTree(join(folder, "tree"), {
    ...files,
    [`${info}/METADATA`]: `Metadata-Version: 2.1\nName: ${name}\nVersion: ${version}\n`,
    [`${info}/WHEEL`]: "Wheel-Version: 1.0\nRoot-Is-Purelib: false\nTag: py3-none-manylinux2014_x86_64\n",
    [`${info}/RECORD`]: "",
  });
  const file = join(folder, `${name}-${version}-py3-none-manylinux2014_x86_64.whl`);
  const script = "import os, shutil, sys; os.rename(shutil.make_archive(sys.argv[2], 'zip', sys.argv[1]), sys.argv[2])";
  run("python3", "-c", script, join(folder, "tree"), file);
  return { file, bytes: readFileSync(file) };
}

/** An index of Python packages with these wheels. */
export async function pythonIndex(wheels: readonly WheelFile[], stalled?: string): Promise<Registry> {
  const files = new Map<string, Buffer | string>();
  for (const { file, bytes } of wheels) {
    const name = basename(file);
    files.set(`/simple/${name.split("-")[0]!.replaceAll("_", "-")}/`, `<a href="/files/${name}">${name}</a>`);
    files.set(`/files/${name}`, bytes);
  }
  const { url, ...rest } = await serve(files, stalled);
  const env = { PIP_INDEX_URL: `${url}/simple`, PIP_FIND_LINKS: "", PIP_RETRIES: "0", NO_PROXY: "127.0.0.1" };
  return { env, ...rest };
}

/** A registry of npm with one package that has an install script, and others, by their versions, that have nothing. */
export async function npmRegistry(
  name: string,
  version: string,
  script: string,
  others: Record<string, string> = {},
): Promise<Registry & { lock: PackageLock; republish(script: string): void }> {
  const served = new Map<string, Buffer | string>();
  const { url, ...rest } = await serve(served);
  const lock: PackageLock = {
    lockfileVersion: 3,
    requires: true,
    packages: { "": { dependencies: { [name]: version, ...others } } },
  };
  const publish = (
    manifest: { name: string; version: string; scripts?: { install: string } },
    more: Record<string, string> = {},
  ): string => {
    const folder = scratchFolder();
    writeTree(join(folder, "package"), { "package.json": JSON.stringify(manifest), ...more });
    const archive = join(folder, "package.tgz");
    run("tar", "czf", archive, "-C", folder, "package");
    const bytes = readFileSync(archive);
    const path = `/${manifest.name.replace("/", "-")}.tgz`;
    const integrity = `sha512-${createHash("sha512").update(bytes).digest("base64")}`;
    const published = { ...manifest, hasInstallScript: "install.js" in more, dist: { tarball: url + path, integrity } };
    const tags = { "dist-tags": { latest: manifest.version }, versions: { [manifest.version]: published } };
    served.set(path, bytes);
    served.set(`/${manifest.name}`, JSON.stringify({ name: manifest.name, ...tags }));
    return integrity;
  };
  const publishMain = (text: string): string =>
    publish({ name, version, scripts: { install: "node install.js" } }, { "install.js": text });
  lock.packages[`node_modules/${name}`] = { version, integrity: publishMain(script) };
  for (const [other, itsVersion] of Object.entries(others))
    lock.packages[`node_modules/${other}`] = {
      version: itsVersion,
      integrity: publish({ name: other, version: itsVersion }),
    };
  const cache = join(scratchFolder(), "cache");
  const env = { npm_config_registry: url, npm_config_cache: cache, NO_PROXY: "127.0.0.1" };
  return { env, lock, republish: publishMain, ...rest };
}
