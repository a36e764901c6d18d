import {
  ColorThemeKind,
  DecorationRangeBehavior,
  type Disposable,
  Range,
  type TextEditor,
  type TextEditorDecorationType,
  ThemeColor,
  window,
} from "vscode";
import { colorId } from "../../server/protocol/colors.ts";
import type { Routed, Shown } from "../../server/protocol/routed.ts";
import { backgroundId, type Look, looks } from "./looks.ts";
import { placesByExpert } from "./places.ts";

/** Colours tokens in editors: one decoration type a look of experts, made when it is first used. */
export class Painter implements Disposable {
  readonly #types = new Map<string, TextEditorDecorationType>();

  /** Colours the tokens of an editor's text, in place of what was coloured. */
  paint(editor: TextEditor, text: string, routed: Routed, shown: Shown): void {
    const { kind } = window.activeColorTheme;
    const highContrast = kind === ColorThemeKind.HighContrast || kind === ColorThemeKind.HighContrastLight;
    const places = placesByExpert(text, routed, shown);
    const ranges = new Map<TextEditorDecorationType, Range[]>();
    for (const [expert, look] of looks(routed.experts, highContrast).entries()) {
      const type = this.#typeOf(look);
      const same = ranges.get(type) ?? [];
      for (const place of places[expert]!) same.push(new Range(...place));
      ranges.set(type, same);
    }
    for (const type of this.#types.values()) editor.setDecorations(type, ranges.get(type) ?? []);
  }

  /** Removes all colours from all editors. */
  dispose(): void {
    for (const type of this.#types.values()) type.dispose();
    this.#types.clear();
  }

  #typeOf({ color, frame }: Look): TextEditorDecorationType {
    const name = `${color} ${frame}`;
    const known = this.#types.get(name);
    if (known) return known;
    const type = window.createTextEditorDecorationType({
      backgroundColor: new ThemeColor(backgroundId(color)),
      // A double line needs three pixels to be one.
      ...(frame === "none"
        ? {}
        : {
            borderStyle: frame,
            borderWidth: frame === "double" ? "3px" : "1px",
            borderColor: new ThemeColor(colorId(color)),
          }),
      rangeBehavior: DecorationRangeBehavior.ClosedClosed,
    });
    this.#types.set(name, type);
    return type;
  }
}
