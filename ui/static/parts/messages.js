// What each error code means and what to do about it. For other codes, the service's message is shown.

const AGAIN = "Try again in a moment; your photos are still here.";
const OTHER_PHOTO = "Choose another photo.";

/** code: [what happened, what to do] */
export const MESSAGES = {
  // Codes of the page.
  NETWORK: ["The service could not be reached.", "Check that it is running and that you are online, then try again."],
  INVALID_COLLECTION_NAME: [
    "This is not a valid name for a collection.",
    "Use 1 to 64 ASCII letters, digits, dots, dashes or underscores, and begin with a letter or digit.",
  ],
  // Codes of the service.
  INVALID_REQUEST: [
    "The service did not understand this request.",
    "Check the options; the message below names the invalid one.",
  ],
  UNAUTHENTICATED: [
    "A valid API key is required.",
    "Enter a key that has not expired.",
  ],
  FORBIDDEN: ["Your API key does not allow this.", "Use a key with the scope or collection named below."],
  NOT_FOUND: ["The service has no such route.", "The page and the service may have different versions: reload the page."],
  METHOD_NOT_ALLOWED: ["The service does not support this request.", "The page and the service may have different versions: reload the page."],
  COLLECTION_NOT_FOUND: ["This collection no longer exists.", "Choose another one or create it again."],
  SUBJECT_NOT_FOUND: ["This subject no longer exists.", "Someone may have deleted it: reload the list."],
  FACE_NOT_FOUND: ["This face no longer exists.", "Someone may have deleted it: open the subject again."],
  COLLECTION_EXISTS: ["A collection with this name already exists.", "Choose another name."],
  SUBJECT_EXISTS: ["A subject with this name already exists.", "Merge the two subjects, or choose another name."],
  COLLECTION_NOT_EMPTY: ["The collection is not empty.", "Confirm that its faces may be deleted too."],
  EMBEDDING_CONTRACT_MISMATCH: [
    "The collection was created with a different model.",
    "Enrol its subjects again in a new collection: embeddings of different models cannot be compared.",
  ],
  IDEMPOTENCY_KEY_REUSED: ["This idempotency key was already used for another request.", "Send the request with a new key."],
  REQUEST_TIMEOUT: ["The upload took too long.", "Check your connection and try again."],
  BODY_TOO_LARGE: ["The photos are too large in total.", "Send smaller photos or fewer at once."],
  INVALID_IMAGE: [
    "This file cannot be read as a photo.",
    "Choose a JPEG, PNG, WEBP, BMP, HEIC or AVIF file that other programs can open.",
  ],
  IMAGE_TOO_LARGE: [
    "The photo is too large.",
    "Make it smaller: the default limits are 10 MiB and 50 million pixels.",
  ],
  IMAGE_TOO_COMPLEX: ["The photo's file structure is too complex.", "Save it as a plain JPEG."],
  NO_FACE_DETECTED: ["No face was found.", "Choose a photo in which the face is upright, well lit and not too small."],
  MULTIPLE_FACES_DETECTED: [
    "The photo shows several faces.",
    "Use the most prominent one, or choose a photo of one person.",
  ],
  INVALID_SUBJECT: ["This is not a valid subject name.", "Use 1 to 512 characters, not only spaces."],
  INVALID_METADATA: ["This is not valid metadata.", "Enter a JSON object of at most 4,096 bytes and 5 levels."],
  INVALID_EMBEDDING: ["The embedding is not valid for this collection.", "Embed the photo again."],
  UNKNOWN_DETECTOR: ["The service has no such detector.", "Choose another detector."],
  UNKNOWN_EMBEDDER: ["The service has no such embedder.", "Choose another embedder."],
  UNKNOWN_LIVENESS: ["The service has no such liveness model.", "Choose another one, or turn liveness off."],
  UNKNOWN_ATTRIBUTE: ["This service does not provide this attribute.", "Reload the page and try again."],
  FACE_TOO_SMALL: ["The face is too small.", "Use a photo in which the face is larger."],
  FACE_CUT_OFF: ["The face is cut off at the edge.", "Use a photo that shows the whole face."],
  FACE_TOO_DARK: ["The face is too dark.", "Use a photo with more light on the face."],
  FACE_TOO_BRIGHT: ["The face is too bright.", "Use a photo with less light on the face."],
  FACE_LOW_CONTRAST: ["The face has too little contrast.", "Use a clearer photo."],
  FACE_BLURRED: ["The face is blurred.", "Use a sharper photo."],
  FACE_TURNED: ["The face is turned away.", "Use a photo taken from the front."],
  DUPLICATE_FACE: ["The face resembles another subject.", "Check whether this person is already enrolled under another id."],
  EYES_CLOSED: ["The eyes are closed.", "Use a photo with open eyes."],
  NOT_LIVE: ["The face looks like a spoof, such as a print, a screen or a mask.", "Photograph the person, not a picture of them."],
  RATE_LIMITED: ["You sent too many requests.", AGAIN],
  INTERNAL_ERROR: [
    "The service failed unexpectedly.",
    "Try again. If the error persists, report the request ID to the operator.",
  ],
  COLLECTION_UNREADABLE: [
    "The files of this collection are damaged or missing.",
    "Choose another collection, and inform the operator of the service.",
  ],
  STORAGE_FULL: [
    "The gallery's disk is full. Nothing was changed.",
    "Inform the operator: retrying does not help.",
  ],
  UNAVAILABLE: ["A part of the service is unavailable.", AGAIN],
  TIMEOUT: ["The service took too long.", AGAIN],
  OVERLOADED: ["The service is overloaded.", AGAIN],
};

/** {title, advice, said}: what to show for an error; `said` is the service's message unless it repeats the title. */
export function explain({ code, message = "" }) {
  const [title, advice] = MESSAGES[code] ?? [
    message || `The service returned the error ${code}.`,
    "Try again or inform the operator.",
  ];
  return { title, advice, said: message && message !== title ? message : "" };
}

/** Which photo of a pair a message is about, 0 or 1; null if it names none. */
export const photoNamedIn = (message) => ({ "photo1:": 0, "reference:": 0, "photo2:": 1 })[message.split(" ", 1)[0]] ?? null;
