// Files of dropped folders.

const IMAGE = /\.(jpe?g|jfif|png|webp|bmp|hei[cf]|hif|avif)$/i;

/** Whether a file looks like a photo; folders contain other files too. */
export const isPhoto = (file) => file.type.startsWith("image/") || IMAGE.test(file.name);

/** All dropped files; `path` is the path of a file within its dropped folder. */
export async function droppedFiles(transfer) {
  // Read synchronously: the items are gone once the event handler returns.
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
  // Each call returns at most 100 entries.
  for (;;) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) break;
    found.push(...some);
  }
  return (await Promise.all(found.map((each) => filesOf(each)))).flat();
}
