import { availableParallelism } from "node:os";
import { type InlayHint, InlayHintKind, type Range } from "vscode-languageserver";
import { bytes, count, duration, flops, tokens } from "../../protocol/format.ts";
import type { Costs, ModelCost } from "../facts/costs.ts";
import type { Speed } from "../facts/speed.ts";
import type { Snapshot } from "../snapshot.ts";
import { type Entry, entryAt } from "../syntax.ts";

/**
 * Numbers that follow from the file: parameters, steps and tokens, operations, memory and time.
 * @param speed of earlier runs on this machine
 */
export function inlayHints(snapshot: Snapshot, wanted: Range, costs: Costs, speed: Speed | undefined): InlayHint[] {
  const root = snapshot.syntax;
  const hints: InlayHint[] = [];
  const add = (path: string[], label: string | undefined, tooltip: string): void => {
    const entry = entryAt(root, path);
    if (!entry?.key || label === undefined) return;
    const position = snapshot.position(hintOffset(snapshot, entry));
    if (position.line < wanted.start.line || position.line > wanted.end.line) return;
    hints.push({ position, label, tooltip, kind: InlayHintKind.Type, paddingLeft: true });
  };
  const { seed, experts, finetune, dense, mixed } = costs;
  add(["model"], `${count(dense.total)} parameters`, "Parameters of the seed and of each expert before the mix.");
  const active = `${count(mixed.active)} active`;
  add(
    ["mix"],
    `${count(mixed.total)} parameters, ${active}`,
    "Parameters of the mixed model; active parameters are those that one token uses.",
  );
  if (seed) {
    add(["seed"], effort("seed", [seed], speed), effortHelp);
    add(["seed", "tokens"], steps(seed), stepsHelp);
  }
  add(["experts"], effort("expert", experts, speed), effortHelp);
  const own = experts.filter(({ name }) => !entryAt(root, ["domains", name, "tokens"]));
  add(["experts", "tokens"], own[0] && expertSteps(own), stepsHelp);
  for (const expert of experts) add(["domains", expert.name, "tokens"], steps(expert), stepsHelp);
  add(["finetune"], effort("finetune", [finetune], speed), effortHelp);
  add(["finetune", "tokens"], finetuneSteps(costs), `${stepsHelp} Tokens per expert if all experts are equally busy.`);
  return hints.sort(({ position: a }, { position: b }) => a.line - b.line || a.character - b.character);
}

const stepsHelp = "Optimizer steps: tokens divided by `batch` x `model.context`, rounded up.";
const effortHelp =
  "Floating-point operations of training, the memory it needs, and its time at the speed of earlier runs in this folder on the same devices.";

/** After a value on one line or in brackets; for a block, after its key. */
function hintOffset({ text }: Snapshot, { key, value }: Entry): number {
  const isBlock = value !== undefined && "flow" in value && !value.flow;
  if (value && !isBlock) return value.end;
  const colon = /^["']?\s*:/.exec(text.slice(key!.end, key!.end + 100));
  return key!.end + (colon?.[0].length ?? 0);
}

const steps = ({ steps: number }: ModelCost): string => `${grouped(number)} ${number === 1 ? "step" : "steps"}`;

const grouped = (value: number): string => value.toLocaleString("en-US");

/** "74 steps each, 454k tokens in all", for experts that share their number of tokens. */
function expertSteps(experts: readonly ModelCost[]): string {
  const [least, most] = [Math.min, Math.max].map((pick) => pick(...experts.map((expert) => expert.steps)));
  const range = least === most ? grouped(least!) : `${grouped(least!)} to ${grouped(most!)}`;
  if (experts.length === 1) return `${range} ${most === 1 ? "step" : "steps"}`;
  const all = experts.reduce((sum, expert) => sum + expert.tokens, 0);
  return `${range} ${most === 1 ? "step" : "steps"} each, ${tokens(all)} in all`;
}

function finetuneSteps({ finetune, routing }: Costs): string {
  const each = (finetune.tokens * routing.perToken) / routing.experts;
  return `${steps(finetune)}, about ${tokens(each)} per expert`;
}

/** "1.2 TFLOP, 120 MB, about 12.0 s" */
function effort(kind: "seed" | "expert" | "finetune", models: readonly ModelCost[], speed: Speed | undefined): string {
  const all = models.reduce((sum, model) => sum + model.flops, 0);
  const atOnce = models.map(({ memory }) => memory).toSorted((a, b) => b - a);
  const memory = atOnce.slice(0, availableParallelism()).reduce((sum, value) => sum + value, 0);
  const seconds = speed?.seconds(kind, models);
  const time = seconds === undefined ? "" : `, about ${duration(seconds)}`;
  return `${flops(all)}, ${bytes(memory)}${time}`;
}
