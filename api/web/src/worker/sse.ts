/** A parser of server-sent events: any split of the text gives the same frames. */

export interface Frame {
  /** `message` where the server names none; empty for an id alone. */
  event: string;
  data: string;
  id?: string;
}

/** Longest line that is kept, characters; a longer one is cut. */
const LINE_MAX = 4_000_000;

export class Frames {
  private rest = "";
  private event = "";
  private data: string[] = [];
  private id: string | undefined;

  /** Takes a piece of text and gives each frame that is complete. */
  feed(piece: string, take: (frame: Frame) => void): void {
    let text = this.rest + piece;
    let start = 0;
    for (;;) {
      const end = text.indexOf("\n", start);
      if (end < 0) break;
      const cut = text[end - 1] === "\r" && end > start ? end - 1 : end;
      this.line(text.slice(start, cut), take);
      start = end + 1;
    }
    text = text.slice(start);
    this.rest = text.length > LINE_MAX ? text.slice(0, LINE_MAX) : text;
  }

  private line(line: string, take: (frame: Frame) => void): void {
    if (line === "") return this.end(take);
    if (line.startsWith(":")) return;
    const colon = line.indexOf(":");
    const field = colon < 0 ? line : line.slice(0, colon);
    let value = colon < 0 ? "" : line.slice(colon + 1);
    if (value.startsWith(" ")) value = value.slice(1);
    if (field === "event") this.event = value;
    if (field === "data") this.data.push(value);
    if (field === "id" && !value.includes("\0")) this.id = value;
  }

  private end(take: (frame: Frame) => void): void {
    const { event, data, id } = this;
    this.event = "";
    this.data = [];
    this.id = undefined;
    if (data.length === 0 && id === undefined) return;
    const name = data.length === 0 ? "" : event === "" ? "message" : event;
    take(id === undefined ? { event: name, data: data.join("\n") } : { event: name, data: data.join("\n"), id });
  }
}
