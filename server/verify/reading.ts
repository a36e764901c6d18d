/** What checks are given to count what they read. */
export interface Reading {
  /** Counts bytes that were read. @throws the reason if the work is to end. */
  read(bytes: number): void;
  /** Counts a file that was read whole and is as it was written. */
  passed(): void;
  /** Notes what could not be checked, and why, in a sentence. */
  unchecked(sentence: string): void;
}

/** A check of a file, or of a part of it. @throws DamagedError, or UserError for errors of the disk. */
export type Check = (reading: Reading) => Promise<void>;
