import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { openData } from "../../../server/data/dataset.ts";
import { parameterShapes } from "../../../server/model/parameters.ts";
import { StopRequested } from "../../../server/protocol/errors.ts";
import type { ModelConfig } from "../../../server/protocol/model.ts";
import { evaluate } from "../../../server/stages/evaluate.ts";
import { nllPath, readWindows } from "../../../server/stages/heldOutNll.ts";
import type { Parameters } from "../../../server/stages/model.ts";
import { heldOut, mixture, slowNll, spec, sum, twoDomains } from "./evaluationSupport.ts";
import {
  contextOf,
  type DomainText,
  randomModel,
  stageWithData,
  stageWithModel,
  tiny,
  tokenizerFolder,
} from "./support.ts";

const endOfText = 256;

test.each([
  ["a dense model", tiny],
  ["a mixture-of-experts", mixture],
])("the losses of %s are those of a slow computation, in nats per token and bits per byte", async (_, config) => {
  const data = await twoDomains();
  const parameters = randomModel(config, 1);
  const model = await stageWithModel(config, parameters);
  const context = contextOf(spec(), { parents: { data, model } });
  const result = await evaluate(context);
  let tokens = 0;
  for (const domain of ["letters", "digits"]) {
    const ids = await heldOut(data, domain);
    const nll = slowNll(config, parameters, ids);
    const bytes = ids.slice(1).filter((id) => id !== endOfText).length;
    const loss = result.losses![domain]!;
    expect(loss).toEqual({
      nats: expect.closeTo(sum(nll) / nll.length, 5),
      bitsPerByte: expect.closeTo(sum(nll) / Math.log(2) / bytes, 5),
      tokens: ids.length - 1,
      bytes,
    });
    tokens += loss.tokens;

    const file = readFileSync(nllPath(context.paths.folder, domain));
    const written = [...new Float32Array(file.buffer, file.byteOffset, file.length / 4)];
    expect(written).toHaveLength(nll.length);
    written.forEach((value, i) => {
      expect(value).toBeCloseTo(nll[i]!, 4);
    });
  }
  expect(result.tokens).toBe(tokens);
  expect(result.tokensPerSecond).toBeGreaterThan(0);
  expect(await readWindows(context.paths.folder)).toEqual({ context: 16, batch: 3, maxTokens: 10_000 });
});

test("no more held-out tokens are taken than asked for", async () => {
  const [data, model] = [await twoDomains(), await stageWithModel(tiny, randomModel(tiny, 1))];
  const { losses } = await evaluate(contextOf(spec({ tokens: 33 }), { parents: { data, model } }));
  expect(losses!.letters!.tokens).toBe(32);
});

/** A model that says after each token what `after` says: a table, in a transformer's clothes. */
function parrot(config: ModelConfig, after: (id: number) => number): Parameters {
  const parameters: Parameters = new Map(
    [...parameterShapes(config)].map(([name, shape]) => {
      const size = shape.reduce((product, length) => product * length, 1);
      return [name, { shape, data: new Float32Array(size).fill(name.endsWith("norm.weight") ? 1 : 0) }];
    }),
  );
  const [embedding, head] = ["model.embed_tokens.weight", "lm_head.weight"].map((name) => parameters.get(name)!.data);
  for (let id = 0; id < config.vocab; id++) {
    embedding![id * config.hidden + id] = 1;
    head![after(id) * config.hidden + id] = 1;
  }
  return parameters;
}

/** Plain documents whose answers follow "#### " on the last line; some are too long for the context. */
const quiz: DomainText = {
  documents: Array.from({ length: 14 }, (_, i) => [
    `is ${i}?\n#### 42`,
    `or ${i}?\n#### 4`,
    `much longer than what the context leaves room for ${i}?\n#### 42`,
  ]).flat(),
  answerAfter: "#### ",
};

/** Questions whose solutions end in "=answer"; some fill the context of 48 exactly, some are a token longer. */
const questions: DomainText = {
  documents: Array.from({ length: 24 }, (_, i) => [
    { question: `is ${"x".repeat(i)} it?`, answer: "so\n=42\nyes, and more than the context leaves room for" },
    { question: `is it ${i + 10}?`, answer: `${"s".repeat(34 + (i % 2))}\n=42` },
    { question: `or ${i}?`, answer: "so\n=4" },
  ]).flat(),
  text: "{question}\n{answer}",
  answerAfter: "=",
};

/** The evaluation of a parrot, some of whose problems it gets right that says "42" for an answer. */
async function parroted(after: Record<string, string>, answers = 100, merges: [string, string][] = [], asks = quiz) {
  const domains = { quiz: asks, plain: { documents: ["a", "b", "c"] } };
  const data = await stageWithData(domains, tokenizerFolder(merges));
  const opened = await openData(data);
  const { tokenizer, index } = opened;
  opened.close();
  const config = { ...tiny, vocab: index.vocab, hidden: 270, layers: 1, context: 48, ffn: 1 };
  const problems = opened
    .answers("quiz")
    .filter(({ prompt, solution }) => (prompt + solution).length <= config.context);
  expect(problems.length).toBeLessThan(opened.answers("quiz").length);
  const right = (count: number) => problems.slice(0, count).filter(({ answer }) => answer === "42").length;
  expect(right(100)).toBeGreaterThan(0);
  expect(right(100)).toBeLessThan(problems.length);

  const idOf = (text: string) => (text === "" ? index.endOfText : tokenizer.encode(text)[0]!);
  const table = new Map(Object.entries(after).map(([token, next]) => [idOf(token), idOf(next)]));
  const parameters = parrot(config, (id) => table.get(id) ?? idOf("?"));
  const model = await stageWithModel(config, parameters, data);
  const asked = spec({ domains: ["quiz", "plain"], answers });
  const { losses } = await evaluate(contextOf(asked, { parents: { data, model } }));
  return { losses: losses!, problems, right };
}

test("an answer counts where it is exactly right; problems that do not fit in the context are not asked", async () => {
  const { losses, problems, right } = await parroted({ "#": " ", " ": "4", 4: "2", 2: "" });
  expect(losses.quiz).toMatchObject({ exactMatch: right(100) / problems.length, answers: problems.length });
  expect(losses.plain).not.toHaveProperty("exactMatch");
});

test("an answer ends with its line, and no more problems are asked than wanted", async () => {
  const { losses, right } = await parroted({ "#": " ", " ": "4", 4: "2", 2: "\n" }, 5);
  expect(losses.quiz).toMatchObject({ exactMatch: right(5) / 5, answers: 5 });
});

test("a blank before the answer is the model's to say, for its tokens may begin with one", async () => {
  const merges: [string, string][] = [
    ["Ġ", "4"],
    ["Ġ4", "2"],
  ];
  const { losses, right } = await parroted({ "#": " 42", " 42": "\n" }, 5, merges);
  expect(losses.quiz).toMatchObject({ exactMatch: right(5) / 5, answers: 5 });
});

test("an answer that goes on is not exact", async () => {
  const { losses } = await parroted({ "#": " ", " ": "4", 4: "2", 2: "2" }, 5);
  expect(losses.quiz).toMatchObject({ exactMatch: 0, answers: 5 });
});

test("given the question only, the model writes its own solution, and what follows the marker counts", async () => {
  const { losses, problems, right } = await parroted(
    { "\n": "a", a: "=", "=": "4", 4: "2", 2: "" },
    100,
    [],
    questions,
  );
  expect(losses.quiz).toMatchObject({ exactMatch: right(100) / problems.length, answers: problems.length });
});

test("decoding goes on past lines without the marker, and ends with the line that holds it", async () => {
  const merges: [string, string][] = [["ĉ", "Ċ"]];
  const after = { "\n": "\t\n", "\t\n": "=", "=": "4", 4: "2", 2: "\n" };
  const { losses, problems, right } = await parroted(after, 100, merges, questions);
  expect(losses.quiz).toMatchObject({ exactMatch: right(100) / problems.length, answers: problems.length });
});

test("of several markers the last one counts", async () => {
  const after = { "\n": "=", "=": "1", 1: "+=", "+=": "4", 4: "2", 2: "\n" };
  const { losses, right } = await parroted(after, 5, [["+", "="]], questions);
  expect(losses.quiz).toMatchObject({ exactMatch: right(5) / 5, answers: 5 });
});

test("a solution without the marker has no answer", async () => {
  const { losses } = await parroted({ "\n": "4", 4: "2", 2: "" }, 5, [], questions);
  expect(losses.quiz).toMatchObject({ exactMatch: 0, answers: 5 });
});

test("evaluation stops when it is asked to", async () => {
  const [data, model] = [await twoDomains(), await stageWithModel(tiny, randomModel(tiny, 1))];
  const context = contextOf(spec(), { parents: { data, model }, stopRequested: () => true });
  await expect(evaluate(context)).rejects.toBeInstanceOf(StopRequested);
});
