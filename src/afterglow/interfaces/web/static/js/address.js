/**
 * The address holds the whole shared state: its fragment is compressed JSON in base64url. So a link restores the
 * picture, and nothing about it reaches a server.
 */

const KEYS = ['view', 'scenario', 'clock_h', 'window_h', 'rated', 'panels', 'table', 'theme', 'story', 'forecast', 'trial'];
const LONGEST = 20_000;

/** @param {Object} state @returns {Promise<string>} the fragment, without '#' */
export async function encode(state) {
  const shared = Object.fromEntries(KEYS.filter((key) => state[key] !== undefined).map((key) => [key, state[key]]));
  const bytes = await through(new CompressionStream('deflate-raw'), new TextEncoder().encode(JSON.stringify(shared)));
  const text = Array.from(bytes, (byte) => String.fromCharCode(byte)).join('');
  return `s=${btoa(text).replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '')}`;
}

/**
 * The state in the address of the page.
 * @param {string} [fragment]
 * @returns {Promise<Object|null>} null where the address holds none
 * @throws {Error} where it cannot be read
 */
export async function decode(fragment = location.hash) {
  const match = /^#?s=([\w-]+)$/.exec(fragment);
  if (!match) return null;
  if (match[1].length > LONGEST) throw new Error('The address is too long.');
  const text = atob(match[1].replace(/-/g, '+').replace(/_/g, '/'));
  const bytes = await through(
    new DecompressionStream('deflate-raw'),
    Uint8Array.from(text, (one) => one.charCodeAt(0)),
  );
  const found = JSON.parse(new TextDecoder().decode(bytes));
  return Object.fromEntries(KEYS.filter((key) => key in found).map((key) => [key, found[key]]));
}

async function through(stream, bytes) {
  const out = new Response(new Blob([bytes]).stream().pipeThrough(stream));
  return new Uint8Array(await out.arrayBuffer());
}
