import { closeSync, fsyncSync, openSync, rmSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { renameIntoSync, temporaryName } from "../disk/atomic.ts";
import { withDiskErrorsSync } from "../disk/errors.ts";
import { BlockDigests, tokenDigestsPath } from "./tokenDigests.ts";

/**
 * A file that is there whole or not at all: written to a temporary name beside it, synced and renamed.
 *
 * @throws UserError if the disk is full or the folder may not be written; TakenOver if another process has taken the
 * lock over.
 */
export class WholeFile {
  readonly #file: string;
  readonly #temporary: string;
  readonly #descriptor: number;
  #open = true;

  constructor(file: string) {
    this.#file = file;
    this.#temporary = temporaryName(file);
    this.#descriptor = withDiskErrorsSync(file, () => openSync(this.#temporary, "wx"));
  }

  write(bytes: Uint8Array): void {
    withDiskErrorsSync(this.#file, () => {
      for (let done = 0; done < bytes.length; ) done += writeSync(this.#descriptor, bytes, done);
    });
  }

  commit(): void {
    withDiskErrorsSync(this.#file, () => {
      fsyncSync(this.#descriptor);
      this.#close();
      renameIntoSync(this.#temporary, this.#file);
      syncFolder(dirname(this.#file));
    });
  }

  /** Drops what was written, unless it was committed. */
  discard(): void {
    if (this.#open) this.#close();
    rmSync(this.#temporary, { force: true });
  }

  #close(): void {
    this.#open = false;
    closeSync(this.#descriptor);
  }
}

export function writeWhole(file: string, content: string | Uint8Array): void {
  const whole = new WholeFile(file);
  try {
    whole.write(typeof content === "string" ? Buffer.from(content) : content);
    whole.commit();
  } finally {
    whole.discard();
  }
}

/**
 * Token ids as a file of u16 or u32, little-endian (as every processor that Node and ONNX Runtime share), and the file
 * of its digests.
 */
export class TokenWriter {
  readonly #path: string;
  readonly #file: WholeFile;
  readonly #digests = new BlockDigests();
  readonly #buffer: Uint16Array | Uint32Array;
  #filled = 0;

  constructor(file: string, dtype: "u16" | "u32") {
    this.#path = file;
    this.#file = new WholeFile(file);
    this.#buffer = dtype === "u16" ? new Uint16Array(1 << 16) : new Uint32Array(1 << 16);
  }

  write(ids: Int32Array): void {
    for (let done = 0; done < ids.length; ) {
      if (this.#filled === this.#buffer.length) this.#flush();
      const part = ids.subarray(done, done + this.#buffer.length - this.#filled);
      this.#buffer.set(part, this.#filled);
      this.#filled += part.length;
      done += part.length;
    }
  }

  commit(): void {
    this.#flush();
    this.#file.commit();
    writeWhole(tokenDigestsPath(this.#path), this.#digests.finish());
  }

  discard(): void {
    this.#file.discard();
  }

  #flush(): void {
    const { buffer, BYTES_PER_ELEMENT } = this.#buffer;
    const bytes = new Uint8Array(buffer, 0, this.#filled * BYTES_PER_ELEMENT);
    this.#file.write(bytes);
    this.#digests.update(bytes);
    this.#filled = 0;
  }
}

/** A rename is on disk once its folder is; not every file system lets a folder be synced. */
function syncFolder(folder: string): void {
  try {
    const descriptor = openSync(folder, "r");
    try {
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
  } catch {}
}
