import { stat } from "node:fs/promises";
import { basename } from "node:path";
import type * as z from "zod";
import { hasCode } from "../disk/errors.ts";
import { checkOnce } from "../disk/fileDigests.ts";
import { openRegular } from "../disk/open.ts";
import { UserError } from "../protocol/errors.ts";
import type {
  RoutingDetailIndex,
  RoutingIndex,
  RoutingPairsIndex,
  RoutingProbeDetailIndex,
  RoutingProbeIndex,
} from "../protocol/routingFiles.ts";
import {
  axesOf,
  byDomain,
  byExpert,
  histogramBins,
  isStatistic,
  type RoutingAxis,
  type RoutingStatistic,
} from "../protocol/routingStatistics.ts";
import type { StageRecord } from "../protocol/stage.ts";
import { explainDamage } from "../runs/damage.ts";
import { readJson } from "../runs/read.ts";

/** Float32 records of routing: their layout, which only this file knows, and reading them. */

/** Values of statistics by name, flat, with the axes of the table. */
export type StatisticValues = Readonly<Partial<Record<RoutingStatistic, ArrayLike<number>>>>;

/** Names along the axes of a record. */
export interface AxisNames {
  layers: readonly unknown[];
  experts: readonly unknown[];
  domains?: readonly unknown[];
}

const lengths: Record<RoutingAxis, (names: AxisNames) => number> = {
  layer: ({ layers }) => layers.length,
  layerBefore: ({ layers }) => Math.max(0, layers.length - 1),
  domain: ({ domains = [] }) => domains.length,
  domainAndAll: ({ domains = [] }) => domains.length + 1,
  expert: ({ experts }) => experts.length,
  bin: () => histogramBins,
};

export const shapeOf = (axes: readonly RoutingAxis[], names: AxisNames): number[] =>
  axes.map((axis) => lengths[axis](names));
const product = (shape: readonly number[]): number => shape.reduce((size, length) => size * length, 1);

/** Values of a statistic with these axes. */
export const sizeOf = (axes: readonly RoutingAxis[], names: AxisNames): number => product(shapeOf(axes, names));

/** A range of a record. */
export interface RecordRange {
  start: number;
  length: number;
}

/** One statistic in a record. */
export interface Block<Name extends string = string> extends RecordRange {
  name: Name;
  /** Slowest first. */
  shape: readonly number[];
}

export interface RecordLayout<Name extends string = string> {
  /** Values of a record. */
  size: number;
  /** In the order of the record. */
  blocks: readonly Block<Name>[];
}

/** The part of a block at these indices on its first axes. */
export function partOf({ start, length, shape }: Block, ...places: readonly number[]): RecordRange {
  let part: RecordRange = { start, length };
  for (const [axis, place] of places.entries()) {
    const size = part.length / (shape[axis] ?? 1);
    part = { start: part.start + place * size, length: size };
  }
  return part;
}

export const blockOf = ({ blocks }: RecordLayout, name: string): Block | undefined =>
  blocks.find((block) => block.name === name);

function layoutOf<Name extends string>(
  blocks: readonly { name: Name; shape: readonly number[] }[],
): RecordLayout<Name> {
  let size = 0;
  const placed = blocks.map(({ name, shape }): Block<Name> => {
    const block = { name, shape, start: size, length: product(shape) };
    size += block.length;
    return block;
  });
  return { size, blocks: placed };
}

/**
 * @param axes maps the axes of a statistic in the table to those in a record
 * @throws UserError for a statistic of a newer version
 */
function layoutOfKnown(
  statistics: readonly string[],
  names: AxisNames,
  axes: (own: readonly RoutingAxis[]) => readonly RoutingAxis[] = (own) => own,
): RecordLayout<RoutingStatistic> {
  return layoutOf(
    statistics.map((name) => {
      if (isStatistic(name)) return { name, shape: shapeOf(axes(axesOf(name)), names) };
      throw new UserError(
        `the routing was recorded with "${name}", which this version does not know: update BTX Studio`,
      );
    }),
  );
}

/** The two lists of `routing.json` for these statistics. */
export const trainingLists = <S extends RoutingStatistic>(names: readonly S[]) => ({
  statistics: names.filter((name) => axesOf(name).includes("expert")),
  layerStatistics: names.filter((name) => !axesOf(name).includes("expert")),
});

/**
 * Layout of `routing.f32`. The list that has a statistic determines its axes, so those of newer versions can be
 * skipped.
 */
export const trainingLayout = (
  index: Pick<RoutingIndex, "statistics" | "layerStatistics" | "layers" | "domains" | "experts">,
): RecordLayout => {
  const shaped = (list: readonly string[], axes: readonly RoutingAxis[]) =>
    list.map((name) => ({ name, shape: shapeOf(axes, index) }));
  const { statistics, layerStatistics = [] } = index;
  return layoutOf([...shaped(statistics, byExpert), ...shaped(layerStatistics, byDomain)]);
};

/** Layout of `routing-pairs.f32`. */
export const pairsLayout = (index: Pick<RoutingPairsIndex, "statistics" | "layers" | "experts">) =>
  layoutOfKnown(index.statistics, index);

const isNotDomain = (axis: RoutingAxis): boolean => axis !== "domain";

/** Layout of `routing-detail.f32`, which has a record for each domain. */
export const detailLayout = (index: Pick<RoutingDetailIndex, "statistics" | "layers" | "experts" | "domains">) =>
  layoutOfKnown(index.statistics, index, (axes) => axes.filter(isNotDomain));

/** Layout of `routing-probe-detail.f32`, where the domain is the first axis. */
export const probeDetailLayout = (
  index: Pick<RoutingProbeDetailIndex, "statistics" | "layers" | "experts" | "domains">,
) =>
  layoutOfKnown(index.statistics, index, (axes) =>
    axes.includes("domain") ? ["domain", ...axes.filter(isNotDomain)] : axes,
  );

/** Layout of `routing-probe.f32`: a block for each domain, [layer, token, k]. */
export const probeLayout = ({
  layers,
  domains,
  tokens,
  k,
}: Pick<RoutingProbeIndex, "layers" | "domains" | "tokens" | "k">): RecordLayout =>
  layoutOf(domains.map((name, domain) => ({ name, shape: [layers.length, tokens[domain] ?? 0, k] })));

/**
 * The values of one domain, without that axis, of a statistic as programs report it; all values if it has no such axis.
 */
export function ofDomain(
  values: ArrayLike<number>,
  axes: readonly RoutingAxis[],
  names: AxisNames,
  domain: number,
): ArrayLike<number> {
  const at = axes.indexOf("domain");
  if (at < 0) return values;
  const shape = shapeOf(axes, names);
  const [count, inner] = [shape[at] ?? 0, product(shape.slice(at + 1))];
  return Float64Array.from({ length: values.length / count }, (_, place) => {
    const [row, within] = [Math.floor(place / inner), place % inner];
    return values[(row * count + domain) * inner + within] ?? 0;
  });
}

/** The statistics of a record that this version knows. */
export function statisticsOfRecord({ blocks }: RecordLayout, record: Float32Array): StatisticValues {
  const entries = blocks.flatMap(({ name, start, length }) =>
    isStatistic(name) ? [[name, record.subarray(start, start + length)] as const] : [],
  );
  return Object.fromEntries(entries);
}

export interface RecordFile<Index, Name extends string = string> {
  path: string;
  index: Index;
  layout: RecordLayout<Name>;
}

/**
 * A file of records and its index; undefined if there is no index.
 *
 * @param stage the stage's record: once it is done, it has the digest of the file.
 * @throws UserError if the index or the file is damaged.
 */
export async function recordFile<Index, Name extends string>(
  path: string,
  indexPath: string,
  schema: z.ZodType<Index>,
  layoutOf: (index: Index) => RecordLayout<Name>,
  stage: Pick<StageRecord, "files"> = {},
): Promise<RecordFile<Index, Name> | undefined> {
  const index = await readJson(indexPath, schema);
  const digest = stage.files?.[basename(path)];
  try {
    if (index && digest) await checkOnce(path, digest);
  } catch (error) {
    throw explainDamage(error);
  }
  return index && { path, index, layout: layoutOf(index) };
}

/** Number of complete records in a file; 0 if it does not exist. */
export async function recordCount({ path, layout }: RecordFile<unknown>): Promise<number> {
  try {
    return Math.floor((await stat(path)).size / (layout.size * 4));
  } catch (error) {
    if (hasCode(error, "ENOENT", "ENOTDIR")) return 0;
    throw error;
  }
}

/**
 * The same range of several records, or the whole records.
 *
 * @param records their numbers
 * @returns an array for each record, up to the first that does not exist
 */
export async function readRanges(
  { path, layout: { size } }: RecordFile<unknown>,
  records: readonly number[],
  { start, length }: RecordRange = { start: 0, length: size },
): Promise<Float32Array<ArrayBuffer>[]> {
  const file = await openRegular(path);
  try {
    const ranges: Float32Array<ArrayBuffer>[] = [];
    for (const record of records) {
      const values = new Float32Array(length);
      const { bytesRead } = await file.read(new Uint8Array(values.buffer), 0, length * 4, (record * size + start) * 4);
      if (bytesRead < length * 4) break;
      ranges.push(values);
    }
    return ranges;
  } finally {
    await file.close();
  }
}
