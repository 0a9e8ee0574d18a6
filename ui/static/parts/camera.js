// A dialog that takes a photo with the camera.

import { element } from "./elements.js";
import { openDialog } from "./dialogs.js";

const REASONS = {
  NotAllowedError: "Camera access is blocked. Allow it in the browser's address bar, then try again.",
  NotFoundError: "This device has no camera. Choose a file or paste a photo instead.",
  NotReadableError: "Another program is using the camera. Close that program, then try again.",
};
const INSECURE =
  "Browsers allow camera access only over HTTPS and on localhost. " +
  "Open this page that way, or choose a file or paste a photo instead.";

/** Resolves to the photo, a File, or to null if none was taken. */
export function takePhoto() {
  return new Promise((resolve) => {
    const video = element("video", { playsinline: true, muted: true, "aria-label": "Camera preview" });
    const problem = element("p", { role: "alert" });
    const shutter = element("button.primary", { disabled: true }, "Take the photo");
    const cancel = element("button", "Close");
    let stream = null,
      taken = null,
      open = true;
    const stop = () => stream?.getTracks().forEach((track) => track.stop());
    const close = openDialog("Camera", [video, problem, element("div.actions", shutter, cancel)], () => {
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
