#!/usr/bin/env node
import { check } from "./cli/check.ts";
import { clean } from "./cli/clean.ts";
import { CommandError, exitStatus, usage } from "./cli/command.ts";
import { compare } from "./cli/compare.ts";
import { devices } from "./cli/devices.ts";
import { engines } from "./cli/engines.ts";
import { list, show, status } from "./cli/look.ts";
import { resume, run, stop } from "./cli/run.ts";
import { sample } from "./cli/sample.ts";
import { serve } from "./cli/serve.ts";
import { UserError } from "./protocol/errors.ts";

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
  serve,
  check,
  clean,
  devices,
  engines,
};

async function main(): Promise<number> {
  const [name, ...args] = process.argv.slice(2);
  if (name === undefined || name === "help" || name === "--help" || name === "-h") {
    process.stdout.write(usage);
    return name === undefined ? exitStatus.usage : exitStatus.done;
  }
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (!command) throw new CommandError(`there is no command "${name}": \`btx help\` lists them`);
  return command(args);
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
  (error: unknown) => {
    const expected = error instanceof UserError;
    process.stderr.write(`btx: ${expected ? error.message : error instanceof Error ? error.stack : String(error)}\n`);
    process.exitCode = error instanceof CommandError ? exitStatus.usage : exitStatus.failed;
  },
);
