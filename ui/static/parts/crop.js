// The crop of a face that was given to the embedder.

import { element } from "./elements.js";

/** A figure with a `crop` from the API; null without one. */
export const cropFigure = (crop, caption) =>
  crop &&
  element(
    "figure.crop",
    element("img", {
      src: `data:image/png;base64,${crop.png}`,
      alt: `${caption}, as the embedder sees it`,
      width: crop.side,
      height: crop.side,
    }),
    element("figcaption.hint", `Input of the embedder, ${crop.side}×${crop.side}`),
  );
