// Files out of folders that were dropped.

const IMAGE = /\.(jpe?g|jfif|png|webp|bmp|hei[cf]|hif|avif)$/i;

/** Whether a file looks like a photo: folders hold other files, too. */
export const isPhoto = (file) => file.type.startsWith("image/") || IMAGE.test(file.name);

/** The files that were dropped, those of folders with their place there as `path`. */
export async function droppedFiles(transfer) {
  // Asked at once: after the event the browser has forgotten them.
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  return (await Promise.all(entries.map((entry) => filesOf(entry)))).flat();
}

async function filesOf(entry) {
  if (entry.isFile) {
    const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
    file.path = entry.fullPath.replace(/^\//, "");
    return [file];
  }
  const reader = entry.createReader(),
    found = [];
  // It gives a hundred at a time.
  for (;;) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) break;
    found.push(...some);
  }
  return (await Promise.all(found.map((each) => filesOf(each)))).flat();
}
