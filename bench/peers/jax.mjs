/** jax-js's side of the bench, on its WebAssembly backend, every step compiled by `jit`. */
import { createRequire } from "node:module";
import { blockUntilReady, defaultDevice, init, jit, lax, nn, numpy as np, tree, valueAndGrad } from "@jax-js/jax";
import { boundedLoop, labels, mnist, permutation, serve, slices, uniform } from "./serve.mjs";

await init("wasm");
defaultDevice("wasm");

const array = (data, shape) => np.array(data).reshape(shape);

function linear(inputs, outputs) {
  const bound = 1 / Math.sqrt(inputs);
  return [
    array(uniform(inputs * outputs, -bound, bound), [inputs, outputs]),
    np.array(uniform(outputs, -bound, bound)),
  ];
}

function mlp(inputs, hidden) {
  const parameters = [...linear(inputs, hidden), ...linear(hidden, 10)];
  const forward = ([w1, b1, w2, b2], x) => np.matmul(nn.relu(np.matmul(x, w1).add(b1)), w2).add(b2);
  return { parameters, forward };
}

/** The course's net; running statistics are left out (they are not part of the gradient, and favour this peer). */
function cnn() {
  const layers = [
    [1, 8, 5],
    [8, 16, 3],
    [16, 32, 3],
    [32, 32, 3],
  ];
  const parameters = layers.flatMap(([ni, nf, kernel]) => {
    const fan = ni * kernel * kernel;
    const weight = uniform(nf * fan, -1 / Math.sqrt(fan), 1 / Math.sqrt(fan));
    return [array(weight, [nf, ni, kernel, kernel]), np.ones([nf]), np.zeros([nf])];
  });
  const forward = (p, input) => {
    let x = input;
    for (const [i, [, nf, kernel]] of layers.entries()) {
      const pad = Math.floor(kernel / 2);
      x = lax.convGeneralDilated(
        x,
        p[3 * i],
        [2, 2],
        [
          [pad, pad],
          [pad, pad],
        ],
      );
      const centred = x.ref.sub(np.mean(x, [0, 2, 3], { keepdims: true }));
      const variance = np.mean(np.square(centred.ref), [0, 2, 3], { keepdims: true });
      const normal = centred.div(np.sqrt(variance.add(1e-5)));
      x = nn.relu(normal.mul(p[3 * i + 1].reshape([1, nf, 1, 1])).add(p[3 * i + 2].reshape([1, nf, 1, 1])));
    }
    return np.matmul(np.mean(x, [2, 3]), p[12]).add(p[13]);
  };
  return { parameters: [...parameters, ...linear(32, 10)], forward };
}

/** Mean cross-entropy, targets one-hot. */
function crossEntropy(forward) {
  return (parameters, x, y) => {
    const n = x.shape[0];
    return np.sum(nn.logSoftmax(forward(parameters, x)).mul(y)).mul(-1 / n);
  };
}

const count = (parameters) => parameters.reduce((sum, p) => sum + p.size, 0);
const oneHot = (y) => nn.oneHot(np.array(y, { dtype: np.int32 }), 10);

/** A compiled step: state and batch in, new state and loss out. */
function makeStep(forward, work) {
  const gradients = valueAndGrad(crossEntropy(forward));
  if (work.optimizer === "adam") {
    return jit(({ p, m, v, t }, x, y) => {
      const [loss, g] = gradients(tree.ref(p), x, y);
      return { state: adamStep(p, g, m, v, t, work.lr), loss };
    });
  }
  return jit(({ p }, x, y) => {
    const [loss, g] = gradients(tree.ref(p), x, y);
    return { state: { p: p.map((w, i) => w.sub(g[i].mul(work.lr))) }, loss };
  });
}

function adamStep(p, g, m, v, t, lr) {
  const next = t.add(1);
  const correct1 = np.subtract(1, np.exp(next.ref.mul(Math.log(0.9))));
  const correct2 = np.subtract(1, np.exp(next.ref.mul(Math.log(0.999))));
  const m1 = m.map((old, i) => old.mul(0.9).add(g[i].ref.mul(0.1)));
  const v1 = v.map((old, i) => old.mul(0.999).add(np.square(g[i]).mul(0.001)));
  const p1 = p.map((w, i) => {
    const root = np.sqrt(v1[i].ref.div(correct2.ref)).add(1e-8);
    return w.sub(m1[i].ref.div(correct1.ref).div(root).mul(lr));
  });
  correct1.dispose();
  correct2.dispose();
  return { p: p1, m: m1, v: v1, t: next };
}

function initialState(parameters, optimizer) {
  if (optimizer !== "adam") return { p: parameters };
  const zeros = () => parameters.map((p) => np.zeros(p.shape));
  return { p: parameters, m: zeros(), v: zeros(), t: np.array(0) };
}

function training(work) {
  if (work.model !== "mlp" && work.model !== "cnn") return { unsupported: "compared with PyTorch only" };
  const [c, h, w] = work.image;
  const model = work.model === "mlp" ? mlp(c * h * w, work.hidden) : cnn();
  const step = makeStep(model.forward, work);
  const shape = work.model === "mlp" ? [work.batch, c * h * w] : [work.batch, c, h, w];
  const data = Array.from({ length: work.batches }, () => ({
    x: array(uniform(work.batch * c * h * w), shape),
    y: oneHot(labels(work.batch)),
  }));
  const parameters = count(model.parameters);
  let state = initialState(model.parameters, work.optimizer);
  let loss;
  let i = 0;
  const once = async () => {
    loss?.dispose();
    const { x, y } = data[i++ % data.length];
    ({ state, loss } = step(state, x.ref, y.ref));
    await blockUntilReady(state); // unawaited steps pile up: far slower, and memory grows without bound
  };
  const finish = async () => ({ loss: (await loss.ref.data())[0] });
  return { parameters, once, finish };
}

function loop(work) {
  const { once, finish, ...rest } = training(work);
  return { ...rest, run: (limit) => boundedLoop(work.steps, limit, work.settled, once, finish) };
}

function mainJob(work) {
  const { x, y } = mnist(work.files);
  const valid = [x.subarray(work.train * 784), y.subarray(work.train)];
  const inOrder = Int32Array.from({ length: valid[1].length }, (_, i) => i);
  return {
    parameters: 784 * work.hidden + work.hidden + work.hidden * 10 + 10,
    run: async (limit) => {
      const start = performance.now();
      const model = mlp(784, work.hidden);
      const step = makeStep(model.forward, { optimizer: "sgd", lr: work.lr });
      const score = jit((p, xb, yb) => {
        const out = model.forward(p, xb);
        const loss = np.sum(nn.logSoftmax(out.ref).mul(yb)).mul(-1);
        return { best: np.argmax(out, 1), loss };
      });
      const total = work.epochs * Math.ceil(work.train / work.batch);
      let state = { p: model.parameters };
      let done = 0;
      let right = 0;
      for (let epoch = 0; epoch < work.epochs; epoch++) {
        for (const { xb, yb, n } of slices(x, y, permutation(work.train), work.batch)) {
          const result = step(state, array(xb, [n, 784]), oneHot(yb));
          state = result.state;
          result.loss.dispose();
          await blockUntilReady(state);
          if (++done % 50 === 0 && (performance.now() - start) / 1e3 > limit) {
            return { seconds: (performance.now() - start) / 1e3, share: done / total };
          }
        }
        right = 0;
        for (const { xb, yb, n } of slices(...valid, inOrder, work.validBatch)) {
          const { best, loss } = score(tree.ref(state.p), array(xb, [n, 784]), oneHot(yb));
          const [guess, [value]] = [await best.data(), await loss.data()];
          if (Number.isNaN(value)) throw new Error("the loss is not a number");
          for (let i = 0; i < n; i++) if (guess[i] === yb[i]) right++;
        }
      }
      return { seconds: (performance.now() - start) / 1e3, share: 1, accuracy: right / inOrder.length };
    },
  };
}

function gemm({ size }) {
  const a = array(uniform(size * size, -1), [size, size]);
  const b = array(uniform(size * size, -1), [size, size]);
  const multiply = jit((u, v) => np.matmul(u, v));
  return waitForEach(() => multiply(a.ref, b.ref));
}

function elementwise(work) {
  const x = np.array(uniform(work.size, -2, 2));
  const f = (v) => np.sum(nn.gelu(v.mul(work.a).add(work.b), { approximate: false }));
  const gradient = jit(valueAndGrad(f));
  return waitForEach(() => gradient(x.ref));
}

/** jax-js is lazy: a result dropped before it is read is never computed, so every one is waited for. */
function waitForEach(compute) {
  const once = async () => {
    const result = compute();
    await blockUntilReady(result);
    tree.dispose(result);
  };
  return { once };
}

function adam(work) {
  const fill = (shape) =>
    array(
      uniform(
        shape.reduce((a, b) => a * b),
        -0.01,
        0.01,
      ),
      shape,
    );
  const gradients = work.shapes.map(fill);
  const start = work.shapes.map(fill);
  const parameters = count(start);
  let state = initialState(start, "adam");
  const step = jit(({ p, m, v, t }, g) => adamStep(p, g, m, v, t, work.lr));
  const once = async () => {
    state = step(state, tree.ref(gradients));
    await blockUntilReady(state);
  };
  return { parameters, once };
}

const { version } = createRequire(import.meta.url)("./node_modules/@jax-js/jax/package.json");
await serve(`jax-js ${version} wasm`, { train: training, loop, mnist: mainJob, gemm, elementwise, adam });
