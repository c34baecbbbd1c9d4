// @ts-check
/** Files that a page hands to the person: named after what they show, made without a server. */

const LONGEST = 80;
const WORD = /[\p{L}\p{N}]+(?:\.[\p{L}\p{N}]+)*/gu; // a dot only inside: no hidden files, no paths

/**
 * A file name that every system takes: words joined by hyphens, whatever the data are called.
 * @param {string[]} parts
 * @param {string} ending such as "svg"
 */
export function fileName(parts, ending) {
  const words = parts.join(" ").normalize("NFC").match(WORD) ?? [];
  const name = words.join("-").toLowerCase();
  return `${[...name].slice(0, LONGEST).join("") || "fedbench"}.${ending}`;
}

/**
 * Save a file.
 * @param {Blob} blob
 * @param {string} name
 */
export function download(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.hidden = true;
  // some browsers follow only links that are part of the page
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
