import { type Data, openData } from "../data/dataset.ts";
import { byteLengths, targetBytes } from "../data/heldOut.ts";
import { lineAfter } from "../data/problems.ts";
import { writeFileAtomic } from "../disk/atomic.ts";
import { Store } from "../engine/store.ts";
import { countedNll, evaluationBatches, evaluationInputs } from "../evaluation/evaluationBatches.ts";
import { generator } from "../evaluation/generate.ts";
import { evaluation, sequenceBatch } from "../model/loss.ts";
import type { Problem } from "../protocol/data.ts";
import type { RoutingSummary } from "../protocol/routingFiles.ts";
import type { DomainLoss, EvaluateSpec } from "../protocol/stage.ts";
import { RoutingTally } from "../routing/tally.ts";
import type { StageContext, StageWork } from "./context.ts";
import { nllPath, writeWindows } from "./heldOutNll.ts";
import { type Model, parentModel } from "./model.ts";

/**
 * Held-out loss of one model by domain, in nats per token and bits per byte; where its tokens went; and, for domains
 * that declare how an answer is marked, the share of answers that greedy decoding gets exactly right.
 */
export const evaluate: StageWork<EvaluateSpec> = async (context) => {
  const data = await openData(context.parent("data").folder);
  try {
    const model = await parentModel(context);
    const losses = new Map<string, DomainLoss>();
    const started = performance.now();
    const routing = await heldOutLosses(context, model, data, losses);
    const seconds = (performance.now() - started) / 1000;
    await exactMatches(context, model, data, losses);
    const tokens = [...losses.values()].reduce((sum, loss) => sum + loss.tokens, 0);
    return {
      tokens,
      tokensPerSecond: tokens / seconds,
      losses: Object.fromEntries(losses),
      ...(routing ? { routing } : {}),
    };
  } finally {
    data.close();
  }
};

async function heldOutLosses(
  context: StageContext<EvaluateSpec>,
  { config, parameters }: Model,
  data: Data,
  losses: Map<string, DomainLoss>,
): Promise<RoutingSummary | undefined> {
  const { spec } = context;
  const store = new Store();
  for (const [name, { shape, data: values }] of parameters) store.set(name, shape, values);
  const specs = sequenceBatch(config, spec.batch, config.context, { training: false });
  const program = await context.engine.compile(evaluation(config, spec.domains.length), store, specs);
  const bytesOfToken = byteLengths(data.tokenizer);
  const routing = config.moe && new RoutingTally(config, spec.domains);
  await writeWindows(context.paths.folder, { context: config.context, batch: spec.batch, maxTokens: spec.tokens });
  try {
    for (const [domainIndex, domain] of spec.domains.entries()) {
      const nll: Float32Array[] = [];
      let [sum, tokens, bytes] = [0, 0, 0];
      for (const batch of evaluationBatches(config, data, spec, domainIndex)) {
        const results = await program.run(evaluationInputs(config, batch, spec.batch));
        const counted = countedNll(batch, results.nll);
        nll.push(counted);
        for (const value of counted) sum += value;
        tokens += counted.length;
        bytes += targetBytes(batch.window, bytesOfToken);
        routing?.add(batch, results);
        context.progress(domainIndex, spec.domains.length, domain);
        await context.yieldToSignals();
      }
      const joined = Buffer.concat(nll.map((part) => new Uint8Array(part.buffer, part.byteOffset, part.byteLength)));
      await writeFileAtomic(nllPath(context.paths.folder, domain), joined);
      losses.set(domain, { nats: sum / tokens, bitsPerByte: sum / Math.LN2 / bytes, tokens, bytes });
    }
  } finally {
    await program.dispose();
  }
  await routing?.write(context.paths);
  return routing?.summary();
}

/**
 * Greedy decoding of held-out problems, each up to the end of its answer's line, of the text or of the context.
 * Problems whose prompt and solution do not fit in the context are left out.
 */
async function exactMatches(
  context: StageContext<EvaluateSpec>,
  { config, parameters }: Model,
  data: Data,
  losses: Map<string, DomainLoss>,
): Promise<void> {
  const { tokenizer } = data;
  const problems = context.spec.domains.flatMap((domain) => {
    const ofDomain = data.answers(domain).map((problem) => {
      // The model writes the spaces at the end of the prompt, because in text they belong to the next token.
      const blanks = / *$/.exec(problem.prompt)!.index;
      const prompt = [...tokenizer.encode(problem.prompt.slice(0, blanks))];
      const solution = tokenizer.encode(problem.prompt.slice(blanks) + problem.solution);
      return { domain, problem, prompt, tokens: prompt.length + solution.length };
    });
    return ofDomain
      .filter(({ prompt, tokens }) => prompt.length > 0 && tokens <= config.context)
      .slice(0, context.spec.answers);
  });
  if (problems.length === 0) return;
  const rows = Math.min(16, problems.length);
  const decoder = await generator(config, parameters, { rows, engine: context.engine });
  const right = new Map<string, number>();
  try {
    for (let first = 0; first < problems.length; first += rows) {
      const batch = problems.slice(first, first + rows);
      const written = await decoder.generate(
        batch.map(({ prompt }) => prompt),
        {
          tokens: config.context,
          temperature: 0,
          topP: 1,
          randomSeed: 0,
          stop: (token, row, tokens) =>
            token === tokenizer.endOfText ||
            (tokenizer.decode([token]).includes("\n") &&
              answerLine(tokenizer.decode(tokens), batch[row]!.problem).finished),
        },
      );
      batch.forEach(({ domain, problem }, row) => {
        const text = tokenizer.decode(written[row]!.filter((token) => token !== tokenizer.endOfText));
        if (answerLine(text, problem).line.trim() === problem.answer) right.set(domain, (right.get(domain) ?? 0) + 1);
      });
      context.progress(first + batch.length, problems.length, "answers");
      await context.yieldToSignals();
    }
  } finally {
    await decoder.dispose();
  }
  for (const domain of new Set(problems.map((problem) => problem.domain))) {
    const answers = problems.filter((problem) => problem.domain === domain).length;
    Object.assign(losses.get(domain)!, { exactMatch: (right.get(domain) ?? 0) / answers, answers });
  }
}

/** The line of the answer in a model's text, possibly incomplete, and whether it is complete. */
function answerLine(text: string, { marker }: Problem): { line: string; finished: boolean } {
  if (marker !== undefined) return lineAfter(text, marker) ?? { line: "", finished: false };
  const [line, ...more] = text.split("\n");
  return { line: line!, finished: more.length > 0 };
}
