// How often the page draws. The nodes may run on the same machine: where it is busy, they come first.

/** Between two pictures, in milliseconds, on a machine with time to spare and on a busy one. */
const QUICK = 30;
const SLOW = 150;
/** A picture that comes so much late is a sign of a busy machine, one that comes sooner of a free one. */
const LATE = 24;
const PROMPT = 12;
/** How much one picture says about the machine. */
const WEIGHT = 0.1;

export class Pace {
  constructor() {
    this.every = QUICK;
    this.late = 0;
    this.last = null;
  }

  /** How long to wait after a picture at `now`. */
  next(now) {
    if (this.last !== null) {
      const late = Math.min(now - this.last - this.every, 10 * LATE);
      this.late += WEIGHT * (late - this.late);
    }
    this.last = now;
    if (this.late > LATE) this.every = SLOW;
    else if (this.late < PROMPT) this.every = QUICK;
    return this.every;
  }
}
