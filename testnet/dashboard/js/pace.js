// How often the live page draws. The nodes may run on the same machine: where it is busy, they come first.

/** Between two pictures of messages, and of the views of text, in milliseconds. Text costs most, and
 * nobody reads it faster. */
const CALM = { motion: 30, text: 250 };
const BUSY = { motion: 1000, text: 2000 };
/** Shares of idle processor time: with less the machine becomes busy, with more it is calm again. */
const LEAST_IDLE = 0.05;
const MUCH_IDLE = 0.2;
/** For so many milliseconds after a hand moved, the page follows it on a busy machine too. */
const ATTENTION = 2000;

export class Pace {
  constructor() {
    this.isBusy = false;
    this.touched = -ATTENTION;
    for (const kind of ["pointermove", "pointerdown", "keydown"]) {
      addEventListener(kind, () => (this.touched = performance.now()), { passive: true });
    }
  }

  /** The server says how idle its machine is; `null` where it does not know. */
  hear(idle) {
    if (idle === null) return;
    if (idle < LEAST_IDLE) this.isBusy = true;
    else if (idle > MUCH_IDLE) this.isBusy = false;
    document.documentElement.toggleAttribute("data-busy", this.isBusy);
  }

  /** How long to wait after a picture. */
  get between() {
    const isUsed = performance.now() - this.touched < ATTENTION;
    return this.isBusy && !isUsed ? BUSY : CALM;
  }
}
