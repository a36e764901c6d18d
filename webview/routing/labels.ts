import { type CellMeasure, cellMeasures } from "../../server/protocol/measures.ts";
import { allDomains, type RoutedModel } from "../../server/protocol/routing.ts";
import type { StreamedRun } from "../../server/protocol/stream.ts";
import { cellText, signed } from "../components/format.ts";

/** Names, numbers and colours of what the page shows. */

/** A difference of two shares: "+3.2 points". */
export const points = (value: number): string =>
  Number.isNaN(value) ? "–" : `${value > 0 ? "+" : ""}${signed(value * 100, 3)} points`;
export const cellPoints = (value: number): string => (value > 0 ? "+" : "") + cellText(value);

/** How a value stands to the uniform one: "2.5 times uniform". */
export const timesUniform = (value: number, uniform: number): string =>
  uniform > 0 && !Number.isNaN(value) ? `, ${Number((value / uniform).toPrecision(2))} times uniform` : "";

/** @param domain a place among the domains; as many as there are, or `allDomains`: all. */
export const domainName = ({ domains }: RoutedModel, domain: number): string =>
  domain === allDomains ? "all domains" : (domains[domain]?.name ?? "all domains");

export const measureLabel = (measure: CellMeasure): string => cellMeasures[measure].label;

/** "finetune", with the run's name where there are models of several runs. */
export function modelLabel(model: RoutedModel, models: readonly RoutedModel[], runs: readonly StreamedRun[]): string {
  const several = models.some(({ run, root }) => run !== model.run || root !== model.root);
  if (!several) return model.name;
  const named = runs.find(({ root, run }) => root === model.root && run === model.run);
  const same = named && runs.some((run) => run !== named && run.name === named.name);
  return `${model.name} of ${named && !same ? named.name : model.run}`;
}
