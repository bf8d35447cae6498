// Where nodes stand, and what dragging one means.

export const WIDTH = 560;
export const HEIGHT = 400;
const CENTRE = { x: WIDTH / 2, y: HEIGHT / 2 - 8 };
const RADIUS = 130;
/** How far the groups of a partition move apart. */
const APART = 46;
/** A node dropped this close to another joins its group. */
const NEAR = 105;
/** A node moved less than this stays where it was. */
const STAYS = 42;

/** Radius of a node's disc: the more there are, the smaller. */
export const discRadius = (count) => Math.max(7, Math.min(33, (Math.PI * RADIUS) / count / 1.35));

/** The groups that cannot talk to each other: one where nothing is cut. Who is not named is alone. */
export function groupsOf(count, partition) {
  const all = [...Array(count).keys()];
  if (!partition) return [all];
  const groups = partition.map((group) => group.filter((id) => id < count)).filter((group) => group.length);
  const rest = all.filter((id) => !groups.some((group) => group.includes(id)));
  return rest.length ? [...groups, rest] : groups;
}

function angle(id, count) {
  return -Math.PI / 2 + (2 * Math.PI * id) / count;
}

/** A place per node: on the circle, groups of a partition moved apart. */
export function places(count, partition) {
  const groups = groupsOf(count, partition);
  const spread = [];
  groups.forEach((group, index) => {
    const sum = group.reduce(
      (sum, id) => ({ x: sum.x + Math.cos(angle(id, count)), y: sum.y + Math.sin(angle(id, count)) }),
      { x: 0, y: 0 },
    );
    const length = Math.hypot(sum.x, sum.y);
    const turn = -Math.PI / 2 + (2 * Math.PI * index) / groups.length;
    const way = length < 0.1 ? { x: Math.cos(turn), y: Math.sin(turn) } : { x: sum.x / length, y: sum.y / length };
    const far = groups.length > 1 ? APART : 0;
    for (const id of group) {
      spread[id] = inside({
        x: CENTRE.x + RADIUS * 1.28 * Math.cos(angle(id, count)) + way.x * far,
        y: CENTRE.y + RADIUS * Math.sin(angle(id, count)) + way.y * far * 0.6,
      });
    }
  });
  return spread;
}

/** The place itself or the nearest one where a node and what is written under it are seen. */
export function inside({ x, y }) {
  return { x: Math.max(50, Math.min(WIDTH - 50, x)), y: Math.max(44, Math.min(HEIGHT - 72, y)) };
}

const away = (a, b) => Math.hypot(a.x - b.x, a.y - b.y);

/**
 * The groups after a node was dropped at a place, `null` for one network again, or `undefined` where
 * nothing changes.
 */
export function regroup(id, at, shown, partition) {
  const count = shown.length;
  const groups = groupsOf(count, partition);
  if (away(at, places(count, partition)[id]) < STAYS) return undefined;
  const others = groups.map((group) => group.filter((other) => other !== id)).filter((group) => group.length);
  const distance = (group) => Math.min(...group.map((other) => away(at, shown[other])), away(at, middle(group, shown)));
  const nearest = others.toSorted((a, b) => distance(a) - distance(b))[0];
  const centre = away(at, CENTRE) < RADIUS * 0.7 && others.length === 1;
  const joined =
    nearest && (distance(nearest) < NEAR || centre)
      ? others.map((group) => (group === nearest ? [...group, id].sort((a, b) => a - b) : group))
      : [...others, [id]];
  const same = JSON.stringify(normal(joined)) === JSON.stringify(normal(groups));
  if (same) return undefined;
  return joined.length > 1 ? normal(joined) : null;
}

/** One node cut off from its group, or back with the largest group where it is alone. */
export function toggleAlone(id, count, partition) {
  const groups = groupsOf(count, partition);
  const own = groups.find((group) => group.includes(id));
  const others = groups.map((group) => group.filter((other) => other !== id)).filter((group) => group.length);
  if (own.length > 1) return normal([...others, [id]]);
  const largest = others.toSorted((a, b) => b.length - a.length)[0] ?? [];
  const joined = others.map((group) => (group === largest ? [...group, id].sort((a, b) => a - b) : group));
  return joined.length > 1 ? normal(joined) : null;
}

const normal = (groups) => groups.toSorted((a, b) => a[0] - b[0]);

function middle(group, shown) {
  const sum = group.reduce((sum, id) => ({ x: sum.x + shown[id].x, y: sum.y + shown[id].y }), { x: 0, y: 0 });
  return { x: sum.x / group.length, y: sum.y / group.length };
}

export { CENTRE };
