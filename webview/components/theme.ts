import { colorVariable } from "../../server/protocol/colors.ts";

/** Colours for canvases, which have no style sheet; reread whenever the page's theme changes. */

export interface Theme {
  page: string;
  ink: string;
  soft: string;
  grid: string;
  focus: string;
  selection: string;
  font: string;
  /** Lines are wider and nothing is faint. */
  highContrast: boolean;
}

/** A variable as a canvas understands it; `light-dark()` and other variables are resolved. */
function variable(name: string, otherwise: string): string {
  if (!getComputedStyle(document.body).getPropertyValue(name).trim()) return otherwise;
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

/** A colour of the palette as the theme has it now. */
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

// The editor writes variables and classes; a browser has media queries.
const observer = new MutationObserver(changed);
observer.observe(document.documentElement, { attributes: true, attributeFilter: ["style", "class"] });
observer.observe(document.body, { attributes: true, attributeFilter: ["class", "data-vscode-theme-id"] });
for (const query of ["(prefers-color-scheme: dark)", "(prefers-contrast: more)", "(forced-colors: active)"])
  matchMedia(query).addEventListener("change", changed);
