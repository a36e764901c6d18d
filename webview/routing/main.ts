import "../jitless.ts";
import { BrowserHost } from "../browserHost.ts";
import { vsCodeHost } from "../vscodeHost.ts";
import { type ChosenExpert, RoutingPage } from "./routing-page.ts";

const page = document.querySelector("routing-page");
if (page instanceof RoutingPage) {
  const host = vsCodeHost() ?? new BrowserHost();
  page.addEventListener("expert-chosen", (event) => {
    const { model, name, layer } = (event as CustomEvent<ChosenExpert>).detail;
    const { root, run, key } = model;
    host.open("expert", { runs: [{ root, run }], model: { root, key }, expert: name, layer });
  });
  page.host = host;
}
