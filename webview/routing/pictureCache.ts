import type { RoutedModel } from "../../server/protocol/routing.ts";
import { expertFill } from "../components/experts.ts";
import { type Flow, flowOf } from "../components/flow.ts";
import { modelId } from "../components/modelChoice.ts";
import { type FrameStore, mapOf, type RoutingFrame } from "./frameStore.ts";
import { domainOf } from "./layerSections.ts";
import { frameName, orderOf, type Picture, pictureOf, type Sides } from "./picture.ts";
import type { Pairs } from "./routingData.ts";
import type { PageState } from "./state.ts";

/** Flows with more expert pairs than this are not recomputed during playback. */
const quickPairs = 40_000;

/** The current picture. It is rebuilt only if its content changes and stays until new frames arrive. */
export class PictureCache {
  picture: Picture | undefined;
  order: readonly number[] = [];
  /** Colours of experts; a new function when they change. */
  colors: (expert: number) => string = () => "";
  /** What `picture` is made of. */
  #of: unknown[] = [];
  #orderOf = "";
  #colorsOf: readonly unknown[] | undefined;
  #flow: Flow | undefined;
  #flowOf: unknown[] = [];

  /** Rebuilds everything on the next update, for example with new colours. */
  clear(): void {
    this.#of = [];
    this.#colorsOf = undefined;
  }

  update(sides: Sides, state: PageState, frames: FrameStore): this {
    const { main, other } = sides;
    const [a, b] = [main, other].map((side) => side && frames.get(frameName(side, state.measure)));
    if (this.#colorsOf !== main.model.experts) {
      this.#colorsOf = main.model.experts;
      const { experts } = main.model;
      this.colors = (expert) => expertFill(experts, expert);
    }
    this.#reorder(sides, state, a);
    const of = [a, b, this.order, sides.difference, state.measure];
    const same = of.every((one, index) => one === this.#of[index]);
    if (!a || (other && !b)) {
      // The old picture may have another shape.
      if (
        this.#of.at(-1) !== state.measure ||
        this.picture?.maps[0]?.cells.columns.length !== main.model.experts.length
      )
        this.picture = undefined;
    } else if (!same || this.#of.length === 0) {
      this.#of = of;
      this.picture = pictureOf(sides, a, b, state.measure, this.order);
    }
    return this;
  }

  /**
   * Experts are clustered by the frame that is shown when the user chooses clustering, and keep their places while the
   * user steps through snapshots.
   */
  #reorder({ main }: Sides, state: PageState, reference: RoutingFrame | undefined): void {
    const ready = state.order === "mixed" || reference !== undefined;
    const of = JSON.stringify([state.order, modelId(main.model), state.measure, main.model.experts.length, ready]);
    if (of === this.#orderOf) return;
    this.#orderOf = of;
    this.order = orderOf(state, main.model.experts.length, reference);
  }

  /** @param playing flows of many pairs are not recomputed during playback. */
  flow(
    pairs: Pairs | undefined,
    shares: RoutingFrame | undefined,
    state: PageState,
    model: RoutedModel,
    playing: boolean,
  ): Flow | undefined {
    if (!pairs) {
      this.#flow = undefined;
      return undefined;
    }
    const domain = domainOf(state, model);
    const of = [pairs, shares, this.order, domain];
    const same = of.every((one, index) => one === this.#flowOf[index]);
    if (!shares || same || (this.#flow && playing && pairs.values.length > quickPairs)) return this.#flow;
    this.#flowOf = of;
    const load = mapOf(shares, domain < 0 ? shares.shape[0] - 1 : domain);
    this.#flow = flowOf(pairs.values, load, model.experts.length, this.order);
    return this.#flow;
  }
}
