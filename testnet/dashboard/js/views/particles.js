// Messages on their way, drawn on a canvas: the one thing on the page that moves all the time.

import { CLASS } from "../words.js";
import { HEIGHT, WIDTH } from "./layout.js";

const SIZE = 5.6;

const SHAPES = {
  circle(pen) {
    pen.arc(0, 0, SIZE, 0, 2 * Math.PI);
    pen.fill();
  },
  dot(pen) {
    pen.arc(0, 0, SIZE * 0.5, 0, 2 * Math.PI);
    pen.fill();
  },
  ring(pen) {
    pen.arc(0, 0, SIZE * 0.9, 0, 2 * Math.PI);
    pen.stroke();
  },
  diamond: (pen) => polygon(pen, 4, SIZE * 1.25, 0),
  square: (pen) => polygon(pen, 4, SIZE * 1.2, Math.PI / 4),
  triangle: (pen) => polygon(pen, 3, SIZE * 1.4, -Math.PI / 2),
  hexagon: (pen) => polygon(pen, 6, SIZE * 1.25, 0),
  cross(pen) {
    pen.moveTo(-SIZE, 0);
    pen.lineTo(SIZE, 0);
    pen.moveTo(0, -SIZE);
    pen.lineTo(0, SIZE);
    pen.stroke();
  },
};

function polygon(pen, corners, radius, turn) {
  for (let corner = 0; corner < corners; corner += 1) {
    const at = turn + (2 * Math.PI * corner) / corners;
    pen.lineTo(radius * Math.cos(at), radius * Math.sin(at));
  }
  pen.closePath();
  pen.fill();
}

/** A class's shape where the pen stands. */
export function shape(pen, name) {
  pen.beginPath();
  SHAPES[name](pen);
}

/** Colours of the classes as the page's theme has them now. */
export function palette() {
  const style = getComputedStyle(document.documentElement);
  const names = [...Object.keys(CLASS), "danger"];
  return Object.fromEntries(names.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
}

/** The two directions of a link bend to different sides. */
function along(from, to, share) {
  const bend = 0.09;
  const control = {
    x: (from.x + to.x) / 2 + (to.y - from.y) * bend,
    y: (from.y + to.y) / 2 - (to.x - from.x) * bend,
  };
  const rest = 1 - share;
  return {
    x: rest * rest * from.x + 2 * rest * share * control.x + share * share * to.x,
    y: rest * rest * from.y + 2 * rest * share * control.y + share * share * to.y,
  };
}

const TAIL = 0.2;

function drawOne(pen, particle, places, colours, still) {
  const [from, to] = [places[particle.from], places[particle.to]];
  if (!from || !to) return;
  const share = still ? 0.5 : particle.share;
  const [at, tail] = [along(from, to, share), along(from, to, Math.max(0, share - TAIL))];
  const colour = colours[particle.class] ?? colours.other;
  pen.strokeStyle = colour;
  pen.fillStyle = colour;
  pen.globalAlpha = 0.35;
  pen.lineWidth = 2;
  pen.beginPath();
  pen.moveTo(tail.x, tail.y);
  pen.lineTo(at.x, at.y);
  pen.stroke();
  pen.globalAlpha = particle.lost ? 1 - share : 1;
  pen.save();
  pen.translate(at.x, at.y);
  if (particle.lost && share > 0.45) {
    pen.strokeStyle = colours.danger;
    pen.rotate(Math.PI / 4);
    shape(pen, "cross");
  } else {
    shape(pen, CLASS[particle.class]?.shape ?? "dot");
  }
  pen.restore();
}

/** Draws every message under way; `still` where motion is not wanted. */
export function drawParticles(canvas, particles, places, colours, still) {
  const ratio = Math.min(2, window.devicePixelRatio || 1);
  const [width, height] = [canvas.clientWidth, canvas.clientHeight];
  if (canvas.width !== Math.round(width * ratio)) canvas.width = Math.round(width * ratio);
  if (canvas.height !== Math.round(height * ratio)) canvas.height = Math.round(height * ratio);
  const pen = canvas.getContext("2d");
  const scale = Math.min(width / WIDTH, height / HEIGHT) * ratio;
  pen.setTransform(1, 0, 0, 1, 0, 0);
  pen.clearRect(0, 0, canvas.width, canvas.height);
  pen.setTransform(scale, 0, 0, scale, (canvas.width - WIDTH * scale) / 2, (canvas.height - HEIGHT * scale) / 2);
  for (const particle of particles) drawOne(pen, particle, places, colours, still);
  pen.globalAlpha = 1;
}
