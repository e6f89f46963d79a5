// `TextEncoder` and `TextDecoder` for UTF-8, by what the engine does in native code: base64, and percent-encoding.

const ascii = /^[\x00-\x7f]*$/;

export class TextEncoder {
  get encoding() {
    return "utf-8";
  }
  encode(string = "") {
    string = String(string);
    if (!ascii.test(string)) string = unescape(encodeURIComponent(string.toWellFormed()));
    return Uint8Array.fromBase64(btoa(string));
  }
}

export class TextDecoder {
  #fatal;
  #keepMark;

  constructor(label = "utf-8", { fatal = false, ignoreBOM = false } = {}) {
    if (!/^\s*utf-?8\s*$/i.test(label)) throw new RangeError(`the encoding ${label} is not known here, only utf-8`);
    this.#fatal = fatal;
    this.#keepMark = ignoreBOM;
  }
  get encoding() {
    return "utf-8";
  }
  get fatal() {
    return this.#fatal;
  }
  get ignoreBOM() {
    return this.#keepMark;
  }
  decode(input = new Uint8Array(), { stream = false } = {}) {
    if (stream) throw new TypeError("decoding piece by piece is not supported here");
    const bytes = ArrayBuffer.isView(input)
      ? new Uint8Array(input.buffer, input.byteOffset, input.byteLength)
      : new Uint8Array(input);
    const text = this.#text(bytes);
    return !this.#keepMark && text.startsWith("\ufeff") ? text.slice(1) : text;
  }
  #text(bytes) {
    const latin1 = atob(bytes.toBase64());
    if (ascii.test(latin1)) return latin1;
    try {
      return decodeURIComponent(escape(latin1));
    } catch {
      if (this.#fatal) throw new TypeError("the bytes are not UTF-8");
      return withReplacements(bytes);
    }
  }
}

/** As the Encoding standard's decoder: U+FFFD for each longest part that no character begins with. */
function withReplacements(bytes) {
  let text = "";
  let i = 0;
  while (i < bytes.length) {
    const first = bytes[i++];
    if (first < 0x80) {
      text += String.fromCharCode(first);
      continue;
    }
    const length = first >= 0xc2 && first <= 0xdf ? 1 : first >> 4 === 0xe ? 2 : first >= 0xf0 && first <= 0xf4 ? 3 : 0;
    let [low, high] = { 0xe0: [0xa0, 0xbf], 0xed: [0x80, 0x9f], 0xf0: [0x90, 0xbf], 0xf4: [0x80, 0x8f] }[first] ?? [
      0x80, 0xbf,
    ];
    let point = first & (0x3f >> length);
    let missing = length;
    while (missing > 0 && bytes[i] >= low && bytes[i] <= high) {
      point = (point << 6) | (bytes[i++] & 0x3f);
      [low, high] = [0x80, 0xbf];
      missing--;
    }
    text += length > 0 && missing === 0 ? String.fromCodePoint(point) : "\ufffd";
  }
  return text;
}
