// Counts cell nuclei in a picture, on this device. Every step computes what nuclei.py does.
import { loadLiteRt, loadAndCompile, Tensor } from '@litertjs/core';

const MOST_PIXELS = 4 << 20;
const OUTLINE = [255, 196, 0];
const element = (id) => document.getElementById(id);

function say(text, state) {
  element('state').textContent = text;
  if (state) document.body.dataset.state = state;
}

// Pixels as grey, by the weights of ITU-R 601 in 16 bits, as Pillow has them.
function grey(rgba) {
  const values = new Uint8Array(rgba.length / 4);
  for (let i = 0; i < values.length; ++i) {
    values[i] = (rgba[4 * i] * 19595 + rgba[4 * i + 1] * 38470 + rgba[4 * i + 2] * 7471 + 0x8000) >> 16;
  }
  return values;
}

// Means of squares of pixels.
function shrunk({ values, width, height }, factor) {
  const small = { width: Math.floor(width / factor), height: Math.floor(height / factor) };
  small.values = new Uint8Array(small.width * small.height);
  for (let y = 0; y < small.height; ++y) {
    for (let x = 0; x < small.width; ++x) {
      let sum = 0;
      for (let dy = 0; dy < factor; ++dy) {
        for (let dx = 0; dx < factor; ++dx) sum += values[(y * factor + dy) * width + x * factor + dx];
      }
      small.values[y * small.width + x] = Math.floor(sum / (factor * factor) + 0.5);
    }
  }
  return small;
}

function range(values) {
  let low = 255;
  let high = 0;
  for (const value of values) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return [low, high];
}

// The darkest and brightest pixels at 0 and 255: first all of them, then all but the outermost.
function stretched(values) {
  const [least, most] = range(values);
  const span = Math.max(most - least, 1);
  const bytes = values.map((value) => Math.floor((value - least) * (255 / span) + 0.5));
  const counts = new Float64Array(256);
  for (const value of bytes) ++counts[value];
  for (let i = 1; i < 256; ++i) counts[i] += counts[i - 1];
  const low = counts.findIndex((count) => count >= 0.01 * values.length);
  const high = Math.max(counts.findIndex((count) => count >= 0.998 * values.length), low + 1);
  return bytes.map((value) => Math.min(255, Math.max(0, Math.floor(((value - low) * 255) / (high - low) + 0.5))));
}

// A place in a row that is mirrored at both ends, without repeating them.
function mirrored(place, size) {
  if (size === 1) return 0;
  const period = 2 * (size - 1);
  const within = ((place % period) + period) % period;
  return within < size ? within : period - within;
}

// Where a nucleus is: the model on overlapping tiles, of which the middles count.
async function insideOf(model, { values, width, height }, { tile, step, threshold }, told) {
  const rim = (tile - step) / 2;
  const inside = new Uint8Array(width * height);
  const rows = Math.ceil(height / step);
  const columns = Math.ceil(width / step);
  for (let place = 0; place < rows * columns; ++place) {
    const top = Math.floor(place / columns) * step - rim;
    const left = (place % columns) * step - rim;
    const part = new Uint8Array(tile * tile);
    for (let y = 0; y < tile; ++y) {
      const row = mirrored(top + y, height) * width;
      for (let x = 0; x < tile; ++x) part[y * tile + x] = values[row + mirrored(left + x, width)];
    }
    const input = new Tensor(part, [1, tile, tile, 1]);
    const [output] = await model.run([input]);
    const found = output.toTypedArray();
    input.delete();
    output.delete();
    for (let y = rim; y < tile - rim && top + y < height; ++y) {
      for (let x = rim; x < tile - rim && left + x < width; ++x) {
        inside[(top + y) * width + left + x] = found[y * tile + x] >= threshold ? 1 : 0;
      }
    }
    if (place % 16 === 15) {
      told((place + 1) / (rows * columns));
      await new Promise((resolve) => setTimeout(resolve));
    }
  }
  return inside;
}

// Nuclei by number: connected by edges, and not too small.
function nucleiOf(inside, width, height, least) {
  const labels = new Int32Array(inside.length);
  const queue = new Int32Array(inside.length);
  let count = 0;
  for (let start = 0; start < inside.length; ++start) {
    if (!inside[start] || labels[start]) continue;
    let end = 0;
    queue[end++] = start;
    labels[start] = count + 1;
    for (let at = 0; at < end; ++at) {
      const x = queue[at] % width;
      const near = [
        x > 0 ? queue[at] - 1 : -1,
        x < width - 1 ? queue[at] + 1 : -1,
        queue[at] - width,
        queue[at] + width,
      ];
      for (const place of near) {
        if (place >= 0 && place < inside.length && inside[place] && !labels[place]) {
          labels[place] = count + 1;
          queue[end++] = place;
        }
      }
    }
    if (end >= least) ++count;
    else for (let at = 0; at < end; ++at) labels[queue[at]] = -1;
  }
  return { labels: labels.map((label) => Math.max(label, 0)), count };
}

// The picture with the outlines of the nuclei, one pixel outside of what the model found.
function draw(canvas, { values, width, height }, labels) {
  canvas.width = width;
  canvas.height = height;
  canvas.hidden = false;
  const image = new ImageData(width, height);
  for (let place = 0; place < values.length; ++place) {
    const x = place % width;
    const near = [x > 0 ? place - 1 : place, x < width - 1 ? place + 1 : place, place - width, place + width];
    const outline = !labels[place] && near.some((other) => labels[other] > 0);
    image.data.set(outline ? [...OUTLINE, 255] : [values[place], values[place], values[place], 255], 4 * place);
  }
  canvas.getContext('2d').putImageData(image, 0, 0);
}

async function pixelsOf(file) {
  const bitmap = await createImageBitmap(file, { colorSpaceConversion: 'none', premultiplyAlpha: 'none' });
  const { width, height } = bitmap;
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext('2d', { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0);
  return { values: grey(context.getImageData(0, 0, width, height).data), width, height };
}

async function count(model, settings, file) {
  say('Looking ...', 'busy');
  element('count').textContent = '';
  const bar = element('progress');
  bar.value = 0;
  bar.hidden = false;
  try {
    const picture = shrunk(await pixelsOf(file), Number(element('shrink').value));
    if (picture.width * picture.height > MOST_PIXELS) throw new Error('the picture is too large: choose a lower resolution');
    const ready = { ...picture, values: stretched(picture.values) };
    const began = performance.now();
    const inside = await insideOf(model, ready, settings, (share) => { bar.value = share; });
    const { labels, count } = nucleiOf(inside, picture.width, picture.height, settings.least);
    draw(element('picture'), ready, labels);
    const seconds = (performance.now() - began) / 1000;
    const name = settings.labels[0];
    const many = name.endsWith('us') ? `${name.slice(0, -2)}i` : `${name}s`;
    element('count').textContent = `${count} ${count === 1 ? name : many}`;
    // For the tests: what was found, pixel by pixel.
    globalThis.found = { count, width: picture.width, inside: Array.from(inside).join('') };
    say(`${picture.width} x ${picture.height} pixels, ${seconds.toFixed(1)} s`, 'done');
  } catch (error) {
    say(`It did not work: ${error.message}`, 'failed');
  } finally {
    bar.hidden = true;
  }
}

// What is loaded from here on is kept for when there is no network.
async function keep() {
  if (!('serviceWorker' in navigator)) return false;
  await navigator.serviceWorker.register('keep.js');
  await navigator.serviceWorker.ready;
  if (!navigator.serviceWorker.controller) {
    await new Promise((resolve) => navigator.serviceWorker.addEventListener('controllerchange', resolve, { once: true }));
  }
  return true;
}

async function main() {
  const kept = await keep().catch(() => false);
  const settings = await (await fetch('model.json')).json();
  await loadLiteRt('litert/core/wasm/');
  const model = await loadAndCompile('model.tflite', { accelerator: 'wasm' });
  const file = element('file');
  file.disabled = false;
  file.addEventListener('change', () => {
    if (file.files.length) count(model, settings, file.files[0]);
    file.value = '';
  });
  say(kept ? 'Ready. Works without a network from now on.' : 'Ready.', 'ready');
}

main().catch((error) => say(`It did not work: ${error.message}`, 'failed'));
