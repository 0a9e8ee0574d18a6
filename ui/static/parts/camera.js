// Taking a photo with the camera, in a dialog.

import { element } from "./elements.js";
import { openDialog } from "./dialogs.js";

const REASONS = {
  NotAllowedError: "The browser may not use the camera. Allow it beside the page's address, then try again.",
  NotFoundError: "There is no camera on this device. Choose a file instead, or paste a photo.",
  NotReadableError: "Another program is using the camera. Close it there, then try again.",
};
const INSECURE =
  "Browsers lend the camera only to pages from https addresses or from localhost. " +
  "Open this page in one of these ways, choose a file instead, or paste a photo.";

/** Resolves to a photo, a File, or to null where none was taken. */
export function takePhoto() {
  return new Promise((resolve) => {
    const video = element("video", { playsinline: true, muted: true, "aria-label": "What the camera sees" });
    const problem = element("p", { role: "alert" });
    const shutter = element("button.primary", { type: "button", disabled: true }, "Take the photo");
    const cancel = element("button", { type: "button" }, "Close");
    let stream = null,
      taken = null,
      open = true;
    const stop = () => stream?.getTracks().forEach((track) => track.stop());
    const close = openDialog("Camera", [video, problem, element("div.actions", {}, shutter, cancel)], () => {
      open = false;
      stop();
      resolve(taken);
    });
    cancel.addEventListener("click", close);
    shutter.addEventListener("click", async () => {
      taken = await frameOf(video);
      close();
    });
    start(video)
      .then((started) => {
        stream = started;
        if (!open) return stop();
        shutter.disabled = false;
        shutter.focus();
      })
      .catch((error) => {
        video.hidden = shutter.hidden = true;
        problem.textContent = REASONS[error.name] ?? `The camera cannot be used: ${error.message}`;
      });
  });
}

async function start(video) {
  if (!navigator.mediaDevices?.getUserMedia) throw new Error(INSECURE);
  const stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "user", width: { ideal: 1280 } } });
  video.srcObject = stream;
  await video.play();
  return stream;
}

async function frameOf(video) {
  const canvas = element("canvas", { width: video.videoWidth, height: video.videoHeight });
  canvas.getContext("2d").drawImage(video, 0, 0);
  const blob = await new Promise((done) => canvas.toBlob(done, "image/jpeg", 0.95));
  return new File([blob], "camera.jpg", { type: "image/jpeg" });
}
