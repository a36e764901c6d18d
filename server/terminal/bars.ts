import { duration, loss, percentDone, rate } from "../protocol/format.ts";
import { clean, cutMiddle, padEnd, padStart, type Styles, width } from "./ansi.ts";

/** What is known of a stage at work. */
export interface StageProgress {
  stage: string;
  /** Absent until the stage's first step. */
  step?: number;
  steps?: number;
  /** What is being done, where there are no training steps. */
  label?: string;
  loss?: number;
  tokensPerSecond?: number;
  secondsLeft?: number;
}

/** Share of the work done, 0..1. */
export function shareDone({ step = 0, steps = 0 }: StageProgress): number {
  return steps > 0 ? Math.min(1, Math.max(0, step / steps)) : 0;
}

/** Loss, tokens/s and time left, the dearest first, each at a fixed width so that lines under one another align. */
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
 * One line for a stage at work, at most `columns` wide: name, bar, percent, loss, tokens/s, time left. Where it is
 * narrow the bar shrinks, then time left, tokens/s, the bar and the loss go, in this order; then the name is cut.
 */
export function barLine(progress: StageProgress, nameWidth: number, columns: number, style: Styles): string {
  const done = shareDone(progress);
  const share = padStart(percentDone(done), 5);
  const name = padEnd(cutMiddle(clean(progress.stage), nameWidth), nameWidth);
  // A stage that has not begun to step leaves the same room, so that bars under one another are of one length.
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

/** One plain line for a stage at work, for logs: "expert:code: 30 %, loss 3.123, 3.4k tokens/s, 1m 05s left". */
export function plainLine(progress: StageProgress): string {
  const parts = [percentDone(shareDone(progress)), ...figures(progress).map((part) => part.trim().replace(/ +/g, " "))];
  return `${clean(progress.stage)}: ${parts.join(", ")}`;
}
