import { describe, expect, test } from "vitest";
import { cpuEngine } from "../../../server/engine/onnx/engine.ts";
import { generator } from "../../../server/evaluation/generate.ts";
import { forward } from "../../../server/inspect/forward.ts";
import { sample } from "../../../server/inspect/sample.ts";
import { WarmModel } from "../../../server/inspect/warmModels.ts";
import { initialParameters } from "../../../server/model/parameters.ts";
import type { InspectionNews, SampledToken } from "../../../server/protocol/inspect.ts";
import type { ModelConfig } from "../../../server/protocol/model.ts";
import { experts, inspectedRun, mixed, unending } from "./run.ts";

const config: ModelConfig = { ...mixed(), context: 48 };
const run = await inspectedRun({ config });
const asked = { prompt: "abc ä", tokens: 10, temperature: 0, topP: 1, randomSeed: 0 };

async function sampled(model: WarmModel, change: Partial<Parameters<typeof sample>[1]> = {}, signal = unending()) {
  const news: InspectionNews<"sample">[] = [];
  const ended = await sample(model, { ...asked, ...change }, (told) => news.push(told), signal);
  const [axes, ...tokens] = news;
  return { axes, tokens: tokens as SampledToken[], ...ended };
}
const joined = (tokens: SampledToken[]): string => tokens.map(({ text }) => text).join("");

/** Ids that a whole generation without routing gives. */
async function generated(model: WarmModel, tokens: number): Promise<number[]> {
  const plain = await generator(model.opened.config, model.opened.parameters, { rows: 1, engine: cpuEngine(1) });
  const { endOfText } = model.opened.tokenizer;
  const [ids] = await plain.generate([[...model.opened.tokenizer.encode(asked.prompt)]], {
    ...asked,
    tokens,
    stop: (token) => token === endOfText,
  });
  await plain.dispose();
  return ids!.filter((id) => id !== endOfText);
}

describe("a continuation", () => {
  test("is that of a generation without routing, and goes where its text is routed to", async () => {
    const model = await run.warm("finetune");
    const { axes, tokens, ended } = await sampled(model);
    const ids = await generated(model, 10);
    expect(axes).toEqual({ layers: [0, 1], experts: expect.anything(), k: 2 });
    expect(ended).toBe("tokens");
    expect(tokens).toHaveLength(10);
    expect(joined(tokens)).toBe(model.opened.tokenizer.decode(ids));

    const all = [...model.opened.tokenizer.encode(asked.prompt), ...ids];
    const { choices, surprise } = await forward(model, Int32Array.from(all), {
      mask: model.mask(),
      signal: unending(),
    });
    for (const [i, token] of tokens.entries()) {
      const at = all.length - ids.length + i;
      expect(token.surprise).toBeCloseTo(surprise[at]!, 3);
      expect(token.chosen).toEqual([0, 1].flatMap((layer) => [...choices.of(layer, at)]));
      const gates = [0, 1].flatMap((layer) => {
        const from = (layer * all.length + at) * 2;
        return [...choices.gates.subarray(from, from + 2)];
      });
      expect(token.gates).toEqual(gates.map((gate) => expect.closeTo(gate, 3)));
    }
    await model.dispose();
  });

  test("goes to no expert that is switched off, and to as many as are asked for", async () => {
    const model = await run.warm("finetune");
    const { tokens } = await sampled(model, { off: ["letters"], k: 1 });
    expect(tokens.flatMap(({ chosen }) => chosen)).toHaveLength(20);
    const chosen = new Set(tokens.flatMap((token) => token.chosen));
    expect(chosen.has(experts.indexOf("letters"))).toBe(false);
    const usual = await sampled(model, { k: 1 });
    expect(usual.tokens.some((token) => token.chosen.includes(0))).toBe(true);
    expect(tokens.every(({ gates }) => gates.every((gate) => gate === 1))).toBe(true);
    await model.dispose();
  });

  test("is the same from the same seed of random numbers, and another from another", async () => {
    const model = await run.warm("finetune");
    const first = await sampled(model, { temperature: 2, randomSeed: 3 });
    expect((await sampled(model, { temperature: 2, randomSeed: 3 })).tokens).toEqual(first.tokens);
    expect((await sampled(model, { temperature: 2, randomSeed: 4 })).tokens).not.toEqual(first.tokens);
    await model.dispose();
  });

  test("ends where the context does, or where the model ends the text", async () => {
    const circle = await reciter((encode) => encode("abc"));
    const { tokens, ended } = await sampled(circle, { prompt: "ab", tokens: 1000 });
    expect([joined(tokens), ended]).toEqual(["cab".repeat(16).slice(0, 46), "context"]);
    await circle.dispose();
    const line = await reciter((encode, endOfText) => [...encode("abc"), endOfText]);
    const whole = await sampled(line, { prompt: "a", tokens: 1000 });
    expect([joined(whole.tokens), whole.ended]).toEqual(["bc", "text"]);
    await expect(sampled(line, { prompt: "a".repeat(48) })).rejects.toThrow(/48 tokens, but the context .* is 48/);
    await line.dispose();
  });

  test("of a dense model has no routing", async () => {
    const model = await run.warm("seed");
    const { axes, tokens } = await sampled(model, { prompt: "" });
    expect(axes).toEqual({ layers: [], experts: [], k: 0 });
    expect(tokens[0]).toMatchObject({ chosen: [], gates: [] });
    await model.dispose();
  });

  test("stops at the next token when it is no longer wanted", async () => {
    const model = await run.warm("finetune");
    const controller = new AbortController();
    let told = 0;
    const sampling = sample(
      model,
      { ...asked, tokens: 40, temperature: 1 },
      () => {
        if (++told === 4) controller.abort(new Error("not wanted"));
      },
      controller.signal,
    );
    await expect(sampling).rejects.toThrow("not wanted");
    expect(told).toBe(4);
    await model.dispose();
  });
});

test("a character of several tokens is told when it is whole", async () => {
  const model = await reciter((encode) => encode("ä🥊"));
  const { tokens } = await sampled(model, { prompt: "ä", tokens: 11 });
  const pieces = ["", "", "", "🥊", "", "ä", "", "", "", "🥊", "\ufffd"];
  expect(tokens.map(({ text }) => text)).toEqual(pieces);
  await model.dispose();
});

/** A dense model that says different tokens in a circle: a table, in a transformer's clothes. */
async function reciter(
  circle: (encode: (text: string) => number[], endOfText: number) => number[],
): Promise<WarmModel> {
  const { moe: _, ...shape }: ModelConfig = { ...config, hidden: 257, heads: 1, kvHeads: 1 };
  const parameters = initialParameters(shape, 1);
  for (const [name, { data }] of parameters) if (!name.endsWith("norm.weight")) data.fill(0);
  const { found, opened } = await run.warm("seed");
  const { tokenizer } = opened;
  const ids = circle((text) => [...tokenizer.encode(text)], tokenizer.endOfText);
  for (const [i, id] of ids.entries()) {
    parameters.get("model.embed_tokens.weight")!.data[id * 257 + id] = 1;
    parameters.get("lm_head.weight")!.data[ids[(i + 1) % ids.length]! * 257 + id] = 1;
  }
  return new WarmModel(found, { config: shape, parameters, tokenizer }, cpuEngine(1));
}
