import { stat } from "node:fs/promises";
import { UserError } from "../../protocol/errors.ts";
import type { RoutedModel } from "../../protocol/routing.ts";
import { evaluationOf } from "../../protocol/stageKinds.ts";
import type { Question, StageReference, StreamedRun } from "../../protocol/stream.ts";
import { type RecordedRouting, readRecordedRouting } from "../../routing/recorded.ts";
import { type FoundModel, findModel } from "../../runs/findModel.ts";
import { stagePaths } from "../../runs/layout.ts";
import type { Reply } from "../reply.ts";
import { histogramFrame, layersMessage, loadFrame, pairsFrame, routingFrames, saturationFrame } from "./answers.ts";

interface Opened {
  reference: StageReference;
  /** Changes when the files do. */
  look: string;
  found?: FoundModel;
  recorded?: RecordedRouting;
  model: RoutedModel;
}

type RoutingQuestion = Extract<
  Question,
  { type: "routing" | "routingLayers" | "routingPairs" | "routingHistogram" | "routingLoad" | "routingSaturation" }
>;

/** The mixed models that a page has opened. It reads their files again when these change, and sends what is new. */
export class PageRouting {
  /** The opened runs. */
  readonly #runs: () => readonly StreamedRun[];
  #opened: Opened[] = [];
  /** Where news of the models goes, and what was sent last. */
  #open: { id: number; reply: Reply; sent: string } | undefined;

  constructor(runs: () => readonly StreamedRun[]) {
    this.#runs = runs;
  }

  async open({ id, models }: Extract<Question, { type: "openRouting" }>, reply: Reply): Promise<void> {
    const known = this.#opened;
    this.#open = { id, reply, sent: "" };
    this.#opened = models.map(
      (reference) =>
        known.find((one) => same(one.reference, reference)) ?? { reference, look: "", model: unread(reference) },
    );
    await this.look();
  }

  /** Reads and sends what has changed, as long as the page wants it. The models stay open for questions after that. */
  async look(): Promise<void> {
    const [open, opened] = [this.#open, this.#opened];
    if (!open || open.reply.signal.aborted) return;
    for (const one of opened) await this.#read(one);
    if (open !== this.#open) return;
    const models = opened.map(({ model }) => model);
    const sent = JSON.stringify(models);
    if (sent === open.sent) return;
    open.sent = sent;
    await open.reply.send({ type: "routingOpened", id: open.id, models });
  }

  async answer(question: RoutingQuestion, { send, frame, signal }: Reply): Promise<void> {
    const opened = this.#opened.find(({ reference }) => same(reference, question.model));
    const recorded = opened?.recorded;
    if (!recorded) throw new UserError(opened?.model.problem ?? "That model is not open.");
    switch (question.type) {
      case "routing":
        // One at a time, so that the next question does not wait for all of them.
        for (const snapshot of question.snapshots) {
          for (const one of await routingFrames(recorded, { ...question, snapshots: [snapshot] })) await frame(one);
          if (signal.aborted) return;
        }
        return;
      case "routingLayers":
        return send(await layersMessage(recorded, question));
      case "routingPairs":
        return frame(await pairsFrame(recorded, question));
      case "routingHistogram":
        return frame(await histogramFrame(recorded, question));
      case "routingLoad":
        return frame(await loadFrame(recorded, question));
      case "routingSaturation":
        return frame(await saturationFrame(recorded, question));
    }
  }

  async #read(one: Opened): Promise<void> {
    const { root, key } = one.reference;
    const stageOf = (one: StreamedRun) => [...one.stages, ...one.mixes].find((each) => each.key === key);
    const run = this.#runs().find((each) => each.root === root && stageOf(each));
    const stage = run && stageOf(run);
    if (!run || !stage) {
      one.model = { ...one.model, problem: "its run was removed, or is not open" };
      return;
    }
    try {
      one.found ??= await findModel({ root, run: run.run, stage: stage.name });
      const look = `${stage.state} ${await looks(one.found)}`;
      if (look === one.look) return;
      one.recorded = await readRecordedRouting(one.found);
      one.model = one.recorded.model;
      one.look = look;
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      one.model = { ...unread(one.reference), run: run.run, name: stage.name, problem: error.message };
      delete one.recorded;
    }
  }
}

const same = (a: StageReference, b: StageReference): boolean => a.key === b.key && a.root === b.root;

/** Times and sizes of the files that `readRecordedRouting` reads. */
async function looks({ root, stage, stages }: FoundModel): Promise<string> {
  const paths = stagePaths(root, stage.key);
  const evaluation = evaluationOf(stage.name, stages);
  const { record, routing, routingIndex, routingPairsIndex, routingProbe, routingProbeDetail } = paths;
  const files = [record, routing, routingIndex, routingPairsIndex, routingProbe, routingProbeDetail];
  if (evaluation) files.push(stagePaths(root, evaluation.key).record);
  const found = await Promise.all(files.map((path) => stat(path).catch(() => undefined)));
  return found.map((one) => (one ? `${one.mtimeMs} ${one.size}` : "-")).join(" ");
}

const unread = ({ root, key }: StageReference): RoutedModel => ({
  root,
  key,
  run: "",
  name: key,
  state: "waiting",
  router: "",
  k: 0,
  layers: [],
  experts: [],
  domains: [],
  every: 0,
  snapshots: 0,
  steps: 0,
  cells: [],
  evaluated: false,
  detailed: false,
});
