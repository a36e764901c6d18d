import { studentPoint } from "../../server/compare/statistics.ts";
import { ablation, type Mean, type ModelOf, main, type Results } from "./results.ts";

/** What the paper leads one to expect, and whether it came out. */
export interface Finding {
  expectation: string;
  /** What was measured, in words with numbers. */
  measured: string;
  verdict: "as expected" | "within noise" | "otherwise" | "one seed";
}

const signed = (value: number): string => `${value > 0 ? "+" : ""}${value.toFixed(3)}`;
const withError = ({ value, error }: Mean): string =>
  error === undefined ? signed(value) : `${signed(value)} ± ${error.toFixed(3)}`;

/** Half the 95 % interval of a difference; infinite for one random seed, which says nothing of noise. */
const margin = ({ error, degrees }: Mean): number =>
  error === undefined || degrees === undefined ? Number.POSITIVE_INFINITY : studentPoint(degrees) * error;

/** Two losses this close, nats, are about equal. */
export const about = 0.02;

/** `lower` has the lower loss of the two. */
function below(results: Results, expectation: string, lower: ModelOf, higher: ModelOf): Finding {
  const difference = results.difference(lower, higher);
  const noise = margin(difference);
  const direction = difference.value < 0 ? "as expected" : "otherwise";
  return {
    expectation,
    measured: withError(difference),
    verdict: Math.abs(difference.value) > noise ? direction : unclear(noise),
  };
}

/** `a` is not worse than `b` by more than `about`, whatever the noise says. */
function notWorse(results: Results, expectation: string, a: ModelOf, b: ModelOf): Finding {
  const difference = results.difference(a, b);
  const noise = margin(difference);
  const verdict =
    difference.value + noise <= about ? "as expected" : difference.value - noise > about ? "otherwise" : unclear(noise);
  return { expectation, measured: withError(difference), verdict };
}

function aboutEqual(results: Results, expectation: string, a: ModelOf, b: ModelOf): Finding {
  const difference = results.difference(a, b);
  const [distance, noise] = [Math.abs(difference.value), margin(difference)];
  const verdict = distance + noise <= about ? "as expected" : distance - noise > about ? "otherwise" : unclear(noise);
  return { expectation, measured: withError(difference), verdict };
}

const unclear = (noise: number): Finding["verdict"] => (Number.isFinite(noise) ? "within noise" : "one seed");

/** Whether the least used (layer, expert) has at least a tenth of an even share, by the mean over random seeds. */
function leastUsed(results: Results, expectation: string, variant: string, used: boolean): Finding {
  const shares = results.smallestShares(variant);
  const mean = shares.reduce((sum, share) => sum + share, 0) / shares.length;
  return {
    expectation,
    measured: `the least used has ${shares.map((share) => `${(100 * share).toFixed(0)} %`).join(", ")} of an even share`,
    verdict: mean >= 0.1 === used ? "as expected" : "otherwise",
  };
}

/** Every expert is best on its own domain, and worse than the seed on another. */
function forgetting(results: Results): Finding {
  const ofDomain = results.domains;
  const lossOf = (model: string, domain: string) => results.loss(main(model), domain).value;
  const best = ofDomain.every((domain) =>
    ofDomain.every((other) => lossOf(`expert:${domain}`, domain) <= lossOf(`expert:${other}`, domain)),
  );
  const worse = ofDomain.every((domain) =>
    ofDomain.some((other) => lossOf(`expert:${domain}`, other) > lossOf("seed", other)),
  );
  const own = ofDomain.map(
    (domain) => `${domain} ${signed(lossOf(`expert:${domain}`, domain) - lossOf("seed", domain))}`,
  );
  const others = ofDomain.flatMap((domain) =>
    ofDomain
      .filter((other) => other !== domain)
      .map((other) => lossOf(`expert:${domain}`, other) - lossOf("seed", other)),
  );
  const measured = `against the seed: ${own.join(", ")}; elsewhere ${signed(Math.min(...others))} to ${signed(Math.max(...others))}`;
  return {
    expectation: "each expert is best on its own domain and worse than the seed on another",
    measured,
    verdict: best && worse ? "as expected" : "otherwise",
  };
}

export function findings(results: Results): Finding[] {
  const btx = main("btx");
  return [
    forgetting(results),
    below(results, "BTX below dense, data-matched", btx, main("dense")),
    below(results, "BTX below Branch-Train-Merge, tf-idf, top-1", btx, main("btm:tf-idf:1")),
    below(results, "BTX below Branch-Train-Merge, tf-idf, top-2", btx, main("btm:tf-idf:2")),
    below(results, "BTX below Branch-Train-Merge, Bayes, top-1", btx, main("btm:bayes:1")),
    below(results, "BTX below Branch-Train-Merge, Bayes, top-2", btx, main("btm:bayes:2")),
    below(results, "BTX below the average of weights", btx, main("average")),
    below(results, "BTX below sparse upcycling, data-matched", btx, main("upcycling")),
    below(results, "BTX below sparse upcycling, compute-matched", btx, main("upcycling-compute")),
    below(results, "BTX clearly below blending", ablation("balanced"), ablation("blend")),
    aboutEqual(results, "frozen experts about equal to trained ones", ablation("frozen"), ablation("unbalanced")),
    below(results, "top-2 below split, top-2 of 8", ablation("balanced"), ablation("split, top-2 of 8")),
    aboutEqual(results, "split, top-4 of 8 about equal to top-2", ablation("split, top-4 of 8"), ablation("balanced")),
    notWorse(results, "soft at least as good as top-2", ablation("soft"), ablation("unbalanced")),
    notWorse(results, "top-2 at least as good as sample top-1", ablation("unbalanced"), ablation("sample-top-1")),
    below(results, "sample top-1 better than Switch", ablation("sample-top-1"), ablation("switch")),
    leastUsed(results, "without load balancing an expert is nearly unused in a layer", "unbalanced", false),
    leastUsed(results, "with load balancing none is", "balanced", true),
  ];
}
