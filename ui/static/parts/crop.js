// A crop as an embedder saw it.

import { element } from "./elements.js";

/** The picture of `crop`, as the API answers it; null without one. */
export const cropFigure = (crop, caption) =>
  crop &&
  element(
    "figure.crop",
    {},
    element("img", {
      src: `data:image/png;base64,${crop.png}`,
      alt: `${caption}, as the embedder saw it`,
      width: crop.side,
      height: crop.side,
    }),
    element("figcaption.hint", {}, `What the embedder saw, ${crop.side}×${crop.side}`),
  );
