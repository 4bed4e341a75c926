// Does what `envelope.operation` says and answers with what came of it: `{"ok": …}` or `{"err": {"type": …}}`.
// Invariant: an attack that the host lets through shows as `ok`.
import { attempt, role, stepName, tenant } from 'aim:host/context@0.1.0';
import { put } from 'aim:artifact/store@0.1.0';
import { setConfidence } from 'aim:witness/attest@0.1.0';
import { write } from 'aim:log/log@0.1.0';

const encode = (text) => new TextEncoder().encode(text);

const operations = {
  echo: (body) => body,
  everything() {
    write('info', 'hello', [['step', stepName()]]);
    setConfidence({ score: 900000, method: 'counting' });
    return { artifact: put('text/plain', encode('kept')).digest, attempt: attempt(), role: role(), tenant: tenant() };
  },
  clocks() {
    const before = performance.now();
    return { wall: Math.floor(Date.now() / 1000), forward: performance.now() > before };
  },
  chance: () => ({
    math: [Math.random(), Math.random()],
    crypto: Array.from(crypto.getRandomValues(new Uint8Array(8))),
    uuid: crypto.randomUUID(),
  }),
  fetch: async () => (await fetch('http://127.0.0.1:9/')).status,
  'fetch-post': async () =>
    (await fetch('http://127.0.0.1:9/', { method: 'POST', headers: { 'x-a': 'b' }, body: 'secret' })).status,
  sleep: async () => {
    await new Promise((resolve) => setTimeout(resolve, 3600 * 1000));
    return 'slept';
  },
  interval: async () => {
    await new Promise(() => setInterval(() => {}, 1000));
  },
  never: () => new Promise(() => {}),
  spin() {
    for (;;);
  },
  hoard() {
    const kept = [];
    for (;;) kept.push(new Uint8Array(1 << 20));
  },
  recurse() {
    const deeper = (depth) => 1 + deeper(depth + 1);
    return deeper(0);
  },
  evaluate: () => new Function('return 6 * 7')(),
  environment: () => ({ process: typeof process, require: typeof require, deno: typeof Deno }),
  chatter(body) {
    console.log('\u001b[31mred\u001b[0m');
    console.error('x'.repeat(body.bytes ?? 1 << 20));
    return 'said';
  },
};

export const handler = {
  async handle(input) {
    const body = JSON.parse(new TextDecoder().decode(input.body));
    if (input.operation === 'throw') throw new Error('nobody catches this');
    let answer;
    try {
      answer = { ok: await operations[input.operation](body) };
    } catch (error) {
      answer = { err: { type: error?.constructor?.name ?? typeof error, message: String(error?.message ?? error) } };
    }
    return [
      {
        target: { tag: 'next' },
        operation: input.operation,
        mediaType: 'application/json',
        artifacts: [],
        body: encode(JSON.stringify(answer)),
      },
    ];
  },
};
