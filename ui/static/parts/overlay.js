// Boxes and landmarks drawn over a photo, in its pixel coordinates.

const SVG = "http://www.w3.org/2000/svg";

function shape(name, attributes, text = "") {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.textContent = text;
  return made;
}

/** An SVG of `faces` from the API for a photo of this size. Several faces are numbered. */
export function overlay(faces, width, height) {
  const drawn = shape("svg", { viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" });
  const unit = Math.max(width, height);
  faces.forEach(({ box, landmarks }, index) => {
    drawn.append(
      shape("rect", { class: "box", x: box.left, y: box.top, width: box.width, height: box.height, rx: unit / 200 }),
    );
    for (const [x, y] of Object.values(landmarks)) {
      drawn.append(shape("circle", { class: "landmark", cx: x, cy: y, r: Math.max(unit / 160, box.width / 45) }));
    }
    if (faces.length > 1) {
      const size = unit / 18;
      drawn.append(
        shape(
          "text",
          { class: "number", x: box.left, y: Math.max(box.top - size / 4, size), "font-size": size },
          index + 1,
        ),
      );
    }
  });
  return drawn;
}
