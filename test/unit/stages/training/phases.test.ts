import { expect, test } from "vitest";
import { parameterShapes } from "../../../../server/model/parameters.ts";
import type { Phase } from "../../../../server/protocol/stage.ts";
import { beginMoments, scheduledPhases, stateNames } from "../../../../server/stages/training/phases.ts";
import { mixture, storeOf } from "../../../fixtures/models.ts";
import { training } from "../support.ts";

const parameters = [...parameterShapes(mixture).keys()];
const momentsOf = (names: string[]) => names.flatMap((name) => [`adam.m.${name}`, `adam.v.${name}`]).sort();
const withoutExperts = parameters.filter((name) => !name.includes(".experts."));

test("a saved state holds all parameters, and moments of those that are trained", () => {
  expect(stateNames(mixture).sort()).toEqual([...parameters, ...momentsOf(parameters)].sort());
  expect(stateNames(mixture, ["experts"]).sort()).toEqual([...parameters, ...momentsOf(withoutExperts)].sort());
  expect(withoutExperts.length).toBeLessThan(parameters.length);
});

test("fresh moments are zero, and those of a phase that froze less are gone", () => {
  const store = storeOf(mixture);
  beginMoments(store, mixture);
  store.get("adam.m.model.norm.weight").data.fill(3);
  beginMoments(store, mixture, { freeze: ["experts"] });
  expect(store.names().sort()).toEqual(stateNames(mixture, ["experts"]).sort());
  for (const name of momentsOf(withoutExperts)) expect(store.get(name).data.every((x) => x === 0)).toBe(true);
  beginMoments(store, mixture);
  expect(store.names().sort()).toEqual(stateNames(mixture).sort());
});

test("moments that a phase keeps stay, and those of parameters that were frozen before begin at zero", () => {
  const store = storeOf(mixture);
  beginMoments(store, mixture, { freeze: ["experts"] });
  store.get("adam.m.model.norm.weight").data.fill(3);
  beginMoments(store, mixture, { freeze: ["attention"], keep: true });
  expect(store.names().sort()).toEqual(stateNames(mixture, ["attention"]).sort());
  expect(store.get("adam.m.model.norm.weight").data.every((x) => x === 3)).toBe(true);
  const expert = parameters.find((name) => name.includes(".experts."))!;
  expect(store.get(`adam.v.${expert}`).data.every((x) => x === 0)).toBe(true);
});

test("a phase that keeps moments goes on counting the steps that they have seen", () => {
  const phase = (steps: number, keepMoments?: true): Phase => ({
    tokens: steps * training.batch * 16,
    mixture: { letters: 1 },
    training,
    ...(keepMoments ? { keepMoments } : {}),
  });
  const places = scheduledPhases([phase(3), phase(2, true), phase(4, true), phase(1)], 16);
  expect(places.map(({ before, steps, momentSteps }) => [before, steps, momentSteps])).toEqual([
    [0, 3, 0],
    [3, 2, 3],
    [5, 4, 5],
    [9, 1, 0],
  ]);
});
