import { type CsvCell, csvRow } from "../../server/protocol/csv.ts";
import { type CellMeasure, cellMeasures } from "../../server/protocol/measures.ts";
import type { RoutedModel } from "../../server/protocol/routing.ts";
import { placeNames } from "../../server/protocol/routingFiles.ts";
import { mapOf, type RoutingFrame } from "./frameStore.ts";
import { domainName } from "./labels.ts";
import { domainsOf, type Side } from "./picture.ts";

/** All values of the maps, one row per cell. */
export function csvOf(measure: CellMeasure, sides: readonly (Side & { frame: RoutingFrame })[]): string {
  const rows = sides.flatMap(({ model, snapshot, frame }) =>
    rowsOf(model, snapshot < 0 || cellMeasures[measure].heldOutOnly, frame),
  );
  return [["run", "stage", "text", "step", "domain", "layer", "expert", measure], ...rows].map(csvRow).join("");
}

function rowsOf(model: RoutedModel, ofHeldOut: boolean, frame: RoutingFrame): CsvCell[][] {
  const { experts } = model;
  const about = [model.run, model.name, ofHeldOut ? "held-out" : "training", frame.step];
  return domainsOf(model).flatMap((domain) => {
    const values = mapOf(frame, domain);
    return placeNames(model).flatMap((place, row) =>
      experts.map(({ name }, column) => [
        ...about,
        domainName(model, domain),
        place,
        name,
        values[row * experts.length + column],
      ]),
    );
  });
}
