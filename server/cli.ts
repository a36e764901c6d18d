#!/usr/bin/env node
import { readFileSync } from "node:fs";
import { check } from "./cli/check.ts";
import { clean } from "./cli/clean.ts";
import { CommandError, exitStatus, usage, usageOf } from "./cli/command.ts";
import { compare } from "./cli/compare.ts";
import { devices } from "./cli/devices.ts";
import { engines } from "./cli/engines.ts";
import { resume, run, stop } from "./cli/run.ts";
import { sample } from "./cli/sample.ts";
import { serve } from "./cli/serve.ts";
import { list, show, status } from "./cli/show.ts";
import { verify } from "./cli/verify.ts";
import { explained } from "./disk/errors.ts";
import { UserError } from "./protocol/errors.ts";
import { explainDamage } from "./runs/damage.ts";

/** The command `btx`. */
const commands: Record<string, (args: string[]) => Promise<number>> = {
  run,
  resume,
  stop,
  status,
  list,
  show,
  compare,
  sample,
  verify,
  serve,
  check,
  clean,
  devices,
  engines,
};

const isHelpFlag = (word: string): boolean => word === "--help" || word === "-h";

/** The name of a command. @throws CommandError if there is no such command */
function known(name: string): string {
  if (Object.hasOwn(commands, name)) return name;
  throw new CommandError(`there is no command "${name}": \`btx help\` lists them`);
}

async function main(): Promise<number> {
  const [name, ...args] = process.argv.slice(2);
  if (name === "--version") {
    const manifest = readFileSync(new URL("../package.json", import.meta.url), "utf8");
    process.stdout.write(`btx ${JSON.parse(manifest).version}\n`);
    return exitStatus.done;
  }
  if (name === undefined || name === "help" || isHelpFlag(name)) {
    const about = args.find((arg) => arg !== "help" && !isHelpFlag(arg));
    process.stdout.write(about === undefined ? usage : usageOf(known(about)));
    return name === undefined ? exitStatus.usage : exitStatus.done;
  }
  const command = commands[known(name)]!;
  if (!args.some(isHelpFlag)) return command(args);
  process.stdout.write(usageOf(name));
  return exitStatus.done;
}

process.setSourceMapsEnabled(true);
// A reader that closes the pipe early, such as head, ends the output and not the run.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
});
main().then(
  (code) => {
    process.exitCode = code;
  },
  (thrown: unknown) => {
    const error = explainDamage(explained(thrown));
    const expected = error instanceof UserError;
    process.stderr.write(`btx: ${expected ? error.message : error instanceof Error ? error.stack : String(error)}\n`);
    process.exitCode = error instanceof CommandError ? exitStatus.usage : exitStatus.failed;
  },
);
