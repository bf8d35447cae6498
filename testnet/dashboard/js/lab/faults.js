// Faults that a fork can add, in the words of scenario files.

const to = (count) => [...Array(count).keys()];

/** What can happen now: a name, a title, and the fault for a node of so many. */
export const FAULTS = [
  { name: "crash-leader", title: "the leader crashes", make: () => ({ crash: { who: "leader" } }) },
  { name: "crash", title: "the selected node crashes", node: true, make: (node) => ({ crash: { who: { node } } }) },
  { name: "lie", title: "the selected node begins to equivocate", node: true, make: (node) => ({ lie: { node, does: "equivocate" } }) },
  { name: "silent", title: "the selected node falls silent", node: true, make: (node) => ({ lie: { node, does: "silent" } }) },
  { name: "restart", title: "the selected node starts again", node: true, make: (node) => ({ restart: { node } }) },
  { name: "isolate-leader", title: "the leader is cut off", make: () => ({ isolate: { who: "leader" } }) },
  { name: "isolate", title: "the selected node is cut off", node: true, make: (node) => ({ isolate: { who: { node } } }) },
  {
    name: "halves",
    title: "the network is cut in two",
    make: (_, count) => ({ partition: { groups: [to(count).slice(0, count >> 1), to(count).slice(count >> 1)] } }),
  },
  { name: "pause-leader", title: "the leader stands still for 200 ms", make: () => ({ pause: { who: "leader", lasts: "200ms" } }) },
  { name: "lag", title: "the selected node is 20 ms slower", node: true, make: (node) => ({ lag: { who: { node }, extra: "20ms" } }) },
  { name: "crash-majority", title: "more than half crash for 200 ms", make: () => ({ crash_majority: { restart_after: "200ms" } }) },
  { name: "heal", title: "the network heals", make: () => "heal_network" },
];
