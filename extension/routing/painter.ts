import {
  DecorationRangeBehavior,
  type Disposable,
  Range,
  type TextEditor,
  type TextEditorDecorationType,
  ThemeColor,
  window,
} from "vscode";
import { colorId } from "../../server/protocol/colors.ts";
import { type ExpertLook, expertLooks } from "../../server/protocol/expertLooks.ts";
import type { Routed, Shown } from "../../server/protocol/routed.ts";
import { backgroundId } from "./looks.ts";
import { placesByExpert } from "./places.ts";

/** Colours tokens in editors, with one decoration type for each look of an expert, created on first use. */
export class Painter implements Disposable {
  readonly #types = new Map<string, TextEditorDecorationType>();

  /** Colours an editor's tokens, replacing earlier colours. */
  paint(editor: TextEditor, text: string, routed: Routed, shown: Shown): void {
    const places = placesByExpert(text, routed, shown);
    const ranges = new Map<TextEditorDecorationType, Range[]>();
    for (const [expert, look] of expertLooks(routed.experts).entries()) {
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

  #typeOf({ color, line }: ExpertLook): TextEditorDecorationType {
    const name = `${color} ${line}`;
    const known = this.#types.get(name);
    if (known) return known;
    const type = window.createTextEditorDecorationType({
      // High-contrast themes have no background colours; the line alone identifies the expert.
      backgroundColor: new ThemeColor(backgroundId(color)),
      borderStyle: `none none ${line} none`,
      // A double line needs at least three pixels.
      borderWidth: `0 0 ${line === "double" ? 3 : 2}px 0`,
      borderColor: new ThemeColor(colorId(color)),
      rangeBehavior: DecorationRangeBehavior.ClosedClosed,
    });
    this.#types.set(name, type);
    return type;
  }
}
