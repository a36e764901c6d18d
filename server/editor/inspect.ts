import type { Inspector } from "../inspect/client.ts";
import type { Answers } from "./answers.ts";

/** Answers what is asked of models in the text itself: where a text goes, and how it continues. */
export function serveInspection(answers: Answers, inspector: Inspector): void {
  answers.toTrusted("btx/route", "Texts are routed", (asked, signal) => inspector.ask("route", asked, { signal }));
  answers.toTrusted("btx/sampleTokens", "Models are sampled", ({ id, ...asked }, signal) =>
    inspector.ask("sample", asked, {
      signal,
      onNews: (news) => answers.tell("btx/sampledToken", "layers" in news ? { id, axes: news } : { id, token: news }),
    }),
  );
  answers.onEnd(() => inspector.close());
}
