/** TensorFlow.js's side of the bench; the argument says which backend: `cpu` or `wasm`. */
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import * as tf from "@tensorflow/tfjs";
import { setWasmPaths } from "@tensorflow/tfjs-backend-wasm";
import { boundedLoop, labels, mnist, permutation, serve, slices, uniform } from "./serve.mjs";

const backend = process.argv[2] ?? "cpu";
if (backend === "wasm") {
  const entry = createRequire(import.meta.url).resolve("@tensorflow/tfjs-backend-wasm");
  setWasmPaths(`${join(dirname(entry))}/`);
}
await tf.setBackend(backend);
await tf.ready();

function linear(inputs, outputs) {
  const bound = 1 / Math.sqrt(inputs);
  return [
    tf.variable(tf.randomUniform([inputs, outputs], -bound, bound)),
    tf.variable(tf.randomUniform([outputs], -bound, bound)),
  ];
}

function mlp(inputs, hidden) {
  const [w1, b1] = linear(inputs, hidden);
  const [w2, b2] = linear(hidden, 10);
  return {
    variables: [w1, b1, w2, b2],
    forward: (x) => tf.add(tf.matMul(tf.relu(tf.add(tf.matMul(x, w1), b1)), w2), b2),
  };
}

/** The course's net, images as NHWC: the only format these backends compute in. */
function cnn() {
  const layers = [
    [1, 8, 5],
    [8, 16, 3],
    [16, 32, 3],
    [32, 32, 3],
  ].map(([ni, nf, kernel]) => {
    const bound = 1 / Math.sqrt(ni * kernel * kernel);
    return {
      kernel,
      weight: tf.variable(tf.randomUniform([kernel, kernel, ni, nf], -bound, bound)),
      gamma: tf.variable(tf.ones([nf])),
      beta: tf.variable(tf.zeros([nf])),
      mean: tf.variable(tf.zeros([nf]), false),
      variance: tf.variable(tf.ones([nf]), false),
    };
  });
  const [w, b] = linear(32, 10);
  const forward = (input) => {
    let x = input;
    for (const layer of layers) {
      const padded = Math.floor(layer.kernel / 2);
      const pad = [
        [0, 0],
        [padded, padded],
        [padded, padded],
        [0, 0],
      ];
      x = tf.conv2d(x, layer.weight, 2, pad);
      const { mean, variance } = tf.moments(x, [0, 1, 2]);
      const running = (old, now) => old.assign(tf.add(tf.mul(old, 0.9), tf.mul(now, 0.1)));
      running(layer.mean, mean);
      running(layer.variance, variance);
      x = tf.relu(tf.batchNorm(x, mean, variance, layer.beta, layer.gamma, 1e-5));
    }
    return tf.add(tf.matMul(tf.mean(x, [1, 2]), w), b);
  };
  return { variables: [...layers.flatMap((l) => [l.weight, l.gamma, l.beta]), w, b], forward };
}

const optimizers = {
  sgd: (lr) => tf.train.sgd(lr),
  momentum: (lr) => tf.train.momentum(lr, 0.9),
  adam: (lr) => tf.train.adam(lr),
};

const count = (model) => model.variables.reduce((sum, v) => sum + v.size, 0);
const oneHot = (y) => tf.tidy(() => tf.cast(tf.oneHot(tf.tensor1d(y, "int32"), 10), "float32"));

/** One step on a batch. Targets are one-hot: what this library's cross-entropy takes. */
function step(model, optimizer, x, y) {
  const loss = () => tf.losses.softmaxCrossEntropy(y, model.forward(x));
  return optimizer.minimize(loss, true, model.variables);
}

function training(work) {
  if (work.model !== "mlp" && work.model !== "cnn") return { unsupported: "compared with PyTorch only" };
  if (work.model === "cnn" && backend === "wasm") {
    return { unsupported: "the wasm backend has no Conv2DBackpropFilter" };
  }
  const [c, h, w] = work.image;
  const model = work.model === "mlp" ? mlp(c * h * w, work.hidden) : cnn();
  const optimizer = optimizers[work.optimizer](work.lr);
  const shape = work.model === "mlp" ? [work.batch, c * h * w] : [work.batch, h, w, c];
  const data = Array.from({ length: work.batches }, () => ({
    x: tf.tensor(uniform(work.batch * c * h * w), shape),
    y: oneHot(labels(work.batch)),
  }));
  let i = 0;
  let loss;
  const once = () => {
    loss?.dispose();
    const { x, y } = data[i++ % data.length];
    loss = step(model, optimizer, x, y);
  };
  const finish = async () => ({ loss: (await loss.data())[0] });
  return { parameters: count(model), once, finish };
}

function loop(work) {
  const { once, finish, ...rest } = training(work);
  return { ...rest, run: (limit) => boundedLoop(work.steps, limit, work.settled, once, finish) };
}

function mainJob(work) {
  const { x, y } = mnist(work.files);
  const cut = work.train * 784;
  const valid = [x.subarray(cut), y.subarray(work.train)];
  const inOrder = Int32Array.from({ length: valid[1].length }, (_, i) => i);
  return {
    parameters: 784 * work.hidden + work.hidden + work.hidden * 10 + 10,
    run: async (limit) => {
      const start = performance.now();
      const model = mlp(784, work.hidden);
      const optimizer = optimizers.sgd(work.lr);
      const total = work.epochs * Math.ceil(work.train / work.batch);
      let done = 0;
      let right = 0;
      for (let epoch = 0; epoch < work.epochs; epoch++) {
        const order = permutation(work.train);
        for (const { xb, yb, n } of slices(x, y, order, work.batch)) {
          tf.tidy(() => step(model, optimizer, tf.tensor2d(xb, [n, 784]), oneHot(yb)));
          if (++done % 50 === 0 && (performance.now() - start) / 1e3 > limit) {
            return { seconds: (performance.now() - start) / 1e3, share: done / total };
          }
        }
        right = 0;
        for (const { xb, yb, n } of slices(...valid, inOrder, work.validBatch)) {
          const [best, loss] = tf.tidy(() => {
            const out = model.forward(tf.tensor2d(xb, [n, 784]));
            return [tf.argMax(out, 1).dataSync(), tf.losses.softmaxCrossEntropy(oneHot(yb), out).dataSync()[0]];
          });
          if (Number.isNaN(loss)) throw new Error("the loss is not a number");
          for (let i = 0; i < n; i++) if (best[i] === yb[i]) right++;
        }
      }
      return { seconds: (performance.now() - start) / 1e3, share: 1, accuracy: right / inOrder.length };
    },
  };
}

function gemm({ size }) {
  const a = tf.tensor2d(uniform(size * size, -1), [size, size]);
  const b = tf.tensor2d(uniform(size * size, -1), [size, size]);
  return { once: () => tf.matMul(a, b).dispose() };
}

function elementwise(work) {
  const x = tf.tensor1d(uniform(work.size, -2, 2));
  const gelu = (v) => tf.mul(tf.mul(v, 0.5), tf.add(tf.erf(tf.mul(v, Math.SQRT1_2)), 1));
  const gradient = tf.valueAndGrad((v) => tf.sum(gelu(tf.add(tf.mul(v, work.a), work.b))));
  const once = () =>
    tf.tidy(() => {
      gradient(x);
    });
  return { once };
}

function adam(work) {
  const optimizer = optimizers.adam(work.lr);
  const gradients = {};
  let parameters = 0;
  for (const [i, shape] of work.shapes.entries()) {
    const size = shape.reduce((a, b) => a * b);
    parameters += size;
    tf.variable(tf.tensor(uniform(size, -0.01, 0.01), shape), true, `parameter${i}`);
    gradients[`parameter${i}`] = tf.tensor(uniform(size, -0.01, 0.01), shape);
  }
  return { parameters, once: () => tf.tidy(() => optimizer.applyGradients(gradients)) };
}

await serve(`TensorFlow.js ${tf.version.tfjs} ${backend}`, {
  train: training,
  loop,
  mnist: mainJob,
  gemm,
  elementwise,
  adam,
});
