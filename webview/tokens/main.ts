import "../jitless.ts";
import { BrowserHost } from "../browserHost.ts";
import { vsCodeHost } from "../vscodeHost.ts";
import { TokensPage } from "./tokens-page.ts";

const page = document.querySelector("tokens-page");
if (page instanceof TokensPage) page.host = vsCodeHost() ?? new BrowserHost();
