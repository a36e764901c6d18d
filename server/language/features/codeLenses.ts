import type { CodeLens, Command } from "vscode-languageserver";
import { loss } from "../../protocol/format.ts";
import { type StageKindFacts, sectionOf } from "../../protocol/stageKinds.ts";
import type { RunStanding, StageStanding } from "../facts/newestRun.ts";
import type { Snapshot } from "../snapshot.ts";

/** Arguments of the commands of lenses. `stage` is a section of the file. */
export interface LensArguments {
  file: string;
  run?: string;
  stage?: Section;
}

/** Sections that describe stages. */
export type Section = Exclude<StageKindFacts["section"], "domains" | "evaluate">;

const sections: readonly string[] = ["seed", "experts", "mix", "finetune", "compare"] satisfies Section[];

/**
 * Lenses above the file and above each section that describes stages.
 * @param run the file's newest run
 * @param offered the editor's commands; undefined: all
 */
export function codeLenses(snapshot: Snapshot, run: RunStanding | undefined, offered?: readonly string[]): CodeLens[] {
  const { file } = snapshot;
  if (file === undefined) return [];
  const top = { start: { line: 0, character: 0 }, end: { line: 0, character: 0 } };
  const lenses: CodeLens[] = fileCommands(file, run).map((command) => ({ range: top, command }));
  for (const { key } of snapshot.syntax.children) {
    if (!key || !isSection(key.text)) continue;
    const range = snapshot.range(key);
    for (const command of sectionCommands(file, key.text, run)) lenses.push({ range, command });
  }
  // A lens without a command is plain text.
  const shown = (command: string): boolean => command === "" || !offered || offered.includes(command);
  return lenses.filter(({ command }) => command && shown(command.command));
}

const isSection = (name: string): name is Section => sections.includes(name);

function lens(title: string, command: string, argument: LensArguments): Command {
  return { title, command, arguments: [argument] };
}

function fileCommands(file: string, run: RunStanding | undefined): Command[] {
  const start = lens("$(play) Run", "btx.run", { file });
  if (!run) return [start];
  const named = { file, run: run.id };
  const commands = run.state === "running" ? [lens("$(debug-stop) Stop", "btx.stop", named)] : [start];
  const canResume = run.state === "stopped" || run.state === "failed" || run.state === "interrupted";
  if (canResume) commands.unshift(lens("$(debug-continue) Resume", "btx.resume", named));
  const mean = run.meanLoss === undefined ? "" : `, mean loss ${loss(run.meanLoss)} nats`;
  return [
    ...commands,
    lens("$(graph-line) Open Metrics", "btx.openMetrics", named),
    lens("$(type-hierarchy) Open Routing", "btx.openRouting", named),
    { title: `${run.state}${mean} (${run.id})`, command: "" },
  ];
}

function sectionCommands(file: string, section: Section, run: RunStanding | undefined): Command[] {
  const stages = run?.stages.filter(({ name }) => sectionOf(name) === section) ?? [];
  const commands =
    run?.state === "running" ? [] : [lens("$(play) Run Stage", "btx.runStage", { file, stage: section })];
  if (run && stages.length > 0)
    commands.push(lens(stagesText(stages), "btx.openMetrics", { file, run: run.id, stage: section }));
  return commands;
}

/** "done, loss 2.314 nats", "2 done, 1 running, mean loss 2.314 nats". */
function stagesText(stages: readonly StageStanding[]): string {
  const counts = new Map<string, number>();
  for (const { state } of stages) counts.set(state, (counts.get(state) ?? 0) + 1);
  const states = [...counts].map(([state, count]) => (counts.size > 1 ? `${count} ${state}` : state)).join(", ");
  const losses = stages.flatMap((stage) => stage.loss ?? []);
  if (losses.length === 0) return states;
  const mean = losses.reduce((sum, value) => sum + value, 0) / losses.length;
  return `${states}, ${losses.length > 1 ? "mean loss" : "loss"} ${loss(mean)} nats`;
}
