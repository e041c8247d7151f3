/** Takes a stream of server-sent events apart as it comes; only their data is of interest here. */
export class EventReader {
  readonly #onData: (data: string) => void;
  readonly #decoder = new TextDecoder("utf-8");
  #rest = "";
  #data: string[] = [];

  constructor(onData: (data: string) => void) {
    this.#onData = onData;
  }

  /** More bytes. Lines end in LF, CR LF or CR, by the standard. */
  push(chunk: Buffer): void {
    this.#rest += this.#decoder.decode(chunk, { stream: true });
    // A CR at the end may be the first half of CR LF.
    const until = this.#rest.endsWith("\r") ? this.#rest.length - 1 : this.#rest.length;
    const lines = this.#rest.slice(0, until).split(/\r\n|\n|\r/);
    this.#rest = (lines.pop() ?? "") + this.#rest.slice(until);
    for (const line of lines) this.#line(line);
  }

  #line(line: string): void {
    if (line === "") {
      if (this.#data.length > 0) this.#onData(this.#data.join("\n"));
      this.#data = [];
    } else if (line.startsWith("data:")) this.#data.push(line.slice(line.startsWith("data: ") ? 6 : 5));
  }
}
