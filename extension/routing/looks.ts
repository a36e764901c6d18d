import { colorId } from "../../server/protocol/colors.ts";

/** The id of a colour behind text, in the manifest and in themes: "btx.routedSeed". It lets the text's own background through. */
export const backgroundId = (color: string): string => colorId(color).replace("chart", "routed");
