/**
 * All that the page asks of a server; the answers are described in docs/ and at /docs.
 *
 * A page from `afterglow serve --export` has no server (`<meta name="afterglow-mode" content="static">`). There, beside
 * index.html, lie:
 *   data/about.json          the answer of GET /api/about; its presets, comparators and default are those that were computed
 *   data/systems/index.json  the answer of GET /api/systems
 *   data/systems/NAME.json   the answer of GET /api/systems/NAME
 *   data/claims.json         the answer of GET /api/claims
 *   data/index.json          {"scenarios": [{"key", "scenario", "file", "preset", "dose", "count"}]}
 * Of each precomputed scenario: `key` a name of its own; `scenario` as sent to POST /api/run; `file` the path, from data/, of
 * {"run": answer of POST /api/run, "why": answer of POST /api/why or null, "code": answer of POST /api/code or null};
 * `preset` the name of the shipped course it began from, `dose` (in the unit of that course) and `count` (how many
 * sessions) where these were varied, else null. `run` gives the scenario itself or the nearest one, marked `precomputed`.
 */

import { nearest } from './precomputed.js';

const MODE = document.querySelector('meta[name="afterglow-mode"]')?.content ?? 'live';
const TOKEN = new URLSearchParams(location.search).get('token');

/** Whether the page works on precomputed results, without a server. */
export const isStatic = MODE === 'static';

/** An answer that is not a result. `faults`: [{where, problem, remedy}]. `status` 0: no answer at all. `retry_s`: when to ask again. */
export class ApiError extends Error {
  constructor(status, faults, retry_s = null) {
    super(faults.map((one) => [one.problem, one.remedy].filter(Boolean).join('. ')).join(' '));
    this.status = status;
    this.faults = faults;
    this.retry_s = retry_s;
  }
}

/** GET /api/about. */
export const about = once(() => (isStatic ? data('about.json') : call('about')));

/** GET /api/systems. */
export const systems = once(() => (isStatic ? data('systems/index.json') : call('systems')));

/** GET /api/claims: a list, or `{share}` while the model is still being asked. */
export const claims = () => (isStatic ? data('claims.json') : call('claims'));

/** GET /api/systems/{name}. @param {string} name */
export function system(name) {
  return isStatic ? data(`systems/${encodeURIComponent(name)}.json`) : call(`systems/${encodeURIComponent(name)}`);
}

/** The precomputed scenarios of a static page. */
export const index = once(() => data('index.json'));

/**
 * POST /api/run.
 * @param {Object} scenario
 * @param {{people?: number, coarse?: boolean, signal?: AbortSignal}} [options]
 * @returns {Promise<Object>} the answer; in a static page also `precomputed: true`, `exact` and its `scenario`
 */
export async function run(scenario, { people = 1000, coarse = false, signal } = {}) {
  if (!isStatic) return call('run', { method: 'POST', body: { scenario, people, coarse }, signal });
  const found = nearest((await index()).scenarios, scenario);
  const { run: answer } = await data(found.entry.file, signal);
  return { ...answer, precomputed: true, exact: found.exact, scenario: found.entry.scenario };
}

/** POST /api/why. @param {Object} scenario @param {{signal?: AbortSignal}} [options] */
export const why = (scenario, { signal } = {}) => post('why', { scenario }, scenario, signal);

/** POST /api/code: what is on screen, ready to run. @param {Object} scenario @param {string} view @param {Object} [extra] */
export const code = (scenario, view, extra) => post('code', { scenario, view, ...(extra ? { extra } : {}) }, scenario);

/**
 * A long job: starts it, listens to its progress and gives its result. Aborting `signal` cancels it on the server too.
 * @param {'forecast'|'plan'|'trial'} kind
 * @param {Object} body
 * @param {{onProgress?: (progress: {share: number, what: string}) => void, signal?: AbortSignal}} [options]
 * @returns {Promise<Object>}
 */
export async function job(kind, body, { onProgress, signal } = {}) {
  if (isStatic) throw new ApiError(0, [missing('This demo has no server for long jobs.')]);
  const { id } = await call(`jobs/${kind}`, { method: 'POST', body, signal });
  const cancel = () => call(`jobs/${id}`, { method: 'DELETE' }).catch(() => undefined);
  signal?.addEventListener('abort', cancel, { once: true });
  try {
    const response = await send(`jobs/${id}/events`, { signal });
    for await (const { event, data: said } of events(response.body)) {
      if (event === 'progress') onProgress?.(said);
      else if (event === 'done') return said.result;
      else if (event === 'failed') throw new ApiError(422, said.faults);
      else if (event === 'cancelled') throw new DOMException('The job was cancelled.', 'AbortError');
    }
    throw new ApiError(0, [{ where: kind, problem: 'The server ended the job without a result', remedy: 'Try it again.' }]);
  } finally {
    signal?.removeEventListener('abort', cancel);
  }
}

/**
 * Latest wins: a new call aborts the one before it, whose promise is rejected with AbortError.
 * @template T
 * @param {(signal: AbortSignal, ...args: any[]) => Promise<T>} work
 * @returns {(...args: any[]) => Promise<T>}
 */
export function latest(work) {
  let control = null;
  return (...args) => {
    control?.abort();
    control = new AbortController();
    return work(control.signal, ...args);
  };
}

/** Whether an error only says that newer work has taken over. */
export const aborted = (error) => error?.name === 'AbortError';

// ------------------------------------------------------------------------------------------------ sending

async function post(name, body, scenario, signal) {
  if (!isStatic) return call(name, { method: 'POST', body, signal });
  const found = nearest((await index()).scenarios, scenario);
  const answer = (await data(found.entry.file, signal))[name];
  if (!answer) throw new ApiError(0, [missing('Not among the precomputed results.')]);
  return answer;
}

async function call(path, options) {
  const response = await send(path, options);
  return response.status === 204 ? null : response.json();
}

async function send(path, { method = 'GET', body, signal } = {}) {
  const headers = { ...(TOKEN && { Authorization: `Bearer ${TOKEN}` }), ...(body && { 'Content-Type': 'application/json' }) };
  let response;
  try {
    response = await fetch(`/api/${path}`, { method, signal, headers, body: body && JSON.stringify(body) });
  } catch (error) {
    if (aborted(error)) throw error;
    throw new ApiError(0, [{ where: 'server', problem: 'No answer from the server', remedy: 'Is `afterglow serve` still running?' }]);
  }
  if (!response.ok) throw new ApiError(response.status, await faults(response), Number(response.headers.get('Retry-After')) || null);
  return response;
}

async function faults(response) {
  const said = await response.json().catch(() => null);
  return said?.faults ?? [{ where: 'server', problem: `The server answered ${response.status}`, remedy: 'Try it again.' }];
}

async function data(file, signal) {
  const response = await fetch(`data/${file}`, { signal });
  if (!response.ok) throw new ApiError(response.status, [missing(`${file} is not part of this demo.`)]);
  return response.json();
}

const missing = (problem) => ({ where: 'demo', problem, remedy: 'Run `afterglow serve` on your own machine.' });

function once(work) {
  let kept = null;
  return () => {
    kept ??= work().catch((error) => {
      kept = null;
      throw error;
    });
    return kept;
  };
}

/** The events of a text/event-stream. */
async function* events(body) {
  let text = '';
  for await (const part of chunks(body.pipeThrough(new TextDecoderStream()))) {
    text += part.replace(/\r\n/g, '\n');
    for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
      const found = event(text.slice(0, end));
      text = text.slice(end + 2);
      if (found) yield found;
    }
  }
}

async function* chunks(stream) {
  const reader = stream.getReader();
  try {
    for (let next = await reader.read(); !next.done; next = await reader.read()) yield next.value;
  } finally {
    reader.cancel().catch(() => undefined);
  }
}

function event(block) {
  const lines = block.split('\n');
  const of = (name) =>
    lines
      .filter((line) => line.startsWith(`${name}:`))
      .map((line) => line.slice(name.length + 1).trimStart())
      .join('\n');
  const said = of('data');
  return said ? { event: of('event') || 'message', data: JSON.parse(said) } : null;
}
