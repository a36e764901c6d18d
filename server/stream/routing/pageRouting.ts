import { stat } from "node:fs/promises";
import { UserError } from "../../protocol/errors.ts";
import type { RoutedModel } from "../../protocol/routing.ts";
import { evaluationOf } from "../../protocol/stageKinds.ts";
import type { HubMessage, PageMessage, StageReference, StreamedRun } from "../../protocol/stream.ts";
import { type Recorded, readRecorded } from "../../routing/recorded.ts";
import { type FoundModel, findModel } from "../../runs/findModel.ts";
import { stagePaths } from "../../runs/layout.ts";
import { histogramFrame, layerRows, loadFrame, pairsFrame, routingFrames, saturationFrame } from "./answers.ts";

/** The other end, as far as routing is told. */
export interface Told {
  send(message: HubMessage): void;
  frame(frame: ArrayBuffer): void;
  /** Resolves when more may be sent. */
  ready(): Promise<void>;
  /** The opened runs. */
  runs(): readonly StreamedRun[];
}

interface Opened {
  reference: StageReference;
  /** Changes when the files do. */
  look: string;
  found?: FoundModel;
  recorded?: Recorded;
  model: RoutedModel;
}

type Question = Extract<
  PageMessage,
  { type: "routing" | "routingLayers" | "routingPairs" | "routingHistogram" | "routingLoad" | "routingSaturation" }
>;

/** The mixed models that a page has opened. It reads their files again when these have changed, and says what is new. */
export class PageRouting {
  readonly #told: Told;
  #opened: Opened[] = [];
  #said = "";

  constructor(told: Told) {
    this.#told = told;
  }

  async open(models: readonly StageReference[]): Promise<void> {
    const known = this.#opened;
    this.#said = "";
    this.#opened = models.map(
      (reference) =>
        known.find((one) => same(one.reference, reference)) ?? { reference, look: "", model: unread(reference) },
    );
    await this.look();
  }

  close(): void {
    this.#opened = [];
  }

  /** Reads what has changed, and tells the page. */
  async look(): Promise<void> {
    const opened = this.#opened;
    if (opened.length === 0) return;
    for (const one of opened) await this.#read(one);
    if (opened !== this.#opened) return;
    const models = opened.map(({ model }) => model);
    const said = JSON.stringify(models);
    if (said !== this.#said) this.#told.send({ type: "routingOpened", models });
    this.#said = said;
  }

  async answer(question: Question): Promise<void> {
    const opened = this.#opened.find(({ reference }) => same(reference, question.model));
    const recorded = opened?.recorded;
    if (!recorded) throw new UserError(opened?.model.problem ?? "That model is not open.");
    switch (question.type) {
      case "routing":
        // One at a time, so that what is asked next does not wait for all of them.
        for (const snapshot of question.snapshots) {
          for (const frame of await routingFrames(recorded, { ...question, snapshots: [snapshot] }))
            this.#told.frame(frame);
          await this.#told.ready();
        }
        return;
      case "routingLayers":
        return this.#told.send(await layerRows(recorded, question));
      case "routingPairs":
        return this.#told.frame(await pairsFrame(recorded, question));
      case "routingHistogram":
        return this.#told.frame(await histogramFrame(recorded, question));
      case "routingLoad":
        return this.#told.frame(await loadFrame(recorded, question));
      case "routingSaturation":
        return this.#told.frame(await saturationFrame(recorded, question));
    }
  }

  async #read(one: Opened): Promise<void> {
    const { root, key } = one.reference;
    const stageOf = (one: StreamedRun) => [...one.stages, ...one.mixes].find((each) => each.key === key);
    const run = this.#told.runs().find((each) => each.root === root && stageOf(each));
    const stage = run && stageOf(run);
    if (!run || !stage) {
      one.model = { ...one.model, problem: "its run was removed, or is not open" };
      return;
    }
    try {
      one.found ??= await findModel({ root, run: run.run, stage: stage.name });
      const look = `${stage.state} ${await looks(one.found)}`;
      if (look === one.look) return;
      one.recorded = await readRecorded(one.found);
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

/** Times and sizes of the files that `readRecorded` reads. */
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
