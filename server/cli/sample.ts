import { availableParallelism } from "node:os";
import { text as readAll } from "node:stream/consumers";
import { openCheckpointFolder } from "../evaluation/openCheckpoint.ts";
import { UserError } from "../protocol/errors.ts";
import { modelStages, ownModel, stageOfModel } from "../protocol/stageKinds.ts";
import { stagePaths } from "../runs/layout.ts";
import { checkResult } from "../runs/stageFiles.ts";
import { CommandError, exitStatus, namedRun, numberBetween, parse, printJson, wholeNumber } from "./command.ts";

const options = {
  json: { type: "boolean" },
  in: { type: "string" },
  prompt: { type: "string" },
  model: { type: "string", default: ownModel },
  tokens: { type: "string", default: "64" },
  temperature: { type: "string", default: "0.8" },
  "top-p": { type: "string", default: "1" },
  "random-seed": { type: "string", default: "0" },
} as const;

/** `btx sample [RUN] --prompt TEXT` */
export async function sample(args: string[]): Promise<number> {
  const { values, positionals } = parse(args, options);
  const { root, run } = await namedRun(positionals[0], values.in);
  const models = modelStages(run.record.stages);
  const stage = models.find(({ name }) => name === stageOfModel(values.model));
  if (!stage) {
    throw new CommandError(
      `run ${run.record.id} has no model "${values.model}"; it has ${models.map(({ name }) => name).join(", ")}`,
    );
  }
  if (values.prompt === undefined && process.stdin.isTTY)
    throw new CommandError("give a prompt with --prompt TEXT or on standard input");
  const prompt = values.prompt ?? (await readAll(process.stdin));
  const generate = {
    tokens: wholeNumber(values.tokens, "tokens", 1),
    temperature: numberBetween(values.temperature, "temperature", 0, 100),
    topP: numberBetween(values["top-p"], "top-p", 0, 1),
    randomSeed: wholeNumber(values["random-seed"], "random-seed", 0),
  };

  const { folder, checkpoint } = stagePaths(root, stage.key);
  await checkResult(folder, run.record.id);
  const model = await openCheckpointFolder(checkpoint);
  const { tokenizer, config } = model;
  const encoded = [...tokenizer.encode(prompt)];
  const ids = encoded.length > 0 ? encoded : [tokenizer.endOfText];
  if (ids.length >= config.context) {
    throw new UserError(
      `the prompt has ${ids.length} tokens, but the model's context is ${config.context}: shorten the prompt`,
    );
  }
  const { generator } = await import("../evaluation/generate.ts");
  const { openEngine } = await import("../engine/open.ts");
  const engine = await openEngine({ engine: "onnx", device: "cpu" }, { threads: availableParallelism() });
  const generation = await generator(config, model.parameters, { rows: 1, engine });
  const shown: number[] = [];
  let printed = "";
  const onToken = (_: number, token: number) => {
    if (token === tokenizer.endOfText || values.json) return;
    shown.push(token);
    // A character may take several tokens; nothing is printed until it is complete.
    const text = tokenizer.decode(shown);
    if (text.endsWith("\ufffd")) return;
    process.stdout.write(text.slice(printed.length));
    printed = text;
  };
  if (!values.json) process.stdout.write(prompt);
  const [tokens] = await generation.generate([ids], {
    ...generate,
    stop: (token) => token === tokenizer.endOfText,
    onToken,
  });
  await generation.dispose();
  const text = tokenizer.decode(tokens!.filter((token) => token !== tokenizer.endOfText));
  if (values.json) printJson({ run: run.record.id, model: values.model, prompt, text, tokens });
  else process.stdout.write(`${text.slice(printed.length)}\n`);
  return exitStatus.done;
}
