export interface PlayTarget {
  /** Shows the next snapshot if it is loaded. @returns `end` after the last one. */
  advance(): "shown" | "waiting" | "end";
  ended(): void;
}

/** Target duration of a full playback, seconds; the rate is limited to `slowest` and `fastest`. */
const length = 8;
const fastest = 60;
const slowest = 3;
/** Snapshots per second with reduced motion. */
const still = 1;

/** Snapshots per second. */
export const rate = (snapshots: number, reducedMotion: boolean): number =>
  reducedMotion ? still : Math.min(fastest, Math.max(slowest, snapshots / length));

const reducedMotion = (): boolean =>
  document.body.classList.contains("vscode-reduce-motion") || matchMedia("(prefers-reduced-motion: reduce)").matches;

/** Plays snapshots one after the other. */
export class Player {
  readonly #target: PlayTarget;
  #frame = 0;
  #last = 0;

  constructor(target: PlayTarget) {
    this.#target = target;
  }

  get plays(): boolean {
    return this.#frame !== 0;
  }

  /** @param snapshots how many there are. */
  start(snapshots: number): void {
    this.stop();
    // An animation frame may come slightly early.
    const gap = 1000 / rate(snapshots, reducedMotion()) - 4;
    this.#last = performance.now() - gap;
    const next = (time: number) => {
      this.#frame = requestAnimationFrame(next);
      if (time - this.#last < gap) return;
      const did = this.#target.advance();
      if (did === "shown") this.#last = time;
      else if (did === "end") {
        this.stop();
        this.#target.ended();
      }
    };
    this.#frame = requestAnimationFrame(next);
  }

  stop(): void {
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
  }
}
