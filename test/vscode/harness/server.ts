import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { closeSync, mkdirSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { nodeProgram, serverMain } from "./kit.ts";

/** A VS Code server for a test: a process with its own port, settings, extensions and folder for sockets. */

export interface ServerOptions {
  /** User settings, which override those below. */
  settings?: Record<string, unknown>;
  /** False: workspaces open in Restricted Mode. */
  trusted: boolean;
  /** What the extension host finds in its environment. */
  env?: Record<string, string>;
  /** A .vsix to install first. */
  vsix?: string;
}

/** Settings without prompts, blinking, updates or network access. */
const quiet = {
  "telemetry.telemetryLevel": "off",
  "update.mode": "none",
  "extensions.autoUpdate": false,
  "extensions.autoCheckUpdates": false,
  "extensions.ignoreRecommendations": true,
  "workbench.startupEditor": "none",
  "workbench.enableExperiments": false,
  "workbench.tips.enabled": false,
  "workbench.welcomePage.walkthroughs.openOnInstall": false,
  "workbench.secondarySideBar.defaultVisibility": "hidden",
  "workbench.reduceMotion": "on",
  "workbench.editor.useModal": "off",
  "chat.disableAIFeatures": true,
  "window.commandCenter": false,
  "window.autoDetectColorScheme": false,
  "window.autoDetectHighContrast": false,
  "git.enabled": false,
  "editor.cursorBlinking": "solid",
  "remote.autoForwardPorts": false,
  "http.proxySupport": "off",
};

const noGallery = '{"serviceUrl":"","itemUrl":"","resourceUrlTemplate":"","controlUrl":""}';

/** The environment without the variables of a VS Code that runs the tests. */
function cleanEnvironment(extra: Record<string, string>): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(
    ([name]) => !/^(VSCODE_|ELECTRON_|VITEST|npm_)|^(NODE_OPTIONS|NODE_ENV|PORT|PASSWORD|TEST|FORCE_COLOR)$/.test(name),
  );
  return { ...Object.fromEntries(kept), EXTENSIONS_GALLERY: noGallery, ...extra };
}

const freePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = createServer().on("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address ? address.port : 0));
    });
  });

export class VsCodeServer {
  /** Scratch folder: settings, extensions, logs, sockets. Its name marks all processes of this server. */
  readonly home: string;
  readonly authority: string;
  readonly #child: ChildProcess;
  readonly #onExit = () => this.#killAll();

  private constructor(home: string, port: number, child: ChildProcess) {
    this.home = home;
    this.authority = `127.0.0.1:${port}`;
    this.#child = child;
    process.once("exit", this.#onExit);
  }

  static async start(options: ServerOptions): Promise<VsCodeServer> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await VsCodeServer.#startOnce(options);
      } catch (error) {
        // Another process may have taken the port meanwhile.
        if (attempt === 3) throw error;
      }
    }
  }

  static async #startOnce({ settings, trusted, env, vsix }: ServerOptions): Promise<VsCodeServer> {
    const home = mkdtempSync(join(tmpdir(), "btx-vscode-"));
    const user = join(home, "user/User");
    mkdirSync(user, { recursive: true });
    mkdirSync(join(home, "extensions"));
    const trust = {
      "security.workspace.trust.enabled": !trusted,
      "security.workspace.trust.startupPrompt": "never",
      "security.workspace.trust.banner": "always",
    };
    writeFileSync(join(user, "settings.json"), JSON.stringify({ ...quiet, ...trust, ...settings }, undefined, 2));
    const environment = cleanEnvironment({ XDG_RUNTIME_DIR: home, ...env });
    const folders = [
      ...["--server-data-dir", join(home, "data"), "--user-data-dir", join(home, "user")],
      ...["--extensions-dir", join(home, "extensions"), "--accept-server-license-terms"],
    ];
    if (vsix) install(vsix, folders, environment);
    const port = await freePort();
    const log = openSync(join(home, "server.log"), "w");
    const child = spawn(
      nodeProgram,
      [
        ...[serverMain, "--host", "127.0.0.1", "--port", String(port), "--without-connection-token", ...folders],
        ...["--telemetry-level", "off", "--disable-telemetry", "--disable-experiments"],
        ...["--reconnection-grace-time", "2", ...(trusted ? ["--disable-workspace-trust"] : [])],
      ],
      { env: environment, stdio: ["ignore", log, log] },
    );
    closeSync(log);
    const server = new VsCodeServer(home, port, child);
    try {
      await server.#ready();
    } catch (error) {
      await server.stop();
      throw error;
    }
    return server;
  }

  /** The output channel "BTX Studio" of all windows: what the extension and its backend logged. */
  extensionLog(): string {
    const logs = readdirSync(this.home, { recursive: true, encoding: "utf8" });
    return logs
      .filter((path) => path.endsWith("BTX Studio.log"))
      .map((path) => `${path}\n${readFileSync(join(this.home, path), "utf8")}`)
      .join("\n");
  }

  /** The server's output. */
  log(): string {
    return readFileSync(join(this.home, "server.log"), "utf8");
  }

  async #ready(): Promise<void> {
    const end = Date.now() + 60_000;
    for (;;) {
      const answer = await fetch(`http://${this.authority}/version`).catch(() => undefined);
      if (answer?.ok) return;
      if (this.#child.exitCode !== null || Date.now() > end)
        throw new Error(`VS Code's server did not start:\n${this.log()}`);
      await setTimeout(50);
    }
  }

  /** Ids of all processes that this server or its descendants started, including detached ones. */
  processes(): number[] {
    return readdirSync("/proc")
      .filter((name) => /^\d+$/.test(name) && name !== String(process.pid))
      .filter((pid) => environmentOf(pid).includes(`XDG_RUNTIME_DIR=${this.home}\0`))
      .map(Number);
  }

  /** Ids of its processes whose command line contains `text`. */
  processesOf(text: string): number[] {
    return this.processes().filter((pid) => read(`/proc/${pid}/cmdline`).replaceAll("\0", " ").includes(text));
  }

  /** Ends all its processes and removes its files. */
  async stop(): Promise<void> {
    if (this.#child.exitCode === null) this.#child.kill("SIGTERM");
    for (let wait = 0; wait < 20 && this.processes().length > 0; wait++) await setTimeout(100);
    for (let wait = 0; wait < 20 && this.#killAll() > 0; wait++) await setTimeout(50);
    process.off("exit", this.#onExit);
    rmSync(this.home, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  }

  #killAll(): number {
    const left = this.processes();
    for (const pid of left) {
      try {
        process.kill(pid, "SIGKILL");
      } catch {
        // The process ended by itself.
      }
    }
    return left.length;
  }
}

const read = (path: string): string => {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
};
const environmentOf = (pid: string): string => `\0${read(`/proc/${pid}/environ`)}\0`;

function install(vsix: string, folders: string[], env: NodeJS.ProcessEnv): void {
  const { status, stdout, stderr } = spawnSync(
    nodeProgram,
    [serverMain, ...folders, "--install-extension", vsix, "--force"],
    { env, encoding: "utf8" },
  );
  if (status !== 0) throw new Error(`${vsix} could not be installed:\n${stdout}\n${stderr}`);
}
