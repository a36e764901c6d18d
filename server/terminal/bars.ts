import { duration, loss, percentDone, rate } from "../protocol/format.ts";
import { clean, cutMiddle, padEnd, padStart, type Styles, width } from "./ansi.ts";

/** Progress of a running stage. */
export interface StageProgress {
  stage: string;
  /** Absent until the stage's first step. */
  step?: number;
  steps?: number;
  /** The current activity, if there are no training steps. */
  label?: string;
  loss?: number;
  tokensPerSecond?: number;
  secondsLeft?: number;
}

/** Completed share of the work, 0..1. */
export function shareDone({ step = 0, steps = 0 }: StageProgress): number {
  return steps > 0 ? Math.min(1, Math.max(0, step / steps)) : 0;
}

/** Loss, tokens/s and time left, the most important first, each padded to a fixed width so that lines align. */
function figures(progress: StageProgress): string[] {
  if (progress.step === undefined) return [];
  if (progress.label !== undefined) return [clean(progress.label)];
  return [
    `loss ${padStart(loss(progress.loss ?? Number.NaN), 6)}`,
    padStart(rate(progress.tokensPerSecond ?? Number.NaN), 15),
    padStart(`${duration(progress.secondsLeft ?? Number.NaN)} left`, 12),
  ];
}

const WIDEST_BAR = 30;
const NARROWEST_BAR = 8;

/**
 * One line for a running stage, at most `columns` wide: name, bar, percent, loss, tokens/s, time left. If space is
 * short, the bar shrinks, then time left, tokens/s, the bar and the loss are left out, in this order, and at last the
 * name is cut.
 */
export function barLine(progress: StageProgress, nameWidth: number, columns: number, style: Styles): string {
  const done = shareDone(progress);
  const share = padStart(percentDone(done), 5);
  const name = padEnd(cutMiddle(clean(progress.stage), nameWidth), nameWidth);
  // Reserve the same space before a stage's first step, so that all bars have the same length.
  const parts = figures({ step: 0, ...progress }).map((part) =>
    progress.step === undefined ? " ".repeat(width(part)) : part,
  );
  const fixed = () => width([name, share, ...parts].join("  "));
  while (parts.length > 1 && fixed() + 2 + NARROWEST_BAR > columns) parts.pop();
  const room = Math.min(WIDEST_BAR, columns - fixed() - 2);
  if (room >= NARROWEST_BAR) {
    const full = Math.round(done * room);
    const bar = style.cyan("━".repeat(full)) + style.dim("┄".repeat(room - full));
    return [name, bar, share, ...parts].join("  ").trimEnd();
  }
  while (parts.length > 0 && fixed() > columns) parts.pop();
  if (fixed() <= columns) return [name, share, ...parts].join("  ").trimEnd();
  const left = columns - width(share) - 1;
  return left > 0 ? `${cutMiddle(clean(progress.stage), left)} ${share}` : cutMiddle(share.trim(), columns);
}

/** One plain line for a running stage, for logs: "expert:code: 30 %, loss 3.123, 3.4k tokens/s, 1m 05s left". */
export function plainLine(progress: StageProgress): string {
  const parts = [percentDone(shareDone(progress)), ...figures(progress).map((part) => part.trim().replace(/ +/g, " "))];
  return `${clean(progress.stage)}: ${parts.join(", ")}`;
}
