import { setImmediate } from "node:timers/promises";
import { pick } from "../evaluation/generate.ts";
import { randomStream } from "../model/random.ts";
import { UserError } from "../protocol/errors.ts";
import type { InspectionNews, InspectionParams, InspectionResult } from "../protocol/inspect.ts";
import { Choices, rounded } from "../routing/choices.ts";
import type { WarmModel } from "./warmModels.ts";

/**
 * Continues a prompt. Reports the axes of the routing, then each token once the model has read it, because only then
 * its experts are known. Throws the reason of an aborted signal between two tokens.
 */
export async function sample(
  model: WarmModel,
  params: Omit<InspectionParams<"sample">, "model">,
  report: (news: InspectionNews<"sample">) => void,
  signal: AbortSignal,
): Promise<InspectionResult<"sample">> {
  const { prompt, tokens: most, randomSeed, off, k } = params;
  const { tokenizer } = model.opened;
  const config = model.config(k);
  const axes = model.axes(k);
  const { mask } = model.mask(off);
  const encoded = [...tokenizer.encode(prompt)];
  const ids = encoded.length > 0 ? encoded : [tokenizer.endOfText];
  if (ids.length >= config.context)
    throw new UserError(
      `the prompt has ${ids.length} tokens, but the context of "${model.name}" is ${config.context}: shorten the prompt`,
    );
  const decoder = await model.decoder(k);
  const random = randomStream(randomSeed, "row 0");
  report(axes);
  let { logits } = await decoder.readPrompts([ids], mask);
  const shown: number[] = [];
  let reported = "";
  for (let count = 1; ; count++) {
    // Lets a message arrive.
    await setImmediate();
    signal.throwIfAborted();
    const token = pick(logits, params, () => random.uniform());
    if (token === tokenizer.endOfText) return { ended: "text" };
    const surprise = rounded(negativeLogLikelihood(logits, token));
    const position = ids.length + count - 1;
    const results = await decoder.next(Int32Array.of(token), Int32Array.of(position), mask);
    logits = results.logits;
    shown.push(token);
    const ended = count === most ? "tokens" : position + 1 === config.context ? "context" : undefined;
    const whole = tokenizer.decode(shown);
    // A character may take several tokens: its text is reported once it is complete, or generation ends.
    const text = whole.endsWith("\ufffd") && !ended ? "" : whole.slice(reported.length);
    reported += text;
    const choices = new Choices(config, 1);
    choices.take(results, 0, 0);
    report({ text, ...choices.toMessage(), surprise });
    if (ended) return { ended };
  }
}

/** -log softmax(scores)[token], nats. */
function negativeLogLikelihood(scores: Float32Array, token: number): number {
  let largest = -Infinity;
  for (const score of scores) if (score > largest) largest = score;
  let sum = 0;
  for (const score of scores) sum += Math.exp(score - largest);
  return Math.log(sum) + largest - scores[token]!;
}
