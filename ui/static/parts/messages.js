// What each error code means, and what to do about it. A code that is not here is told in the service's own words.

const AGAIN = "Try again in a moment; your photos are still here.";
const OTHER_PHOTO = "Choose another photo.";

/** code: [what is the matter, what to do] */
export const MESSAGES = {
  NETWORK: ["The service could not be reached.", "Check that it is running and that you are online, then try again."],
  INVALID_REQUEST: [
    "The service did not understand this request.",
    "Check the options; the sentence below names the one.",
  ],
  UNAUTHENTICATED: [
    "An API key is needed, or this one is not valid.",
    "Enter a key that is known and has not expired.",
  ],
  FORBIDDEN: ["Your API key may not do this.", "Use a key with the scope, or for the collection, that is named below."],
  NOT_FOUND: ["The service has nothing at this address.", "The page may be newer than the service: reload it."],
  METHOD_NOT_ALLOWED: ["The service does not do this here.", "The page may be newer than the service: reload it."],
  COLLECTION_NOT_FOUND: ["This collection is not there any more.", "Choose another one, or create it again."],
  SUBJECT_NOT_FOUND: ["This subject is not there any more.", "Somebody may have deleted it: look at the list again."],
  FACE_NOT_FOUND: ["This face is not there any more.", "Somebody may have deleted it: look at the subject again."],
  COLLECTION_EXISTS: ["A collection of this name is there already, with another embedder.", "Choose another name."],
  COLLECTION_NOT_EMPTY: ["The collection has faces.", "Confirm that they shall be deleted with it."],
  EMBEDDING_CONTRACT_MISMATCH: [
    "The collection was made with another network than the service has now.",
    "Enrol its people again in a new collection: embeddings of two networks cannot be compared.",
  ],
  IDEMPOTENCY_KEY_REUSED: ["This request was sent before with other content.", "Send it again as a new one."],
  REQUEST_TIMEOUT: ["The photos did not arrive in time.", "Check the connection and send them again."],
  BODY_TOO_LARGE: ["The photos are too large together.", "Send smaller photos, or fewer at once."],
  INVALID_IMAGE: [
    "This file is not a photo that can be read.",
    "Choose a JPEG, PNG, WEBP, BMP, HEIC or AVIF that opens elsewhere.",
  ],
  IMAGE_TOO_LARGE: [
    "The photo is too large.",
    "Make it smaller: by default 10 MiB and 50 million pixels are accepted.",
  ],
  IMAGE_TOO_COMPLEX: ["The photo is built too intricately to be decoded.", "Save it anew as a plain JPEG."],
  NO_FACE_DETECTED: ["No face was found.", "Choose a photo in which the face is upright, well lit and not too small."],
  MULTIPLE_FACES_DETECTED: [
    "There are several faces in the photo.",
    "Take the most prominent one, or choose a photo of one person.",
  ],
  INVALID_SUBJECT: ["This name cannot be a subject.", "Use 1 to 512 characters, and not only spaces."],
  INVALID_EMBEDDING: ["The embedding is not one of this network.", "Embed the photo again."],
  UNKNOWN_DETECTOR: ["The service has no such detector.", "Choose another detector."],
  UNKNOWN_EMBEDDER: ["The service has no such embedder.", "Choose another embedder."],
  UNKNOWN_LIVENESS: ["The service has no liveness stage.", "Set liveness to off."],
  FACE_TOO_SMALL: ["The face is too small.", "Use a photo in which it fills more of the picture."],
  FACE_CUT_OFF: ["The face is cut off at the edge.", "Use a photo that shows the whole face."],
  FACE_TOO_DARK: ["The face is too dark.", "Use a photo with more light on the face."],
  FACE_TOO_BRIGHT: ["The face is too bright.", "Use a photo with less light on the face."],
  FACE_LOW_CONTRAST: ["The face has too little contrast.", "Use a clearer photo."],
  FACE_BLURRED: ["The face is blurred.", "Use a sharper photo."],
  FACE_TURNED: ["The face is turned away.", "Use a photo that is taken from the front."],
  NOT_LIVE: ["The face looks like a spoof: a print, a screen or a mask.", "Take a photo of the person directly."],
  RATE_LIMITED: ["That were too many requests.", AGAIN],
  INTERNAL_ERROR: [
    "Something went wrong inside the service.",
    "Try again; if it stays, give the operator the request ID.",
  ],
  COLLECTION_UNREADABLE: [
    "The files of this collection are damaged or gone.",
    "Choose another one, and tell the operator of the service.",
  ],
  STORAGE_FULL: [
    "The gallery's disk is full; nothing was changed.",
    "Tell the operator: this does not pass by itself.",
  ],
  UNAVAILABLE: ["A part of the service is not available.", AGAIN],
  TIMEOUT: ["The service took too long.", AGAIN],
  OVERLOADED: ["The service has as much to do as it can.", AGAIN],
};

/** {title, advice, said}: what to show of an error; `said` is the service's own sentence. */
export function explain({ code, message = "" }) {
  const [title, advice] = MESSAGES[code] ?? [
    message || `The service answered with ${code}.`,
    "Try again, or tell the operator.",
  ];
  return { title, advice, said: message && message !== title ? message : "" };
}

/** Which photo of a pair a message is about, 0 or 1; null where it names none. */
export const photoOf = (message) => ({ "photo1:": 0, "photo2:": 1 })[message.split(" ", 1)[0]] ?? null;
