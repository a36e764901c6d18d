import { type CellMeasure, cellMeasures } from "../../server/protocol/measures.ts";
import { allDomains, type RoutedModel } from "../../server/protocol/routing.ts";
import { cellText, signed } from "../components/format.ts";

/** A difference of two shares: "+3.2 points". */
export const points = (value: number): string =>
  Number.isNaN(value) ? "–" : `${value > 0 ? "+" : ""}${signed(value * 100, 3)} points`;
export const cellPoints = (value: number): string => (value > 0 ? "+" : "") + cellText(value);

/** A value relative to the uniform one: "2.5 times uniform". */
export const timesUniform = (value: number, uniform: number): string =>
  uniform > 0 && !Number.isNaN(value) ? `, ${Number((value / uniform).toPrecision(2))} times uniform` : "";

/** @param domain index; the number of domains, or `allDomains`, stands for all. */
export const domainName = ({ domains }: RoutedModel, domain: number): string =>
  domain === allDomains ? "all domains" : (domains[domain]?.name ?? "all domains");

export const measureLabel = (measure: CellMeasure): string => cellMeasures[measure].label;
