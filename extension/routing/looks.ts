import { colorId } from "../../server/protocol/colors.ts";

/** Id of a translucent background colour in the manifest and in themes, such as "btx.routedSeed". */
export const backgroundId = (color: string): string => colorId(color).replace("chart", "routed");
