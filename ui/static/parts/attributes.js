// Attributes of a face in words: where it looks, and whether its eyes are open.

import { element } from "./elements.js";

const OPEN = 0.5;

const turned = (degrees, above, below) => {
  const whole = Math.round(degrees);
  return whole ? `${Math.abs(whole)}° ${whole > 0 ? above : below}` : "";
};

function poseWords({ yaw, pitch, roll }) {
  const looks = [turned(yaw, "to the left", "to the right"), turned(pitch, "up", "down")].filter(Boolean);
  const leans = turned(roll, "to the right", "to the left");
  return `Looks ${looks.join(", ") || "straight at the camera"}${leans && `; head leans ${leans}`}`;
}

function eyesWords({ left_open: left, right_open: right }) {
  if (Math.min(left, right) >= OPEN) return "Eyes open";
  if (Math.max(left, right) < OPEN) return "Eyes closed";
  return `The eye on the ${left < OPEN ? "left" : "right"} is closed`;
}

const WORDS = { pose: poseWords, eyes: eyesWords };

/** The attributes to request, as `attributes=` takes them: those of GET /v1/models that this page can show. */
export const attributesIn = (models) =>
  Object.keys(WORDS)
    .filter((name) => name in models.attributes)
    .join(",");

/** One line for each attribute that the API returned for `face`. Left and right are as seen in the photo. */
export const attributeLines = (face) =>
  Object.entries(WORDS)
    .filter(([name]) => face[name])
    .map(([name, words]) => element("p", words(face[name])));
