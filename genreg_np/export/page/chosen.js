// Pictures that are chosen, dropped or pasted.

/** Call `take` with each picture and its name, wherever on the page it is dropped. */
function onPicture(take) {
  let newest = 0; // number of the last file: one that is slow to read must not replace a later one
  const read = async (file) => {
    newest += 1;
    const number = newest;
    // Upright by default. Colours are not converted: the network gets the numbers in the file.
    const bitmap = await createImageBitmap(file, { colorSpaceConversion: "none" }).catch(() => null);
    if (number !== newest) return;
    if (bitmap) take(bitmap, file.name);
    else element("notice").textContent = `${file.name}: not an image that this browser can read`;
  };
  const chooser = element("file");
  element("choose").addEventListener("click", () => chooser.click());
  chooser.addEventListener("change", () => {
    if (chooser.files.length) read(chooser.files[0]);
    chooser.value = ""; // so that the same file can be chosen again
  });
  addEventListener("dragover", (event) => event.preventDefault());
  addEventListener("drop", (event) => {
    event.preventDefault();
    if (event.dataTransfer.files.length) read(event.dataTransfer.files[0]);
  });
  addEventListener("paste", (event) => {
    if (event.clipboardData.files.length) read(event.clipboardData.files[0]);
  });
}
