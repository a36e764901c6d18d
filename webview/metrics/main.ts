import "../jitless.ts";
import { BrowserHost } from "../browserHost.ts";
import { vsCodeHost } from "../vscodeHost.ts";
import { MetricsPage } from "./metrics-page.ts";

const page = document.querySelector("metrics-page");
if (page instanceof MetricsPage) page.host = vsCodeHost() ?? new BrowserHost();
