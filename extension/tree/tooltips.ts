import { MarkdownString } from "vscode";
import type { ListedCheckpoint, ListedRun, ListedStage } from "../../server/protocol/editor.ts";
import { bytes, count, duration, flops, loss, percentDone, rate, tokens } from "../../server/protocol/format.ts";
import { runShare, stageShare } from "../progress.ts";

/** Tooltips of rows, shown on hover or by keyboard. */

type Fact = readonly [name: string, value: string | undefined];

/** A heading and a list of facts. Values are inserted as text, never as Markdown. */
function facts(heading: string, list: readonly Fact[], error?: string): MarkdownString {
  const text = new MarkdownString("", true);
  text.appendMarkdown("**").appendText(heading).appendMarkdown("**\n\n");
  for (const [name, value] of list) {
    if (value !== undefined) text.appendMarkdown(`- ${name}: `).appendText(value).appendMarkdown("\n");
  }
  if (error !== undefined) text.appendMarkdown("\n\n$(error) ").appendText(error);
  return text;
}

const time = (iso: string | undefined): string | undefined =>
  iso === undefined ? undefined : new Date(iso).toLocaleString();
const known = <T>(value: T | undefined, text: (value: T) => string): string | undefined =>
  value === undefined ? undefined : text(value);

export function runTooltip(run: ListedRun, stages: readonly ListedStage[] | undefined): MarkdownString {
  const done = stages?.filter(({ state }) => state === "done").length;
  return facts(
    `${run.name}, run ${run.run}`,
    [
      ["state", run.state],
      ["progress", run.state === "running" ? known(stages, (all) => percentDone(runShare(all))) : undefined],
      ["stages", known(done, (number) => `${number} of ${stages!.length} done`)],
      ["began", time(run.created)],
      ["ended", time(run.finished)],
      ["experiment", run.file],
    ],
    run.error,
  );
}

export function stageTooltip(stage: ListedStage): MarkdownString {
  const { done, total, label, state } = stage;
  const heldOut = Object.entries(stage.heldOut ?? {}).map(([domain, nats]) => `${domain} ${loss(nats)}`);
  return facts(
    stage.name,
    [
      ["state", stage.reused ? `${state}, reused from an earlier run` : state],
      ["progress", total && state !== "done" ? percentDone(stageShare(stage)) : undefined],
      [label ?? "step", total === undefined ? undefined : `${count(done ?? 0)} of ${count(total)}`],
      ["training loss", known(stage.loss, (value) => `${loss(value)} nats per token`)],
      ["held-out loss", heldOut.length > 0 ? `${heldOut.join(", ")} nats per token` : undefined],
      ["speed", known(stage.tokensPerSecond, rate)],
      ["trained on", known(stage.tokens, tokens)],
      ["training", known(stage.flops, flops)],
      ["parameters", known(stage.parameters, (all) => parametersText(all, stage.activeParameters))],
      ["time", known(stage.seconds, duration)],
      ["time left", known(stage.secondsLeft, duration)],
      ["on", known(stage.device, (device) => placeText(stage, device))],
      ["began", time(stage.started)],
      ["ended", state === "running" ? undefined : time(stage.finished)],
      ["key", stage.key],
    ],
    stage.error,
  );
}

const parametersText = (all: number, active: number | undefined): string =>
  active === undefined || active === all ? count(all) : `${count(all)}, ${count(active)} active per token`;

function placeText({ engine, threads, pid, host }: ListedStage, device: string): string {
  const parts = [`${device} (${engine})`, threads === 1 ? "1 thread" : `${threads} threads`];
  if (pid !== undefined) parts.push(`process ${pid}`);
  if (host !== undefined) parts.push(host);
  return parts.join(", ");
}

export const checkpointTooltip = ({ holds, path, bytes: size, saved, step }: ListedCheckpoint): MarkdownString =>
  facts(holds === "model" ? "Model in the Hugging Face format" : "State from which training resumes", [
    ["step", known(step, count)],
    ["size", bytes(size)],
    ["saved", time(saved)],
    ["path", path],
  ]);
