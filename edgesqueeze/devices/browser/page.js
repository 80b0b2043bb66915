// Runs the jobs of edgesqueeze bench --browser on this device. See devices/browser/visitor.py for the other end.
import { loadLiteRt, loadAndCompile, Tensor } from '@litertjs/core';

const SLICE_MS = 200; // how long the page may be deaf
const ALIVE_MS = 5000;
const MOST_TIMES = 20000;
const TYPES = { float32: Float32Array, int32: Int32Array, uint8: Uint8Array };

const show = (text, kind) => {
  const state = document.getElementById('state');
  state.textContent = text;
  state.className = kind ?? '';
};
const now = () => performance.now();
const rest = () => new Promise((resolve) => setTimeout(resolve));

let id = '';
let lastAlive = 0;

async function post(what, body) {
  const options = { method: 'POST', body: JSON.stringify(body ?? {}), cache: 'no-store' };
  const response = await fetch(`./${what}?id=${id}`, options);
  if (!response.ok) throw new Error(`the computer answers ${response.status}`);
  return response.json();
}

// Told between slices of work, so that the computer can tell work from a page that is gone.
function alive() {
  if (now() - lastAlive < ALIVE_MS) return;
  lastAlive = now();
  fetch(`./alive?id=${id}`, { method: 'POST' }).catch(() => {});
}

function bytesOf(text) {
  return Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
}

function textOf(bytes) {
  let text = '';
  for (let at = 0; at < bytes.length; at += 0x8000) {
    text += String.fromCharCode.apply(null, bytes.subarray(at, at + 0x8000));
  }
  return btoa(text);
}

// The smallest step of the clock: browsers make it coarse, so that pages cannot spy by time.
function clockStep() {
  let smallest = Infinity;
  for (let round = 0; round < 20; ++round) {
    const start = now();
    let end = now();
    while (end === start) end = now();
    smallest = Math.min(smallest, end - start);
  }
  return smallest;
}

// WebAssembly, below loadAndCompile: its tensors have no int8, of which these models are made.
class WasmModel {
  constructor(lite, content, threads) {
    const wasm = (this.wasm = lite.liteRtWasm);
    this.environment = lite.getDefaultEnvironment().liteRtEnvironment;
    this.place = wasm._malloc(content.byteLength);
    wasm.HEAPU8.set(content, this.place);
    this.model = wasm.loadModel(this.environment, this.place, content.byteLength);
    this.options = {
      environment: lite.getDefaultEnvironment(),
      accelerator: 'wasm',
      cpuOptions: { numThreads: threads },
      gpuOptions: {},
      webNNOptions: {},
    };
  }

  async compile() {
    this.compiled = await this.wasm.compileModel(this.environment, this.model, this.options);
    return this;
  }

  set(inputs) {
    const { LiteRtTensorBuffer, LiteRtTensorBufferType, LiteRtTensorBufferLockMode } = this.wasm;
    this.inputs = inputs.map((bytes, index) => {
      const type = this.model.getInputTensorType(0, index);
      const buffer = LiteRtTensorBuffer.createManaged(
        this.environment, LiteRtTensorBufferType.HOST_MEMORY, type, bytes.byteLength);
      type.delete();
      this.wasm.HEAPU8.set(bytes, buffer.lock(LiteRtTensorBufferLockMode.WRITE));
      buffer.unlock();
      return buffer;
    });
  }

  async run() {
    const outputs = await this.compiled.run(0, this.inputs);
    return {
      read: () => outputs.map((one) => {
        const place = one.lock(this.wasm.LiteRtTensorBufferLockMode.READ);
        const bytes = this.wasm.HEAPU8.slice(place, place + one.packedSize());
        one.unlock();
        return bytes;
      }),
      free: () => outputs.forEach((one) => one.delete()),
    };
  }

  delete() {
    for (const one of [...(this.inputs ?? []), this.compiled, this.model]) one?.delete();
    this.wasm._free(this.place);
  }
}

// WebGPU, through the library's own tensors. An inference is over when its outputs are here.
class GpuModel {
  constructor(lite, content, details) {
    this.content = content;
    this.details = details;
  }

  async compile() {
    this.compiled = await loadAndCompile(this.content, { accelerator: 'webgpu' });
    if (this.compiled.options.accelerator !== 'webgpu') throw new Error('WebGPU does not take all of the model');
    return this;
  }

  set(inputs) {
    this.inputs = inputs.map((bytes, index) => {
      const { dtype, shape } = this.details[index];
      return new Tensor(new TYPES[dtype](bytes.buffer), shape);
    });
  }

  async run() {
    const outputs = await this.compiled.run(this.inputs);
    const values = await Promise.all(outputs.map((one) => one.data()));
    return {
      read: () => values.map((one) => new Uint8Array(one.buffer, one.byteOffset, one.byteLength)),
      free: () => outputs.forEach((one) => one.delete()),
    };
  }

  delete() {
    this.inputs?.forEach((one) => one.delete());
    this.compiled?.delete();
  }
}

// Times inferences, `group` at a time where one is shorter than the clock can tell.
class Stopwatch {
  constructor(model, step) {
    this.model = model;
    this.step = step;
    this.group = 1;
  }

  async once() {
    const start = now();
    for (let count = 0; count < this.group; ++count) (await this.model.run()).free();
    return Math.max(now() - start, this.step);
  }

  // From here on a group takes 20 steps of the clock at least, so that a step is 5 % of it at most. The
  // shortest of three counts: what else the device does makes some longer.
  async adapt() {
    for (; this.group < 1 << 20; this.group *= 2) {
      const tries = [await this.once(), await this.once(), await this.once()];
      if (Math.min(...tries) >= 20 * this.step) return;
    }
  }

  async during(ms, atLeast, mostMs, told) {
    const times = [];
    const start = now();
    let slice = start;
    while (times.length < MOST_TIMES) {
      const gone = now() - start;
      if ((gone >= ms && times.length * this.group >= atLeast) || (gone >= mostMs && times.length >= Math.min(atLeast, 10))) break;
      times.push((await this.once()) / this.group);
      if (now() - slice > SLICE_MS) {
        told?.(now() - start);
        alive();
        await rest();
        slice = now();
      }
    }
    return times;
  }
}

function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1];
}

async function sustained(watch, seconds, bar) {
  const rows = [];
  const start = now();
  while (now() - start < seconds * 1000) {
    const times = await watch.during(1000, 1, 1000);
    rows.push([(now() - start) / 1000, median(times) * 1e6, null, null, null]);
    bar((now() - start) / 1000 / seconds);
  }
  return rows;
}

function same(one, other) {
  return one.every((bytes, index) => bytes.every((value, place) => value === other[index][place]));
}

async function makeModel(lite, job, content) {
  const Kind = job.accelerator === 'webgpu' ? GpuModel : WasmModel;
  const model = await new Kind(lite, content, job.accelerator === 'webgpu' ? job.details : job.threads).compile();
  model.set(job.inputs.map(bytesOf));
  return model;
}

async function outputsOf(model) {
  const found = await model.run();
  const outputs = found.read();
  found.free();
  return outputs;
}

async function work(lite, job, step) {
  const response = await fetch(`./model/${job.sha256}?id=${id}`, { cache: 'no-store' });
  const content = new Uint8Array(await response.arrayBuffer());
  const began = now();
  let model = await makeModel(lite, job, content);
  const load = Math.max(now() - began, step);
  const start = now();
  const outputs = await outputsOf(model);
  const first = Math.max(now() - start, step);
  const result = { error: '', load_ns: load * 1e6, first_ns: first * 1e6, steady: true, sustained: [] };
  const bar = (share) => { document.getElementById('progress').value = share; };
  if (job.measure) {
    const watch = new Stopwatch(model, step);
    show(`Warming up, ${job.threads} thread${job.threads > 1 ? 's' : ''} ...`);
    await watch.during(job.warmup_seconds * 1000, job.warmup_runs, 1000);
    await watch.adapt();
    show(`Measuring, ${job.threads} thread${job.threads > 1 ? 's' : ''} ...`);
    const times = await watch.during(job.min_seconds * 1000, job.min_runs, job.max_seconds * 1000,
      (gone) => bar(Math.min(1, gone / 1000 / (job.min_seconds + 0.01))));
    result.times_ns = times.map((ms) => ms * 1e6);
    result.group = watch.group;
    if (job.sustain_seconds) {
      show(`What a longer run does to the time: ${job.sustain_seconds} seconds ...`);
      result.sustained = await sustained(watch, job.sustain_seconds, bar);
    }
  } else {
    result.times_ns = [first * 1e6];
    result.group = 1;
  }
  if (job.restart) {
    model.delete();
    model = await makeModel(lite, job, content);
  }
  result.busy_ns = Math.max((now() - start) * 1e6, 1);
  if (job.measure) result.steady = same(outputs, await outputsOf(model));
  result.outputs = outputs.map(textOf);
  model.delete();
  return result;
}

async function describe(step) {
  const wanted = ['model', 'platformVersion', 'architecture', 'bitness', 'fullVersionList'];
  let more = {};
  try {
    more = (await navigator.userAgentData?.getHighEntropyValues(wanted)) ?? {};
  } catch { /* the browser would rather not say */ }
  return {
    agent: navigator.userAgent,
    brands: more.fullVersionList ?? navigator.userAgentData?.brands ?? [],
    platform: navigator.userAgentData?.platform ?? navigator.platform ?? '',
    platform_version: more.platformVersion ?? '',
    device_model: more.model ?? '',
    architecture: more.architecture ?? '',
    cores: navigator.hardwareConcurrency ?? 1,
    memory_gib: navigator.deviceMemory ?? null,
    isolated: self.crossOriginIsolated === true,
    secure: self.isSecureContext === true,
    webgpu: Boolean(navigator.gpu),
    clock_ms: step,
  };
}

async function start(threads) {
  if (threads) {
    try {
      return [await loadLiteRt('./litert/core/wasm/', { threads: true }), true];
    } catch (error) {
      console.warn(error);
    }
  }
  return [await loadLiteRt('./litert/core/wasm/'), false];
}

async function main() {
  const step = clockStep();
  const seen = await describe(step);
  const [lite, threads] = await start(seen.isolated);
  const hello = await post('hello', { ...seen, threads });
  id = hello.id;
  document.getElementById('model').textContent = hello.model;
  if (hello.enough) {
    show('There are enough devices already.');
    return;
  }
  addEventListener('pagehide', () => navigator.sendBeacon(`./bye?id=${id}`));
  // A screen that goes dark stops the page.
  await navigator.wakeLock?.request('screen').catch(() => {});
  let result = null;
  for (;;) {
    const answer = await post('next', { result });
    result = null;
    if (answer.done) {
      id = '';
      document.getElementById('progress').value = 1;
      show(answer.text, answer.ok ? 'right' : 'wrong');
      return;
    }
    if (answer.job) {
      try {
        result = await work(lite, answer.job, step);
      } catch (error) {
        result = { error: String(error?.message ?? error) };
      }
    }
  }
}

main().catch((error) => show(`It did not work: ${error?.message ?? error}`, 'wrong'));
