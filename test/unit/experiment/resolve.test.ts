import { describe, expect, it } from "vitest";
import { parseExperiment } from "../../../server/experiment/parse.ts";
import { largestDivisor, trainingConfig, trainingPhase } from "../../../server/experiment/phases.ts";
import { exampleExperiment } from "../../../server/experiment/reference.ts";
import type { Experiment } from "../../../server/experiment/resolve.ts";
import { formatTokens, parseTokens } from "../../../server/experiment/schema/tokens.ts";

function experiment(text: string, file = "/x/demo.btx.yaml"): Experiment {
  const { experiment, problems } = parseExperiment(text, file);
  expect(problems).toEqual([]);
  return experiment!;
}

describe("an experiment's defaults", () => {
  const short = experiment("domains: {code: {files: a.txt}, prose: {files: [b, c]}}\n");

  it("are the small model of the example, with as many heads of keys and values as heads", () => {
    expect(short.model).toMatchObject({ layers: 4, hidden: 128, heads: 4, kvHeads: 4, headSize: 32, ffn: 352 });
    expect(short.model).toMatchObject({ context: 128, tiedEmbeddings: false, ropeTheta: 10_000, normEps: 1e-5 });
    expect(short.tokenizer).toEqual({ type: "bpe", vocab: 1024 });
  });

  it("follow from the sizes that are given", () => {
    const { model, givenModel } = experiment("domains: {a: {files: x}}\nmodel: {hidden: 256, heads: 8}\n");
    expect(model).toMatchObject({ hidden: 256, heads: 8, kvHeads: 8, headSize: 32, ffn: 704 });
    expect(givenModel).toEqual({ hidden: 256, heads: 8 });
  });

  it("mix all domains and the seed, with top-2 and the paper's load balancing", () => {
    expect(short.mix).toEqual({
      experts: ["code", "prose", "seed"],
      router: { type: "top-k", k: 2, loadBalance: 0.01 },
      givenRouter: {},
    });
  });

  it("weigh all domains alike in the seed's and the finetuning mixture", () => {
    expect(short.seed).toMatchObject({ tokens: 1_000_000, mixture: { code: 1, prose: 1 } });
    expect(short.finetune).toMatchObject({ tokens: 500_000, mixture: { code: 1, prose: 1 } });
    expect(short).toMatchObject({ compare: [], heldOut: 0.1, randomSeed: 1, name: "demo" });
  });

  it("take the tokenizer of a seed that is loaded, unless another is named", () => {
    const from = "domains: {a: {files: x}}\nseed: {from: llama}\n";
    expect(experiment(from).tokenizer).toBeUndefined();
    expect(experiment(from).seed).toEqual({ from: "llama" });
    expect(experiment(`${from}tokenizer: {type: bytes}\n`).tokenizer).toEqual({ type: "bytes" });
    expect(experiment(`${from}tokenizer: {path: t.json}\n`).tokenizer).toEqual({ type: "file", path: "t.json" });
  });

  it("read the issue's example as it is written", () => {
    const example = experiment(exampleExperiment);
    expect(example.model).toMatchObject({ kvHeads: 2, ffn: 352 });
    expect(example.domains.get("math")).toMatchObject({ text: "{question}\n{answer}", tokens: 500_000 });
    expect(example.mix.experts).toEqual(["code", "prose", "math", "seed"]);
    expect(example.compare).toEqual(["average", "dense", "upcycling", "upcycling-compute", "btm"]);
  });
});

describe("a mix", () => {
  const mix = (section: string) => experiment(`domains: {a: {files: x}, b: {files: x}}\nmix: ${section}\n`).mix;
  const router = (keys: string) => mix(`{router: ${keys}}`).router;

  it("sends a token to as much of the model when it is split, but at most to all experts", () => {
    expect(mix("{split: 4}")).toMatchObject({ split: 4, router: { type: "top-k", k: 8 } });
    expect(mix("{split: 4, router: {k: 3}}").router).toEqual({ type: "top-k", k: 3, loadBalance: 0.01 });
    expect(mix("{experts: [a]}").router).toMatchObject({ k: 1 });
    expect(mix("{experts: [a], split: 2}").router).toMatchObject({ k: 2 });
  });

  it("gives every router its own keys with the paper's values, and the balancing that all have", () => {
    expect(router("{type: top-k, k: 1, softmax: before}")).toEqual({
      type: "top-k",
      k: 1,
      softmax: "before",
      loadBalance: 0.01,
    });
    expect(router("{type: switch}")).toEqual({ type: "switch", capacity: 1.5, loadBalance: 0.01 });
    expect(router("{type: switch, capacity: 2, evaluationCapacity: 3}")).toEqual({
      type: "switch",
      capacity: 2,
      evaluationCapacity: 3,
      loadBalance: 0.01,
    });
    expect(router("{type: soft, zLoss: 1e-3}")).toEqual({ type: "soft", loadBalance: 0.01, zLoss: 1e-3 });
    expect(router("{type: sample-top-1}")).toEqual({
      type: "sample-top-1",
      temperatureRate: 4,
      minTemperature: 0.5,
      loadBalance: 0.01,
    });
  });

  it("balances by BTX's loss, Switch's, biases or not at all", () => {
    const top = { type: "top-k", k: 2 };
    expect(router("{balance: switch, loadBalance: 0.1, balanceOver: batch}")).toEqual({
      ...top,
      loadBalance: 0.1,
      balance: "switch",
      balanceOver: "batch",
    });
    expect(router("{balance: bias}")).toEqual({ ...top, loadBalance: 0, balance: "bias", biasRate: 1e-3 });
    expect(router("{balance: bias, biasRate: 0.1, zLoss: 0.2}")).toEqual({
      ...top,
      loadBalance: 0,
      balance: "bias",
      biasRate: 0.1,
      zLoss: 0.2,
    });
  });

  it("is the same router whichever way balancing is switched off, or a default is written out", () => {
    const off = { type: "top-k", k: 2, loadBalance: 0 };
    for (const keys of ["balance: none", "loadBalance: 0", "loadBalance: 0, balance: switch, balanceOver: batch"])
      expect(router(`{${keys}}`)).toEqual(off);
    const written =
      "type: top-k, k: 2, softmax: after, loadBalance: 0.01, balance: btx, balanceOver: micro-batch, zLoss: 0";
    expect(router(`{${written}}`)).toEqual(router("{}"));
    const { givenRouter: _, ...long } = mix("{blend: false, router: {init: random}}");
    const { givenRouter: __, ...short } = mix("{}");
    expect(long).toEqual(short);
  });

  it("begins with rows from text where it is asked to", () => {
    expect(mix("{router: {init: domains}}").routerInit).toEqual({ from: "domains", tokens: 4096 });
    expect(mix("{blend: true, router: {init: hidden, initTokens: 5}}")).toMatchObject({
      blend: true,
      routerInit: { from: "hidden", tokens: 5 },
    });
  });

  it("freezes each group once, in an order of its own", () => {
    const freeze = (groups: string) =>
      experiment(`domains: {a: {files: x}}\nfinetune: {freeze: ${groups}}\n`).finetune.freeze;
    expect(freeze("[router, experts, router]")).toEqual(["experts", "router"]);
    expect(freeze("[embeddings, router, attention, experts]")).toEqual([
      "experts",
      "attention",
      "router",
      "embeddings",
    ]);
    expect(freeze("[expert:b, norms, expert:a, router, norms]")).toEqual(["router", "norms", "expert:a", "expert:b"]);
    expect(freeze("{all-but: [norms, router]}")).toEqual({ allBut: ["router", "norms"] });
    expect(freeze("[]")).toBeUndefined();
  });
});

describe("training keys", () => {
  const text = `
domains:
  code: {files: x, batch: 32, tokens: 5k}
  prose: {files: x}
training: {batch: 8, learningRate: 0.002, clip: 0}
experts: {learningRate: 0.003}
`;
  it("of a domain come before those of experts, and those before those of training", () => {
    const { domains, finetune, seed } = experiment(text);
    expect(domains.get("code")).toMatchObject({ tokens: 5000, training: { batch: 32, learningRate: 0.003, clip: 0 } });
    expect(domains.get("prose")!.training).toEqual({ batch: 8, learningRate: 0.003, clip: 0 });
    expect(finetune.training).toEqual({ batch: 8, learningRate: 0.002, clip: 0 });
    expect("from" in seed ? undefined : seed.training).toEqual(finetune.training);
  });

  it("bound a warm-up that is not given to a tenth of the steps, and take a given one as it stands", () => {
    expect(trainingConfig({}, 500_000, 128)).toMatchObject({ batch: 16, warmup: 24 });
    expect(trainingConfig({}, 50_000_000, 128).warmup).toBe(100);
    expect(trainingConfig({}, 1000, 128).warmup).toBe(0);
    expect(trainingConfig({ warmup: 300 }, 1000, 128).warmup).toBe(300);
  });

  it("name a precision that is not float32 only: others' stages are what they were", () => {
    const plain = trainingConfig({}, 1000, 128);
    expect(plain).not.toHaveProperty("precision");
    expect(trainingConfig({ precision: "float32" }, 1000, 128)).toEqual(plain);
    expect(trainingConfig({ precision: "float16" }, 1000, 128)).toEqual({ ...plain, precision: "float16" });
  });

  it("choose the largest micro-batch of at most 4096 tokens that divides the batch", () => {
    expect([16, 12, 7, 13, 1].map((batch) => largestDivisor(batch, 8))).toEqual([8, 6, 7, 1, 1]);
    expect(trainingConfig({ batch: 12 }, 1000, 512).microBatch).toBe(6);
  });

  it("stand in a phase whose mixture is sorted by name", () => {
    expect(Object.keys(trainingPhase(1000, { b: 1, a: 2 }, {}, 128).mixture)).toEqual(["a", "b"]);
  });
});

describe("numbers of tokens", () => {
  it("are read with k, M and B in either case", () => {
    const texts = ["500k", "1M", "1.5M", "2B", "2b", "0.3K", "1.1m"];
    expect(texts.map(parseTokens)).toEqual([500_000, 1e6, 1_500_000, 2e9, 2e9, 300, 1_100_000]);
  });

  it("are nothing when they are not whole, not positive, too large or malformed", () => {
    const texts = ["1.0005k", "0k", "-1k", "k", "1.k", "5", "1e3k", "99999999999B"];
    expect(texts.map(parseTokens)).toEqual(texts.map(() => undefined));
  });

  it("are written with a unit where that is short and exact", () => {
    expect([1_000_000, 500_000, 1_500_000, 16_384, 999, 2e9].map(formatTokens)).toEqual([
      "1M",
      "500k",
      "1.5M",
      "16384",
      "999",
      "2B",
    ]);
  });
});
