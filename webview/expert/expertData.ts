import type { ExpertFacts, Without } from "../../server/protocol/inspect.ts";
import type { ExpertOrigin } from "../../server/protocol/pageInspections.ts";
import type { RoutedModel } from "../../server/protocol/routing.ts";
import { inspectedModel, type Questions } from "../questions.ts";
import { type Together, togetherOf } from "./coActivationAndWeights.ts";
import { type Use, useOf } from "./domainUse.ts";
import { Piece } from "./piece.ts";

/** Points of the curves of use. */
const columns = 200;
/** Layers whose curves are averaged at most, evenly spaced: each is a question a domain. */
const mostLayers = 8;

/** An expert of a model, in one layer or in all. */
export interface About {
  model: RoutedModel;
  name: string;
  /** Its place among the experts. */
  expert: number;
  /** A number of a layer in the model. */
  layer: number | undefined;
}

/** What is known of an expert, each piece asked for once. */
export class Answers {
  readonly #questions: Questions;
  readonly origin: Piece<ExpertOrigin>;
  readonly facts: Piece<ExpertFacts>;
  readonly use: Piece<Use>;
  readonly together: Piece<Together>;
  readonly without: Piece<Without>;
  readonly withoutLayers: Piece<Without[]>;

  constructor(questions: Questions, redraw: () => void) {
    this.#questions = questions;
    this.origin = new Piece(redraw);
    this.facts = new Piece(redraw);
    this.use = new Piece(redraw);
    this.together = new Piece(redraw);
    this.without = new Piece(redraw);
    this.withoutLayers = new Piece(redraw);
  }

  /** Asks for what is shown without being asked for. */
  want(about: About): void {
    const { model, name, expert, layer } = about;
    const questions = this.#questions;
    const key = keyOf(about);
    this.origin.ask(JSON.stringify([model.root, model.key, name]), () => ({ answer: questions.origin(model, name) }));
    this.facts.ask(key, (progress) => questions.inspect("expert", paramsOf(about), progress));
    const places = placesOf(about);
    if (model.snapshots > 0)
      this.use.ask(`${key} ${model.snapshots}`, () => ({
        answer: Promise.all(
          model.domains.map((_, domain) =>
            Promise.all(spaced(places).map((place) => questions.load(model, place, domain, columns))),
          ),
        ).then((loads) => useOf(loads, expert, model.experts.length)),
      }));
    if (model.k > 1 && (model.detailed || model.pairsEvery !== undefined))
      this.together.ask(key, () => ({
        answer: Promise.all([questions.together(model), questions.chosen(model)]).then(([together, chosen]) =>
          togetherOf(model, together.values, chosen.values, expert, places),
        ),
      }));
    // What was measured of another expert or layer is not this one's.
    if (this.#measured !== `${key} ${layer}`) {
      this.#measured = `${key} ${layer}`;
      this.without.forget();
      this.withoutLayers.forget();
    }
  }
  #measured = "";

  measure(about: About): void {
    this.without.ask(keyOf(about), (progress) => this.#questions.inspect("without", paramsOf(about), progress));
  }

  measureLayers({ model, name }: About): void {
    const { layers } = model;
    this.withoutLayers.ask(`${model.root} ${model.key} ${name}`, (progress) => {
      let cancel = () => {};
      let cancelled = false;
      const each = async () => {
        const found: Without[] = [];
        for (const layer of layers) {
          if (cancelled) throw new Error("cancelled");
          const done = found.length;
          const question = this.#questions.inspect(
            "without",
            { model: inspectedModel(model), expert: name, layer },
            (news) => progress({ done: done + (news.total > 0 ? news.done / news.total : 0), total: layers.length }),
          );
          cancel = question.cancel;
          found.push(await question.answer);
        }
        return found;
      };
      return {
        answer: each(),
        cancel: () => {
          cancelled = true;
          cancel();
        },
      };
    });
  }

  /** There is a new connection: what was asked for and did not come is asked for again. */
  again(): void {
    for (const piece of [this.origin, this.facts, this.use, this.together] as Piece<unknown>[])
      if (piece.value === undefined) piece.forget();
  }
}

const keyOf = ({ model, name, layer }: About): string => JSON.stringify([model.root, model.key, name, layer]);

const paramsOf = ({ model, name, layer }: About) => ({
  model: inspectedModel(model),
  expert: name,
  ...(layer === undefined ? {} : { layer }),
});

/** Places of the layers that count. */
const placesOf = ({ model: { layers }, layer }: About): number[] =>
  layer === undefined ? [...layers.keys()] : [layers.indexOf(layer)];

const spaced = (places: readonly number[]): number[] =>
  places.length <= mostLayers
    ? [...places]
    : Array.from({ length: mostLayers }, (_, at) => places[Math.round((at * (places.length - 1)) / (mostLayers - 1))]!);
