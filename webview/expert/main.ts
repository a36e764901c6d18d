import "../jitless.ts";
import { BrowserHost } from "../browserHost.ts";
import { vsCodeHost } from "../vscodeHost.ts";
import { ExpertPage } from "./expert-page.ts";

const page = document.querySelector("expert-page");
if (page instanceof ExpertPage) page.host = vsCodeHost() ?? new BrowserHost();
