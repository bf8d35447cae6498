// The server of this page, as the page sees it.

let token = null;

export function useToken(fresh) {
  token = fresh ?? null;
}

async function json(answer) {
  const text = await answer.text();
  let body;
  try {
    body = JSON.parse(text);
  } catch {
    body = { error: text };
  }
  if (!answer.ok && body.ok === undefined) {
    const reason = body.error?.message ?? body.error ?? body.output ?? text;
    throw new Error(reason || `the server answered ${answer.status}`);
  }
  return body;
}

async function post(path, body, headers = {}) {
  const send = { method: "POST", headers: { "content-type": "application/json", ...headers }, body: JSON.stringify(body) };
  return fetch(path, send);
}

export const state = async () => json(await fetch("/api/state"));

/** `{ok, command, output}`; refusals come back the same way. */
export async function control(order) {
  const answer = await json(await post("/api/control", order, { "x-catamaran-token": token ?? "" }));
  return { ...answer, output: answer.output ?? answer.error ?? "" };
}

/** The result of a read-only JSON-RPC method of a node. */
export async function rpc(node, method, params) {
  const body = await json(await post("/api/rpc", { node, method, params }));
  if (body.error) {
    const error = new Error(body.error.message ?? String(body.error));
    error.code = body.error.data?.code ?? body.error.code;
    throw error;
  }
  return body.result;
}

/** The two statements of evidence, from its encoding. */
export const takeApart = async (evidence) => json(await post("/api/evidence", { evidence }));

export async function verify(file) {
  const answer = await fetch("/api/proof/verify", { method: "POST", headers: { "content-type": "application/json" }, body: file });
  return json(answer);
}

let known = null;

/** What runs there are; asked for once. */
export function labOptions() {
  known ??= fetch("/api/lab/options").then(json);
  known.catch(() => (known = null));
  return known;
}

/** Runs the simulator; every line of its answer, as it comes. */
export async function* labRun(request, signal) {
  const answer = await fetch("/api/lab/run", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(request),
    signal,
  });
  if (!answer.ok) await json(answer);
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    const lines = (rest + (value ?? "")).split("\n");
    rest = done ? "" : lines.pop();
    for (const line of lines) if (line.trim()) yield JSON.parse(line);
    if (done) return;
  }
}
