import { describe, expect, test } from "vitest";
import type { ModelConfig, RouterConfig } from "../../../server/protocol/model.ts";
import { Choices } from "../../../server/routing/choices.ts";
import type { RoutedWindow } from "../../../server/routing/routedWindows.ts";
import { type VocabularyOf, vocabularySpecialisation } from "../../../server/routing/vocabularySpecialisation.ts";
import { seeded } from "../../fixtures/random.ts";
import { mixed } from "../inspect/run.ts";
import { slowVocabulary } from "./slowVocabulary.ts";

const domains = ["letters", "digits"];
const [L, E] = [2, 3];
const topTwo: RouterConfig = { type: "top-k", k: 2, loadBalance: 0 };

/** Windows of few kinds of tokens; `expertsOf` says which experts a token goes to, the largest gate first. */
function windowsOf(config: ModelConfig, count: number, expertsOf: (id: number, random: () => number) => number[]) {
  const random = seeded(3);
  return Array.from({ length: count }, (_, at): RoutedWindow => {
    const tokens = 5 + Math.floor(4 * random());
    const ids = Int32Array.from({ length: tokens }, () => Math.floor(8 * random()));
    const likeliest = Int32Array.from({ length: tokens }, () => 20 + Math.floor(5 * random()));
    const choices = new Choices(config, tokens);
    for (let layer = 0; layer < L; layer++)
      for (const [token, id] of ids.entries()) choices.of(layer, token).set(expertsOf(id, random));
    return { domain: domains[at % 2]!, ids, likeliest, choices };
  });
}

/** Of windows, by comparing every two places. */
function slowly(windows: readonly RoutedWindow[], layer: number, expert: number, k: number, of: VocabularyOf): number {
  const places = windows.flatMap(({ ids, likeliest, choices }) =>
    [...(of === "input" ? ids : likeliest)].map((id, token) => ({
      id,
      chose: [...choices.of(layer, token)].slice(0, k).includes(expert),
    })),
  );
  return slowVocabulary(places);
}

const shuffled = (random: () => number) => {
  const order = [0, 1, 2].sort(() => random() - 0.5);
  return order.slice(0, 2);
};

describe("vocabulary specialisation", () => {
  test.each(["input", "predicted"] as const)("by the %s token is what comparing every two places gives", (of) => {
    const config = mixed({ router: topTwo });
    const windows = windowsOf(config, 9, (id, random) => (id < 3 ? [id, (id + 1) % E] : shuffled(random)));
    const values = vocabularySpecialisation(windows, config, domains, of);
    expect(values).toHaveLength(L * 3 * E);
    for (let layer = 0; layer < L; layer++)
      for (const [row, domain] of [...domains, undefined].entries()) {
        const own = domain === undefined ? windows : windows.filter((one) => one.domain === domain);
        for (let expert = 0; expert < E; expert++)
          expect(values[(layer * 3 + row) * E + expert]).toBeCloseTo(slowly(own, layer, expert, 2, of), 9);
      }
  });

  test("is 1 where the token alone decides, k / E where it says nothing, and 0 of an expert without tokens", () => {
    const config = mixed({ router: { ...topTwo, k: 1 } });
    const known = windowsOf(config, 40, (id) => [id % 2]);
    expect([...vocabularySpecialisation(known, config, [], "input")].slice(0, E)).toEqual([1, 1, 0]);
    const random = windowsOf(config, 2000, (_, next) => [Math.floor(next() * E)]);
    for (const value of vocabularySpecialisation(random, config, [], "input")) expect(value).toBeCloseTo(1 / E, 1);
  });

  test("of a layer that computes all experts goes by the largest gate", () => {
    const config = mixed({ router: { type: "soft", loadBalance: 0 } });
    const windows = windowsOf(config, 6, (id) => [id % E, (id + 1) % E, (id + 2) % E]);
    expect([...vocabularySpecialisation(windows, config, [], "input")].slice(0, E)).toEqual([1, 1, 1]);
  });
});
