/**
 * The eight pictures of the chain, on a sheet of 120 x 100. Each is {node, paint(level)}; a level of 0 is untreated, 1 the
 * largest change of this course. Colours come from the layer of the part (`--tone`), light from `--lit`.
 */

import { s, set } from '../dom.js';

const glow = () => s('circle', { class: 'glow', cx: 60, cy: 50, r: 44 });
const whole = (...children) => s('g', {}, glow(), ...children);

/** A drop that fills with drug. */
function plasma() {
  const drop = 'M60 9C60 9 33 42 33 60.5a27 27 0 0 0 54 0C87 42 60 9 60 9Z';
  const clip = s('clipPath', { id: 'chain-drop' }, s('path', { d: drop }));
  const fluid = s('path', { class: 'solid' });
  const specks = [
    [50, 74],
    [64, 68],
    [57, 60],
    [70, 77],
    [61, 80],
  ].map(([cx, cy]) => s('circle', { class: 'speck', cx, cy, r: 2.1 }));
  const node = whole(
    clip,
    s('g', { 'clip-path': 'url(#chain-drop)' }, fluid, specks),
    s('path', { class: 'edge', d: drop }),
    s('path', { class: 'shine', d: 'M43 61a17 17 0 0 0 9 15' }),
  );
  const paint = (level) => {
    const top = 88 - 66 * level;
    set(fluid, { d: `M20 ${top}q10 -4 20 0t20 0t20 0t20 0V100H20Z` });
    specks.forEach((one, i) => set(one, { visibility: level > (i + 1) / 8 ? 'visible' : 'hidden' }));
  };
  return { node, paint };
}

/** A channel in a membrane: ions pass until the drug sits in its pore. */
function receptor() {
  const membrane = [];
  for (let x = 12; x <= 108; x += 8) {
    if (x > 36 && x < 84) continue;
    for (const [y, way] of [
      [40, 1],
      [66, -1],
    ]) {
      membrane.push(
        s('circle', { class: 'lipid', cx: x, cy: y, r: 3 }),
        s('path', { class: 'hair', d: `M${x} ${y + 3 * way}v${8 * way}` }),
      );
    }
  }
  const lobe = (side) =>
    s('path', {
      class: 'edge tinted',
      d: `M${60 - side * 6} 30C${60 - side * 24} 26 ${60 - side * 26} 44 ${60 - side * 20} 53C${60 - side * 26} 63 ${60 - side * 22} 80 ${60 - side * 6} 77C${60 - side * 10} 66 ${60 - side * 4} 60 ${60 - side * 4} 53C${60 - side * 4} 46 ${60 - side * 10} 41 ${60 - side * 6} 30Z`,
    });
  const ions = [14, 24, 85, 94].map((cy) => s('circle', { class: 'ion', cx: 60, cy, r: 2.6 }));
  const plug = s('path', { class: 'solid plug', d: 'M60 -9 67.5 -4.5V4.5L60 9 52.5 4.5V-4.5Z' });
  const paint = (level) => {
    set(plug, { transform: `translate(0 ${12 + 41 * Math.sqrt(level)})`, opacity: Math.min(1, 0.15 + 2 * level) });
    ions.forEach((one, i) => set(one, { opacity: i < 2 ? 0.9 * (level < 0.1 ? 1 : 0) : Math.max(0, 0.9 - 1.2 * level) }));
  };
  return { node: whole(membrane, lobe(1), lobe(-1), ions, plug), paint };
}

/** The end of a nerve fibre that sets transmitter free. */
function glutamate() {
  const bouton = 'M53 4V16C36 18 26 28 28 40C30 50 44 53 60 53S90 50 92 40C94 28 84 18 67 16V4';
  const vesicles = [
    [45, 36],
    [60, 30],
    [75, 36],
    [52, 44],
    [68, 44],
  ].map(([cx, cy]) => s('circle', { class: 'vesicle', cx, cy, r: 4.6 }));
  const burst = [];
  for (let ring = 0; ring < 3; ring += 1) {
    for (let k = 0; k < 5 + ring; k += 1)
      burst.push({
        ring,
        angle: Math.PI * (0.14 + (0.72 * (k + 0.5)) / (5 + ring)),
        node: s('circle', { class: 'free', r: 2.5 - 0.3 * ring }),
      });
  }
  const paint = (level) =>
    burst.forEach(({ ring, angle, node }) => {
      const far = 7 + (10 + 12 * ring) * (0.35 + 0.65 * level);
      set(node, {
        cx: 60 + 1.15 * far * Math.cos(angle),
        cy: 52 + far * Math.sin(angle),
        opacity: Math.max(0, Math.min(1, 3 * level - 0.8 * ring)),
      });
    });
  return {
    node: whole(
      s('path', { class: 'edge tinted', d: bouton }),
      vesicles,
      burst.map((one) => one.node),
      s('path', { class: 'edge', d: 'M26 93Q60 85 94 93' }),
    ),
    paint,
  };
}

/** BDNF docks on its receptor TrkB, and the signal goes on into the cell. */
function bdnf() {
  const arm = (side) => s('path', { class: 'edge thick', d: `M${60 - side * 20} 27Q${60 - side * 19} 39 ${60 - side * 6} 45V66` });
  const ligand = s(
    'g',
    {},
    s('circle', { class: 'solid', cx: 53, cy: 0, r: 8.5 }),
    s('circle', { class: 'solid', cx: 67, cy: 0, r: 8.5 }),
    s('path', { class: 'link', d: 'M53 0H67' }),
  );
  const membrane = s('path', { class: 'membrane', d: 'M8 52H51M69 52H112M8 60H51M69 60H112' });
  const shaft = s('path', { class: 'signal' });
  const head = s('path', { class: 'solid' });
  const paint = (level) => {
    set(ligand, { transform: `translate(0 ${9 + 18 * Math.sqrt(level)})`, opacity: Math.min(1, 0.25 + 1.5 * level) });
    const tip = 74 + 21 * level;
    const half = 3 + 6 * level;
    set(shaft, { d: `M60 68V${tip - half}`, 'stroke-width': 2 + 4 * level });
    set(head, { d: `M${60 - half} ${tip - half}H${60 + half}L60 ${tip}Z`, opacity: 0.3 + 0.7 * level });
  };
  return { node: whole(membrane, arm(1), arm(-1), shaft, head, ligand), paint };
}

const SPINES = [
  { x: 18, y: 60, way: -1, from: 0 },
  { x: 32, y: 66, way: 1, from: 0.25 },
  { x: 44, y: 54, way: -1, from: 0.4 },
  { x: 58, y: 56, way: 1, from: 0 },
  { x: 71, y: 45, way: -1, from: 0.15 },
  { x: 83, y: 49, way: 1, from: 0.55 },
  { x: 97, y: 40, way: -1, from: 0.3 },
  { x: 107, y: 45, way: 1, from: 0.7 },
];

/** A branch of a nerve cell whose spines grow back. */
function synapses() {
  const branch = s('path', { class: 'branch', d: 'M2 68C26 58 40 60 58 52S96 42 118 40' });
  const spines = SPINES.map(({ x, y, way, from }) => {
    const node = s(
      'g',
      {},
      s('path', { class: 'stalk', d: `M0 0V${14 * way}` }),
      s('circle', { class: 'solid', cx: 0, cy: 18 * way, r: 5.2 }),
      s('path', { class: 'partner', d: `M-7 ${30 * way}Q0 ${24 * way} 7 ${30 * way}` }),
    );
    return { x, y, from, node };
  });
  const paint = (level) =>
    spines.forEach(({ x, y, from, node }) => {
      const grown = Math.min(1, Math.max(0, (level - from * 0.8) / (1 - from * 0.8)));
      const size = from === 0 ? 0.62 + 0.5 * level : 0.16 + 0.96 * grown;
      set(node, { transform: `translate(${x} ${y}) scale(${size.toFixed(3)})` });
    });
  return {
    node: whole(
      spines.map((one) => one.node),
      branch,
    ),
    paint,
  };
}

const NODES = [
  [22, 32],
  [50, 16],
  [84, 20],
  [100, 48],
  [84, 80],
  [50, 84],
  [20, 66],
  [60, 50],
];
const EDGES = [
  [0, 7],
  [1, 7],
  [2, 7],
  [3, 7],
  [4, 7],
  [5, 7],
  [6, 7],
  [0, 1],
  [1, 2],
  [2, 3],
  [3, 4],
  [4, 5],
  [5, 6],
  [6, 0],
  [1, 3],
  [4, 6],
];

/** Regions of the brain that take up their ties again. */
function network() {
  const edges = EDGES.map(([a, b]) => s('path', { class: 'tie', d: `M${NODES[a].join(' ')}L${NODES[b].join(' ')}` }));
  const nodes = NODES.map(([cx, cy], i) => s('circle', { class: 'region', cx, cy, r: i === 7 ? 8 : 5.6 }));
  const paint = (level) => {
    edges.forEach((one, i) => {
      const on = Math.min(1, Math.max(0, level * 1.6 - (0.6 * ((i * 7) % EDGES.length)) / EDGES.length));
      set(one, { 'stroke-width': 1 + 2.6 * on, 'stroke-opacity': 0.3 + 0.7 * on });
    });
    nodes.forEach((one) => set(one, { 'fill-opacity': 0.15 + 0.85 * level }));
  };
  return { node: whole(edges, nodes), paint };
}

const bell = (middle, width, height) => {
  const points = [];
  for (let x = 22; x <= 98; x += 2) points.push(`${x} ${(60 - height * Math.exp(-(((x - middle) / width) ** 2))).toFixed(1)}`);
  return `M${points.join('L')}`;
};

/** A thought: the belief "it will stay bad" gives way; dashed where it was. */
function belief() {
  const bubble = s('path', {
    class: 'edge tinted',
    d: 'M30 74C14 74 8 62 12 50C6 38 14 24 28 24C34 12 50 8 60 14C72 6 90 10 94 22C108 24 114 38 108 50C112 62 104 74 90 74C84 80 74 80 68 75C60 82 48 82 42 76C38 78 34 77 30 74Z',
  });
  const dots = [
    s('circle', { class: 'edge tinted', cx: 34, cy: 87, r: 4.6 }),
    s('circle', { class: 'edge tinted', cx: 24, cy: 95, r: 2.6 }),
  ];
  const before = s('path', { class: 'before', d: bell(42, 11, 34) });
  const area = s('path', { class: 'thought-area' });
  const curve = s('path', { class: 'thought' });
  const paint = (level) => {
    const path = bell(42 + 36 * level, 11 + 5 * level, 34 - 7 * level);
    set(curve, { d: path });
    set(area, { d: `${path}L98 60L22 60Z` });
  };
  return { node: whole(bubble, dots, s('path', { class: 'hair', d: 'M20 60H100' }), before, area, curve), paint };
}

/** A face whose mouth and light follow the score. */
function mood() {
  const rays = [];
  for (let k = 0; k < 12; k += 1) rays.push({ angle: (Math.PI * k) / 6, node: s('path', { class: 'ray' }) });
  const mouth = s('path', { class: 'mouth' });
  const brows = s('path', { class: 'brow' });
  const paint = (level) => {
    const bend = -8 + 19 * level;
    set(mouth, { d: `M46 ${62 - 0.35 * bend}Q60 ${62 + bend} 74 ${62 - 0.35 * bend}` });
    set(brows, { d: `M43 ${38 + 1.5 * level}L52 ${34.5 + 2.5 * level}M77 ${38 + 1.5 * level}L68 ${34.5 + 2.5 * level}` });
    rays.forEach(({ angle, node }) => {
      const [x, y] = [Math.cos(angle), Math.sin(angle)];
      const to = 34 + 11 * level;
      set(node, { d: `M${60 + 34 * x} ${50 + 34 * y}L${60 + to * x} ${50 + to * y}`, opacity: level });
    });
  };
  const eyes = [50, 70].map((cx) => s('circle', { class: 'eye', cx, cy: 45, r: 3 }));
  return {
    node: whole(
      rays.map((one) => one.node),
      s('circle', { class: 'edge tinted', cx: 60, cy: 50, r: 29 }),
      eyes,
      brows,
      mouth,
    ),
    paint,
  };
}

/** Pictures by key of the chain. */
export const DRAWINGS = { plasma, receptor, glutamate, bdnf, synapses, network, belief, mood };
