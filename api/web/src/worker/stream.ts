/** Keeps one event stream open: resumes after its last frame, waits longer after each failure. */
import { type Frame, Frames } from "./sse";
import type { StreamState } from "./protocol";

/** First and longest wait between two tries, milliseconds. */
const WAIT_FIRST = 1_000;
const WAIT_MAX = 15_000;
/** The server gives a sign of life each 15 s; after this long without one the stream is dead. */
const DEAD_AFTER = 40_000;

export class Stream {
  state: StreamState = "connecting";
  tries = 0;
  /** Id of the newest frame, which the next connection goes on after. */
  last: string | undefined;
  private abort = new AbortController();
  private heard = 0;
  private wake: (() => void) | undefined;
  private online = navigator.onLine;

  /** Told each time a connection did not come about or ended. */
  onLost: () => void = () => {};

  constructor(private readonly url: string, private readonly take: (frame: Frame) => void) {}

  /** Runs until the session is refused. */
  async run(): Promise<void> {
    setInterval(() => this.watch(), 5_000);
    while (this.state !== "refused") {
      try {
        await this.connection();
      } catch {
        // Said by the state: what failed shows as reconnecting.
      }
      if (this.has("refused")) return;
      this.state = this.online ? "reconnecting" : "offline";
      this.tries++;
      this.onLost();
      const wait = Math.min(WAIT_MAX, WAIT_FIRST * 2 ** Math.min(this.tries - 1, 4));
      await this.sleep(wait * (0.75 + Math.random() / 2));
    }
  }

  /** The network came or went. */
  network(online: boolean): void {
    this.online = online;
    if (!online) {
      this.state = "offline";
      this.abort.abort();
    } else if (this.state === "offline") {
      this.state = "reconnecting";
      this.wake?.();
    }
  }

  private async connection(): Promise<void> {
    if (!this.online) return;
    this.abort = new AbortController();
    this.heard = Date.now();
    const headers: Record<string, string> = { Accept: "text/event-stream" };
    if (this.last !== undefined) headers["Last-Event-ID"] = this.last;
    const options = { headers, signal: this.abort.signal, cache: "no-store" } as const;
    const answer = await fetch(this.url, options);
    if (answer.status === 401 || answer.status === 403) {
      this.state = "refused";
      return;
    }
    if (!answer.ok || answer.body === null) return;
    this.state = "live";
    this.tries = 0;
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    const frames = new Frames();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      this.heard = Date.now();
      frames.feed(value, (frame) => {
        if (frame.id !== undefined) this.last = frame.id;
        this.take(frame);
      });
    }
  }

  private has(state: StreamState): boolean {
    return this.state === state;
  }

  private watch(): void {
    if (this.state === "live" && Date.now() - this.heard > DEAD_AFTER) this.abort.abort();
  }

  private sleep(wait: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, wait);
      this.wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
