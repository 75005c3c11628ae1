/**
 * What readers see while a record enters the buffers: all that whole records brought, and nothing
 * of this one (commit-protocol P1, P15). A record of any size comes into sight by one assignment,
 * because readers ask with each look whether a count is part of a record that is still entering.
 */

/** The record that is entering; shared by all counts. */
export class Entering {
  #serial = 0;
  #isOpen = false;

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** Of the record that enters, or entered last. */
  get serial(): number {
    return this.#serial;
  }

  begin(): void {
    this.#serial += 1;
    this.#isOpen = true;
  }

  end(): void {
    this.#isOpen = false;
  }
}

/** How many rows, or values, there are. */
export class EnteredCount {
  readonly #entering: Entering;
  #all = 0;
  /** As the record `#serial` found it. */
  #before = 0;
  #serial = 0;

  constructor(entering: Entering) {
    this.#entering = entering;
  }

  /** Those of the record that is entering too. */
  get all(): number {
    return this.#all;
  }

  /** Those of whole records. */
  get seen(): number {
    const { isOpen, serial } = this.#entering;
    return isOpen && this.#serial === serial ? this.#before : this.#all;
  }

  /** The record that is entering brings more. */
  add(count: number): void {
    const { serial } = this.#entering;
    if (this.#serial !== serial) {
      this.#serial = serial;
      this.#before = this.#all;
    }
    this.#all += count;
  }
}
