import { bytes, dateTime, duration } from "../protocol/format.ts";
import { removeRests, removeStages } from "../runs/remove.ts";
import { lostUnused, whyUsed } from "../runs/stageUses.ts";
import { clean as plain } from "../terminal/ansi.ts";
import { exitStatus, findRoot, parse, printJson } from "./command.ts";

const options = { json: { type: "boolean" }, in: { type: "string" }, "dry-run": { type: "boolean" } } as const;

/** `btx clean`: removes the stages that no run uses and no process works on. */
export async function clean(args: string[]): Promise<number> {
  const { values } = parse(args, options, 0);
  const root = findRoot(values.in);
  const unused = await lostUnused(root);
  const say = (line: string): void => {
    if (!values.json) process.stdout.write(`${line}\n`);
  };
  for (const { key, name, bytes: size, seconds, locked, finished } of unused) {
    const when = finished === undefined ? "" : `, ${dateTime(finished)}`;
    say(`${key}  ${plain(name)}  ${bytes(size)}, ${duration(seconds)} of work${when}${locked ? ", in use: kept" : ""}`);
  }
  if (values["dry-run"]) {
    const free = unused.filter(({ locked }) => !locked);
    const size = free.reduce((sum, stage) => sum + stage.bytes, 0);
    if (values.json) printJson({ stages: unused });
    say(
      unused.length === 0 ? "there are no unused stages" : `${free.length} unused, ${bytes(size)}; nothing was removed`,
    );
    return exitStatus.done;
  }
  await removeRests(root);
  const removed = await removeStages(
    root,
    unused.map(({ key }) => key),
    (key) => whyUsed(root, key),
  );
  if (values.json) printJson(removed);
  for (const why of removed.kept) say(why);
  say(`${removed.stages} removed, ${bytes(removed.bytes)}`);
  return exitStatus.done;
}
