import { createHash, randomBytes, timingSafeEqual } from "node:crypto";

/** An unused ticket expires after so long, ms. */
const lifetime = 60_000;
/** Most unused tickets at once; the oldest are dropped. */
const most = 256;

interface Entry {
  digest: Buffer;
  origin: string;
  until: number;
}

const digestOf = (text: string): Buffer => createHash("sha256").update(text).digest();

/** Tokens that each let one page connect once. Only their digests are kept. */
export class Tickets {
  #entries: Entry[] = [];

  /** A new token, valid for one connection from this origin. */
  issue(origin: string, now = performance.now()): string {
    const token = randomBytes(32).toString("base64url");
    this.#entries = this.#entries.filter(({ until }) => until > now).slice(1 - most);
    this.#entries.push({ digest: digestOf(token), origin, until: now + lifetime });
    return token;
  }

  /** Consumes a token. False if it is unknown, used, expired, or was issued for another origin. */
  use(token: string, origin: string, now = performance.now()): boolean {
    const digest = digestOf(token);
    const at = this.#entries.findIndex((entry) => timingSafeEqual(entry.digest, digest));
    if (at < 0) return false;
    const [entry] = this.#entries.splice(at, 1);
    return entry!.until > now && entry!.origin.toLowerCase() === origin.toLowerCase();
  }
}
