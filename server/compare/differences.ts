import { canonicalJson } from "../experiment/keys.ts";
import { trainingConfig } from "../experiment/phases.ts";
import type { Difference } from "../protocol/comparison.ts";
import type { Setting } from "./settings.ts";

type Row = readonly Setting[];
type Place = Pick<Setting, "stage" | "phase" | "phases" | "key">;
/** A row's value of a setting: undefined if the row has no such stage or phase, {} if the key is absent. */
type Cell = { value?: Setting["value"] } | undefined;

/** One setting in all rows. */
interface Column {
  place: Place;
  cells: Cell[];
}

/** A stage and phase as one string. */
const slotOf = ({ stage, phase }: Pick<Place, "stage" | "phase">): string => JSON.stringify([stage, phase ?? null]);
const textOf = (cell: Cell): string => canonicalJson(cell ?? null);

function cellAt(row: Row, slot: string, key: string): Cell {
  const inSlot = row.filter((setting) => slotOf(setting) === slot);
  const found = inSlot.find((setting) => setting.key === key);
  return inSlot.length === 0 ? undefined : found ? { value: found.value } : {};
}

/** Whether the rows with this stage and phase differ in the value. */
const differs = ({ cells }: Column): boolean =>
  new Set(cells.filter((cell) => cell !== undefined).map(textOf)).size > 1;

/** The columns in which rows differ, in the order of the rows' lineages. */
function differingColumns(rows: readonly Row[]): Column[] {
  const places = new Map(rows.flat().map((setting) => [`${slotOf(setting)} ${setting.key}`, setting]));
  return [...places.values()]
    .map(({ stage, phase, phases, key }): Column => {
      const cells = rows.map((row) => cellAt(row, slotOf({ stage, phase }), key));
      return { place: { stage, phase, phases, key }, cells };
    })
    .filter(differs);
}

/**
 * Joins the columns of a training key into one if every row has a single value for all training stages ("all") or for
 * all experts ("experts").
 */
function joinStages(columns: readonly Column[], rows: readonly Row[]): Column[] {
  const joined: Column[] = [];
  const done = new Set<Column>();
  for (const column of columns) {
    if (done.has(column)) continue;
    const { key, stage, phase } = column.place;
    const wider = phase === undefined ? [] : [joinedColumn("all", key, rows), joinedColumn("experts", key, rows)];
    const found = wider.find((one) => one?.stages.has(stage));
    joined.push(found?.column ?? column);
    for (const other of columns)
      if (found && other.place.key === key && found.stages.has(other.place.stage)) done.add(other);
  }
  return joined;
}

/** A training key of several stages as one column; undefined unless each row has one value for all of them. */
function joinedColumn(
  stage: "all" | "experts",
  key: string,
  rows: readonly Row[],
): { column: Column; stages: Set<string> } | undefined {
  const within = (row: Row) =>
    row.filter(({ phase, kind }) => phase !== undefined && (stage === "all" || kind === "expert"));
  const slots = rows.map((row) => [...new Set(within(row).map(slotOf))]);
  const cells = rows.map((row, at) => slots[at]!.map((slot) => cellAt(row, slot, key)));
  const uniform = cells.every((ofRow) => new Set(ofRow.map(textOf)).size <= 1);
  if (!uniform || Math.max(...slots.map((ofRow) => ofRow.length)) < 2) return undefined;
  const stages = new Set(rows.flatMap(within).map((setting) => setting.stage));
  return { column: { place: { stage, key }, cells: cells.map(([first]) => first) }, stages };
}

/** Whether rows that agree on `causes`, of which there is at least one, also agree on the column. */
function follows(column: Column, causes: readonly (Column | undefined)[]): boolean {
  const present = causes.filter((cause) => cause !== undefined);
  const groups = new Map<string, Set<string>>();
  column.cells.forEach((cell, row) => {
    const group = JSON.stringify(present.map((cause) => textOf(cause.cells[row])));
    groups.set(group, (groups.get(group) ?? new Set()).add(textOf(cell)));
  });
  return present.length > 0 && [...groups.values()].every((texts) => texts.size === 1);
}

/** Whether a row has the default warm-up or micro-batch, or no such phase. */
function isDefault(key: "warmup" | "microBatch", slot: string, row: Row): boolean {
  const [batch, tokens, own] = ["batch", "tokens", key].map((name) => cellAt(row, slot, name));
  const context = row.find((setting) => setting.kind === "seed" && setting.key === "model.context")?.value;
  if (own === undefined) return true;
  if (typeof batch?.value !== "number" || typeof tokens?.value !== "number" || typeof context !== "number")
    return false;
  return own.value === trainingConfig({ batch: batch.value }, tokens.value, context)[key];
}

/** Keys that all routers of some types have. If all routers of a type have the same value, the type implies it. */
const BY_TYPE = new Set(["k", "capacity", "temperatureRate", "minTemperature"].map((key) => `router.${key}`));

/** True if the column only repeats other columns. */
function isImplied(column: Column, columns: readonly Column[], rows: readonly Row[]): boolean {
  const { key, phase, stage } = column.place;
  const sibling = (name: string) => columns.find(({ place }) => place.stage === stage && place.key === name);
  if (phase !== undefined && (key === "warmup" || key === "microBatch"))
    return rows.every((row) => isDefault(key, slotOf(column.place), row));
  const values = new Set(column.cells.filter((cell) => cell !== undefined && "value" in cell).map(textOf));
  // If all rows with the key have the same number of tokens, `routerInit.from` implies it.
  if (key === "routerInit.tokens") return values.size === 1 && sibling("routerInit.from") !== undefined;
  if (BY_TYPE.has(key) && follows(column, [sibling("router.type")])) return true;
  // K grows with the number of parts that experts are split into.
  const split = sibling("split");
  return key === "router.k" && split !== undefined && follows(column, [split, sibling("router.type")]);
}

function differenceOf({ place, cells }: Column, row: number): Difference[] {
  const { stage, phase, phases = 1, key } = place;
  const value = cells[row]?.value;
  if (value === undefined) return [];
  return [{ stage, ...(phase !== undefined && phases > 1 ? { phase } : {}), key, value }];
}

/**
 * How each of several models of one name differs from the others: its values of the settings that are not the same in
 * all of them. A setting that only some models have is listed for those. Implied differences come last and are marked.
 */
export function differences(rows: readonly Row[]): Difference[][] {
  const columns = differingColumns(rows);
  const implied = columns.filter((column) => isImplied(column, columns, rows));
  const shown = joinStages(
    columns.filter((column) => !implied.includes(column)),
    rows,
  );
  return rows.map((_, row) => [
    ...shown.flatMap((column) => differenceOf(column, row)),
    ...implied.flatMap((column) => differenceOf(column, row).map((one) => ({ ...one, implied: true as const }))),
  ]);
}
