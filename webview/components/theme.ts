import { colorVariable } from "../../server/protocol/colors.ts";

/** Colours for canvases, which style sheets do not reach; reread whenever the page's theme changes. */

export interface Theme {
  page: string;
  ink: string;
  soft: string;
  grid: string;
  focus: string;
  selection: string;
  font: string;
  /** If set, lines are wider and nothing is faint. */
  highContrast: boolean;
}

/** A CSS variable as a colour for a canvas; resolves `light-dark()` and other variables. */
function variable(name: string, fallback: string): string {
  if (!getComputedStyle(document.body).getPropertyValue(name).trim()) return fallback;
  const probe = document.createElement("span");
  probe.style.color = `var(${name})`;
  document.body.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}

function read(): Theme {
  const style = getComputedStyle(document.body);
  const highContrast =
    /vscode-high-contrast/.test(document.body.className) ||
    matchMedia("(forced-colors: active), (prefers-contrast: more)").matches;
  const ink = variable("--vscode-editor-foreground", style.color);
  return {
    page: variable("--vscode-editor-background", style.backgroundColor),
    ink,
    soft: highContrast ? ink : variable("--vscode-descriptionForeground", ink),
    grid: variable(highContrast ? "--vscode-contrastBorder" : "--vscode-editorRuler-foreground", ink),
    focus: variable("--vscode-focusBorder", ink),
    selection: variable("--vscode-editor-selectionBackground", "rgba(128, 128, 128, 0.3)"),
    font: style.getPropertyValue("--vscode-font-family").trim() || "system-ui, sans-serif",
    highContrast,
  };
}

let current: Theme | undefined;
const colors = new Map<string, string>();
const listeners = new Set<() => void>();

export const theme = (): Theme => {
  current ??= read();
  return current;
};

/** A colour of the palette in the current theme. */
export function chartColor(name: string): string {
  let color = colors.get(name);
  if (color === undefined) {
    color = variable(colorVariable(name), theme().ink);
    colors.set(name, color);
  }
  return color;
}

/** @returns a function that unsubscribes. */
export function onThemeChange(listen: () => void): () => void {
  listeners.add(listen);
  return () => listeners.delete(listen);
}

function changed(): void {
  current = undefined;
  colors.clear();
  for (const listen of listeners) listen();
}

// The editor changes variables and classes; in a browser, media queries change.
const observer = new MutationObserver(changed);
observer.observe(document.documentElement, { attributes: true, attributeFilter: ["style", "class"] });
observer.observe(document.body, { attributes: true, attributeFilter: ["class", "data-vscode-theme-id"] });
for (const query of ["(prefers-color-scheme: dark)", "(prefers-contrast: more)", "(forced-colors: active)"])
  matchMedia(query).addEventListener("change", changed);
