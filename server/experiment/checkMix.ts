import { defined } from "../protocol/defined.ts";
import { noEffect, type Path, type Problem, pathText } from "./problem.ts";
import { type Experiment, expertCount } from "./resolve.ts";
import { routerDefaults, routers, typesWith } from "./schema/router.ts";

const router = (key: string): Path => ["mix", "router", key];

const oneOf = (names: readonly string[]): string => names.map((name) => `\`${name}\``).join(" or ");

/**
 * Keys of `mix` that contradict each other, and keys that its type of router does not have. Widths are checked in
 * `checkShape`.
 */
export function checkMix(experiment: Experiment): Problem[] {
  return [
    ...checkModels(experiment),
    ...checkParts(experiment),
    ...checkRouterKeys(experiment),
    ...checkK(experiment),
    ...checkBalance(experiment),
    ...checkInit(experiment),
  ];
}

function checkModels({ mix, positions }: Experiment): Problem[] {
  const path: Path = ["mix", "experts"];
  if (mix.experts.length > 1) return [];
  const message = `\`mix.experts\` names only \`${mix.experts[0]}\`, but a mix needs at least two models: add a domain or \`seed\``;
  return [{ ...positions.value(path), message, path, severity: "error" }];
}

function checkParts({ mix, positions }: Experiment): Problem[] {
  if (mix.split === undefined || !mix.blend) return [];
  const path: Path = ["mix", "blend"];
  const message = "`mix` has both `split` and `blend`: remove one of them";
  return [{ ...positions.key(path), message, path, severity: "error" }];
}

/** Keys of other types of router. */
function checkRouterKeys({ mix, positions }: Experiment): Problem[] {
  const { type } = mix.router;
  return Object.keys(mix.givenRouter).flatMap((key): Problem[] => {
    const types = typesWith(key);
    if (!types || types.includes(type)) return [];
    const path = router(key);
    const message = `\`${pathText(path)}\` is a key of the router ${oneOf(types)}, but \`mix.router.type\` is \`${type}\`: remove the key, or set the type to ${oneOf(types)}`;
    return [{ ...positions.key(path), message, path, severity: "error" }];
  });
}

function checkK({ mix, positions }: Experiment): Problem[] {
  if (!("k" in mix.router)) return [];
  const { k, softmax } = mix.router;
  const path = router("k");
  const models = mix.experts.length;
  const experts = expertCount(mix);
  if (k > experts) {
    const only = mix.split
      ? `${models} models split into ${mix.split} give only ${experts} experts`
      : `only ${models} ${models === 1 ? "model is" : "models are"} mixed`;
    const message = `\`mix.router.k\` is ${k}, but ${only}: it must be at most ${experts}`;
    return [{ ...positions.value(path), message, path, expected: `at most ${experts}`, severity: "error" }];
  }
  if (k > 1 || softmax === "before" || !positions.has(path)) return [];
  const message =
    "`mix.router.k` is 1, and the softmax of a single logit is always 1, so the router gets no gradient from the language-modelling loss: use `type: switch`, or `softmax: before`";
  return [{ ...positions.value(path), message, path, severity: "warning" }];
}

function checkBalance({ mix, positions }: Experiment): Problem[] {
  const { type } = mix.router;
  const { chooses } = routers[type];
  const { balance, loadBalance, biasRate } = { ...routerDefaults, ...defined(mix.givenRouter) };
  const problems: Problem[] = [];
  if (balance === "bias" && chooses !== "largest") {
    const path = router("balance");
    const others = chooses === "all" ? "`btx` or `none`" : "`btx`, `switch` or `none`";
    const why = chooses === "all" ? "uses all experts" : "samples its expert";
    const message = `\`mix.router.balance\` is \`bias\`, which affects which experts score best, but the router \`${type}\` ${why}: set it to ${others}`;
    problems.push({
      ...positions.value(path),
      message,
      path,
      expected: others,
      severity: "error",
    });
  }
  if (balance !== "bias" && mix.givenRouter.biasRate !== undefined) {
    const path = router("biasRate");
    const message = `\`mix.router.biasRate\` is ${biasRate}, but \`mix.router.balance\` is \`${balance}\`: remove the key, or set \`balance: bias\``;
    problems.push({ ...positions.key(path), message, path, severity: "error" });
  }
  if (balance === "switch" && chooses === "all")
    problems.push(
      ...noEffect(positions, router("balance"), `with \`type: ${type}\`, where every expert gets every token`),
    );
  const byLoss = balance === "btx" || balance === "switch";
  if (!byLoss && loadBalance > 0)
    problems.push(...noEffect(positions, router("loadBalance"), `with \`balance: ${balance}\``));
  if (!byLoss || loadBalance === 0)
    problems.push(...noEffect(positions, router("balanceOver"), "without a load-balancing loss"));
  return problems;
}

function checkInit({ mix, positions }: Experiment): Problem[] {
  const { init } = mix.givenRouter;
  if (mix.routerInit && mix.blend) {
    const path = router("init");
    const message = `\`mix.router.init\` is \`${init}\`, but blended experts belong to no domain: set it to \`random\`, or remove \`mix.blend\``;
    return [{ ...positions.value(path), message, path, expected: "`random`", severity: "error" }];
  }
  if (mix.routerInit || mix.givenRouter.initTokens === undefined) return [];
  const path = router("initTokens");
  const message =
    "`mix.router.initTokens` is given, but `mix.router.init` is `random`: remove the key, or set `init` to `domains` or `hidden`";
  return [{ ...positions.key(path), message, path, severity: "error" }];
}
