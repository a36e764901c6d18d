import type { Amount, ComparedRow, ComparedSample, ComparisonOfRuns, Measured } from "../protocol/comparison.ts";
import type { RoutingSummary } from "../protocol/routingFiles.ts";
import type { PlannedStage } from "../protocol/stage.ts";
import { measuredStage, modelOfStage, ownModel } from "../protocol/stageKinds.ts";
import { type Cost, costOfStage } from "../runs/cost.ts";
import { measureByDomain } from "../runs/summary.ts";
import { differences } from "./differences.ts";
import { checkHeldOut } from "./heldOut.ts";
import { type RunReference, type RunResults, readResults } from "./results.ts";
import { comparedRouting } from "./routing.ts";
import { type Setting, settings } from "./settings.ts";
import { signatures } from "./signature.ts";
import { measured, setStandings } from "./statistics.ts";

export interface CompareOptions {
  /** What must be equal for a fair comparison of rows; default: tokens. */
  equal?: ComparisonOfRuns["equal"];
  /** Default: nats per token. */
  measure?: ComparisonOfRuns["measure"];
}

/** Models with the same name and signature. */
interface Group {
  model: string;
  signature: string;
  settings: Setting[];
  samples: ComparedSample[];
  routings: RoutingSummary[];
  costs: Cost[];
}

/** Amounts of training that differ by at most this share count as equal. */
const TOLERANCE = 0.01;

/**
 * Compares the models of runs in one or more `.btx` folders.
 *
 * @throws UserError if a run cannot be read, or if held-out texts differ
 */
export async function compareRuns(
  runs: readonly RunReference[],
  options: CompareOptions = {},
): Promise<ComparisonOfRuns> {
  const results: RunResults[] = [];
  for (const run of runs) results.push(await readResults(run));
  return compareResults(results, options);
}

/** `compareRuns` on results already read; pure computation. A repeated run counts once. */
export function compareResults(
  results: readonly RunResults[],
  { equal = "tokens", measure = "nats" }: CompareOptions = {},
): ComparisonOfRuns {
  const runs = [...new Map(results.map((run) => [run.folder, run])).values()];
  const models = runs.map(evaluatedModels);
  const compared = runs.filter((_, run) => models[run]!.length > 0);
  const notes = checkHeldOut(compared, measure);
  const groups = groupsOf(runs, models);
  const reference = groups.findIndex(({ model }) => model === ownModel);
  const rows = rowsOf(groups, measure, groups[reference]);
  setStandings(
    rows.map(({ loss }) => loss),
    "lower",
  );
  setStandings(
    rows.map(({ exactMatch }) => exactMatch),
    "higher",
  );
  return {
    version: 1,
    measure,
    equal,
    runs: runs.map(({ folder, record, status }, run) => ({
      id: record.id,
      name: record.name,
      folder,
      status,
      models: models[run]!.length,
    })),
    domains: [...new Set(rows.flatMap(({ loss }) => Object.keys(loss.domains)))],
    ...(reference < 0 ? {} : { reference }),
    rows,
    notes: [...notes, ...notesOf(compared, rows)],
  };
}

interface Evaluated {
  model: string;
  /** The stage that made the model. */
  stage: PlannedStage;
  sample: Omit<ComparedSample, "runs">;
  routing?: RoutingSummary;
  cost: Cost;
}

/** The evaluated models of a run, in plan order. */
function evaluatedModels({ record, records }: RunResults): Evaluated[] {
  const byName = new Map(record.stages.map((stage) => [stage.name, stage]));
  return record.stages.flatMap((planned) => {
    const measured = measuredStage(planned);
    const evaluation = records.get(planned.name);
    const { losses, routing } = (evaluation?.status === "done" && evaluation.result) || {};
    const stage = measured === undefined ? undefined : byName.get(measured);
    if (losses === undefined || stage === undefined) return [];
    const [nats, bitsPerByte] = [measureByDomain(losses, "nats"), measureByDomain(losses, "bitsPerByte")];
    if (!nats || !bitsPerByte) return [];
    const exactMatch = measureByDomain(losses, "exactMatch");
    const cost = costOfStage(stage.name, record.stages, records);
    const sample = {
      key: stage.key,
      nats,
      bitsPerByte,
      ...(exactMatch ? { exactMatch } : {}),
      ...(cost.missing.length === 0 ? { seconds: cost.seconds } : {}),
    };
    return [{ model: modelOfStage(stage.name), stage, sample, cost, ...(routing ? { routing } : {}) }];
  });
}

/** Groups models that differ only in random seeds; a stage that several runs share counts once. */
function groupsOf(runs: readonly RunResults[], models: readonly Evaluated[][]): Group[] {
  const groups = new Map<string, Group>();
  runs.forEach(({ record: { stages } }, run) => {
    const signatureOf = signatures(stages);
    for (const { model, stage, sample, routing, cost } of models[run]!) {
      const signature = signatureOf.get(stage.name)!;
      const id = `${model} ${signature}`;
      const group = groups.get(id) ?? {
        model,
        signature,
        settings: settings(stage.name, stages),
        samples: [],
        routings: [],
        costs: [],
      };
      groups.set(id, group);
      const known = group.samples.find(({ key }) => key === sample.key);
      if (known) {
        known.runs.push(run);
        continue;
      }
      group.samples.push({ ...sample, runs: [run] });
      group.costs.push(cost);
      if (routing) group.routings.push(routing);
    }
  });
  const names = [...new Set([...groups.values()].map(({ model }) => model))];
  return names.flatMap((name) => [...groups.values()].filter(({ model }) => model === name));
}

function rowsOf(
  groups: readonly Group[],
  measure: ComparisonOfRuns["measure"],
  reference: Group | undefined,
): ComparedRow[] {
  const differ = new Map<Group, ComparedRow["differences"]>();
  for (const name of new Set(groups.map(({ model }) => model))) {
    const same = groups.filter(({ model }) => model === name);
    const found = differences(same.map((group) => group.settings));
    same.forEach((group, at) => {
      differ.set(group, found[at]!);
    });
  }
  const full = ({ costs }: Group) => costs.find(({ missing }) => missing.length === 0);
  const base = reference && full(reference);
  return groups.map((group) => {
    const { model, signature, samples, routings } = group;
    const exactMatch: Measured | undefined = measured(samples.map((sample) => sample.exactMatch));
    const { parameters, activeParameters } = group.costs[0]!;
    const cost = full(group);
    const seconds = samples.map((sample) => sample.seconds).filter((value) => value !== undefined);
    return {
      model,
      signature,
      differences: differ.get(group)!,
      loss: measured(samples.map((sample) => sample[measure]))!,
      ...(exactMatch ? { exactMatch } : {}),
      ...(parameters === undefined ? {} : { parameters }),
      ...(activeParameters === undefined ? {} : { activeParameters }),
      ...(cost ? { tokens: amount("tokens", cost, base), flops: amount("flops", cost, base) } : {}),
      ...(seconds.length > 0 ? { seconds: seconds.reduce((a, b) => a + b, 0) / seconds.length } : {}),
      ...(routings.length > 0 ? { routing: comparedRouting(routings) } : {}),
      samples,
    };
  });
}

function amount(what: "tokens" | "flops", cost: Cost, base: Cost | undefined): Amount {
  const [total, beyondSeed] = [cost[what], cost.beyondSeed[what]];
  if (!base || base.beyondSeed[what] === 0) return { total, beyondSeed };
  const ratio = beyondSeed / base.beyondSeed[what];
  return { total, beyondSeed, ratio, equal: Math.abs(ratio - 1) <= TOLERANCE };
}

function notesOf(runs: readonly RunResults[], rows: readonly ComparedRow[]): string[] {
  const seeds = new Set(
    runs.map(({ record: { stages } }) => {
      const seed = stages.find(({ spec }) => spec.kind === "seed");
      return seed && signatures(stages).get(seed.name);
    }),
  );
  return [
    seeds.size > 1 && "The runs do not start from the same seed, so they differ in more than the training beyond it.",
    rows.some(({ samples }) => samples.length < 2) &&
      "The noise of a model with a single random seed is unknown: a difference from it may be chance.",
    rows.some(({ tokens }) => tokens === undefined) &&
      "The training of some models is unknown, because records of their ancestors are missing.",
  ].filter((note) => note !== false);
}
