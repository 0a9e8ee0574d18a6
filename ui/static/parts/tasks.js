// What people call the tasks of stages, and the gallery.

export const TASK_NAMES = {
  detector: "Detector",
  liveness: "Liveness",
  embedder: "Embedder",
  pose: "Head pose",
  eyes: "Open eyes",
  gallery: "Gallery",
};
