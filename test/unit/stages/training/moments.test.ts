import { expect, test } from "vitest";
import { parameterShapes } from "../../../../server/model/parameters.ts";
import { beginMoments, stateNames } from "../../../../server/stages/training/moments.ts";
import { mixture, storeOf } from "../../../fixtures/models.ts";

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
