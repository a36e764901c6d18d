import { describe, expect, it } from "vitest";
import { parseExperiment } from "../../../server/experiment/parse.ts";
import { check, domain } from "./folder.ts";

describe("checkExperiment, on the mix", () => {
  const mix = (keys: string) => check(`${domain}mix: {${keys}}\n`);

  it("refuses to mix a single model", async () => {
    expect(await mix("experts: [seed]")).toEqual([
      "2:16 `mix.experts` names only `seed`, but a mix needs at least two models: add a domain or `seed`",
    ]);
  });

  it("refuses parts that do not divide the width, and names those nearest that do", async () => {
    expect(await mix("split: 3")).toEqual([
      "2:14 `mix.split` is 3, which does not divide `model.ffn`, 352: make it 2 or 4, or change `model.ffn`",
    ]);
    expect(await mix("split: 400")).toEqual([
      "2:14 `mix.split` is 400, which does not divide `model.ffn`, 352: make it 176, or change `model.ffn`",
    ]);
    const prime = await check(`${domain}model: {ffn: 9007199254740881}\nmix: {split: 2}\n`);
    expect(prime).toEqual([
      "3:14 `mix.split` is 2, which does not divide `model.ffn`, 9007199254740881: change `model.ffn`",
    ]);
    const three = "domains: {a: {files: a.txt}, b: {files: a.txt}}\n";
    expect(await check(`${three}mix: {blend: true}\n`)).toEqual([
      "2:14 `mix.blend` splits each feed-forward block into 3 parts, one per model, which does not divide `model.ffn`, 352: make `model.ffn` a multiple of 3",
    ]);
    expect(await check(`${three}mix: {blend: true}\nmodel: {ffn: 351}\n`)).toEqual([]);
    expect(await mix("blend: true")).toEqual([]);
    expect(await mix("split: 11")).toEqual([]);
  });

  it("refuses to split and to blend at once", async () => {
    expect(await mix("split: 3, blend: true")).toEqual(["2:17 `mix` has both `split` and `blend`: remove one of them"]);
  });
});

describe("checkExperiment, on the router", () => {
  const router = (keys: string, rest = "") => check(`${domain}mix: {router: {${keys}}${rest}}\n`);

  it("refuses a k larger than the number of experts, split ones counted", async () => {
    expect(await check(`${domain}mix:\n  router: {k: 3}\n`)).toEqual([
      "3:15 `mix.router.k` is 3, but only 2 models are mixed: it must be at most 2",
    ]);
    expect(await router("k: 9", ", split: 4")).toEqual([
      "2:19 `mix.router.k` is 9, but 2 models split into 4 give only 8 experts: it must be at most 8",
    ]);
    expect(await router("k: 8", ", split: 4")).toEqual([]);
  });

  it("names the router that a key belongs to", async () => {
    expect(await router("capacity: 1.5, softmax: after, k: 2")).toEqual([
      "2:16 `mix.router.capacity` is a key of the router `switch`, but `mix.router.type` is `top-k`: remove the key, or set the type to `switch`",
    ]);
    expect(await router("type: switch, minTemperature: 1, k: 1")).toEqual([
      "2:30 `mix.router.minTemperature` is a key of the router `sample-top-1`, but `mix.router.type` is `switch`: remove the key, or set the type to `sample-top-1`",
      "2:49 `mix.router.k` is a key of the router `top-k`, but `mix.router.type` is `switch`: remove the key, or set the type to `top-k`",
    ]);
  });

  it("finds nothing wrong with any router that has its own keys", async () => {
    for (const keys of [
      "type: top-k, k: 1, softmax: before, balance: bias, biasRate: 0.1",
      "type: switch, capacity: 1, evaluationCapacity: 2, balance: switch, balanceOver: batch, zLoss: 0.1",
      "type: soft, init: domains, initTokens: 100",
      "type: sample-top-1, temperatureRate: 1, minTemperature: 1, balance: none, init: hidden",
    ])
      expect(await router(keys), keys).toEqual([]);
  });

  it("warns of top-1 whose gate is always 1", async () => {
    expect(await router("k: 1")).toEqual([
      "2:19 warning `mix.router.k` is 1, and the softmax of a single logit is always 1, so the router gets no gradient from the language-modelling loss: use `type: switch`, or `softmax: before`",
    ]);
  });

  it("refuses biases where no best experts are chosen, and their rate without them", async () => {
    const rest = "set it to `btx`, `switch` or `none`";
    const bias = "`mix.router.balance` is `bias`, which affects which experts score best, but the router";
    expect(await router("type: soft, balance: bias")).toEqual([
      `2:37 ${bias} \`soft\` uses all experts: set it to \`btx\` or \`none\``,
    ]);
    expect(await router("type: sample-top-1, balance: bias")).toEqual([
      `2:45 ${bias} \`sample-top-1\` samples its expert: ${rest}`,
    ]);
    expect(await router("biasRate: 0.1")).toEqual([
      "2:16 `mix.router.biasRate` is 0.1, but `mix.router.balance` is `btx`: remove the key, or set `balance: bias`",
    ]);
  });

  it("warns of Switch's balancing where every expert gets every token, which leaves nothing to balance", async () => {
    expect(await router("type: soft, balance: switch")).toEqual([
      "2:28 warning `mix.router.balance` has no effect with `type: soft`, where every expert gets every token",
    ]);
  });

  it("warns of keys of a loss that is switched off", async () => {
    expect(await router("balance: bias, loadBalance: 0.01, balanceOver: batch")).toEqual([
      "2:31 warning `mix.router.loadBalance` has no effect with `balance: bias`",
      "2:50 warning `mix.router.balanceOver` has no effect without a load-balancing loss",
    ]);
    expect(await router("balance: none, loadBalance: 0")).toEqual([]);
    expect(await router("loadBalance: 0, balanceOver: batch")).toEqual([
      "2:32 warning `mix.router.balanceOver` has no effect without a load-balancing loss",
    ]);
  });

  it("refuses rows from the domains of blended experts, and a number of tokens for random rows", async () => {
    expect(await router("init: domains", ", blend: true")).toEqual([
      "2:22 `mix.router.init` is `domains`, but blended experts belong to no domain: set it to `random`, or remove `mix.blend`",
    ]);
    expect(await router("initTokens: 10")).toEqual([
      "2:16 `mix.router.initTokens` is given, but `mix.router.init` is `random`: remove the key, or set `init` to `domains` or `hidden`",
    ]);
  });
});

describe("checkExperiment, on what finetuning freezes", () => {
  const two = "domains: {code: {files: a.txt}, math: {files: a.txt}}\n";
  const freeze = (value: string, rest = "") => check(`${two}finetune: {freeze: ${value}}\n${rest}`);

  it("finds nothing wrong with groups, single experts, and all but some", async () => {
    expect(await freeze("[norms, attention, expert:code, expert:seed]")).toEqual([]);
    expect(await freeze("{all-but: [router]}")).toEqual([]);
    expect(await freeze("[dense]", "model: {moeLayers: [1]}\n")).toEqual([]);
    expect(await freeze("[expert:code, expert:math.2]", "mix: {split: 2}\n")).toEqual([]);
    expect(await freeze("[expert:blend.1]", "mix: {blend: true}\nmodel: {ffn: 96}\n")).toEqual([]);
  });

  it("names the nearest expert for one that the mixed model does not have", async () => {
    expect(await freeze("[norms, expert:cod]")).toEqual([
      "2:28 `finetune.freeze` names `cod`, which is not an expert of the mixed model, did you mean `code`?",
    ]);
    expect(await freeze("{all-but: [expert:x]}")).toEqual([
      "2:31 `finetune.freeze` names `x`, which is not an expert of the mixed model: it must be one of `code`, `math`, `seed`",
    ]);
    expect(await freeze("[expert:code]", "mix: {blend: true}\nmodel: {ffn: 96}\n")).toEqual([
      "2:21 `finetune.freeze` names `code`, which is not an expert of the mixed model: it must be one of `blend.1`, `blend.2`, `blend.3`",
    ]);
  });

  it("warns of a group that the mixed model does not have", async () => {
    expect(await freeze("[dense]")).toEqual([
      "2:21 warning `finetune.freeze[0]` has no effect because the mixed model has no parameters in the group `dense`",
    ]);
  });

  it("refuses to freeze everything", async () => {
    const everything =
      "2:20 `finetune.freeze` freezes all parameters, so finetuning has nothing to train: leave out a group";
    expect(await freeze("[experts, attention, router, embeddings, norms]")).toEqual([everything]);
    expect(await freeze("[attention, router, embeddings, norms, expert:code, expert:math, expert:seed]")).toEqual([
      everything,
    ]);
    const nothing = await freeze("{all-but: [dense]}");
    expect(nothing).toContain(everything);
    expect(await freeze("[experts, attention, router, embeddings, norms]", "model: {moeLayers: [0]}\n")).toEqual([]);
  });

  it("says what may be named, and where a key is wrong", async () => {
    const messages = (value: string) =>
      parseExperiment(`${two}finetune: {freeze: ${value}}\n`, "x.btx.yaml").problems.map(({ message }) => message);
    const list = "a list such as [experts, norms, expert:code], or {all-but: [router]}";
    expect(messages("router")).toEqual([`\`finetune.freeze\` must be ${list}, not the text \`router\``]);
    expect(messages("[expert]")[0]).toMatch(
      /^`finetune\.freeze\[0\]` must be one of `experts`, .*, or one expert such as `expert:code`, not the text `expert`, did you mean `experts`\?$/,
    );
    expect(messages("{allbut: [router]}")).toContain("unknown key `allbut`, did you mean `all-but`?");
    expect(messages("{all-but: []}")).toEqual([
      "`finetune.freeze.all-but` must be a list of what is trained, such as [router], not the list `[]`",
    ]);
  });
});
