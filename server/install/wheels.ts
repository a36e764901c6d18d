import { mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fetchError, pip, run } from "./clients.ts";
import { type Fetch, watchGrowth } from "./fetch.ts";
import type { Wheel } from "./pinnedWheels.ts";
import { extract } from "./zip.ts";

/** The platform that pip downloads wheels for, whatever Python it runs on: that of the catalog. */
const target = [
  ...["--only-binary", ":all:", "--implementation", "cp", "--python-version", "312", "--abi", "cp312", "--abi", "none"],
  ...["manylinux_2_28_x86_64", "manylinux_2_27_x86_64", "manylinux2014_x86_64", "manylinux1_x86_64"].flatMap(
    (platform) => ["--platform", platform],
  ),
];

/** @throws UserError if pip, which downloads wheels, is missing */
export async function needPip(folder: string, signal: AbortSignal): Promise<void> {
  const { good, output } = await run([...pip, "--version"], { cwd: folder, signal });
  if (!good) throw fetchError(output, "pip");
}

/** Downloads a wheel, which pip refuses if its checksum differs, and unpacks the files that are needed into a folder. */
export async function fetchWheel(wheel: Wheel, to: string, { folder, signal, onProgress }: Fetch): Promise<void> {
  const { name, version, sha256, bytes, files } = wheel;
  const scratch = join(folder, "fetched");
  const [temporary, wheels] = [join(scratch, "tmp"), join(scratch, "wheels")];
  await mkdir(temporary, { recursive: true });
  const requirements = join(scratch, "requirements.txt");
  await writeFile(requirements, `${name}==${version} --hash=sha256:${sha256}\n`);
  const options = ["--no-deps", "--no-cache-dir", "--disable-pip-version-check", "--no-input", "--require-hashes"];
  const command = [...pip, "download", ...options, ...target, "--dest", wheels, "--requirement", requirements];
  const label = `${name} ${version}`;
  const fetching = run(command, { cwd: scratch, env: { TMPDIR: temporary }, signal });
  const { good, output } = await watchGrowth(scratch, { label, total: bytes, onProgress }, fetching);
  if (!good) throw fetchError(output, label);
  onProgress({ label: `unpacking ${label}` });
  const [file] = await readdir(wheels);
  await extract(join(wheels, file!), files, to, signal);
  await rm(scratch, { recursive: true });
}
